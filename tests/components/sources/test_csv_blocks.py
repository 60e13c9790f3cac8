from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from crossnet.components.sources.csv_blocks import read_blocks

BLOCK = 1 << 20


def cells(path: Path, *, quoted: bool = True, num_columns: int = 2) -> list[str]:
    batches = list(read_blocks(path, {"t": pa.string()}, quoted=quoted, num_columns=num_columns))
    return [cell for batch in batches for cell in batch.column("t").to_pylist()]


@pytest.mark.parametrize("before_end", range(-1, 3))
@pytest.mark.parametrize("compressed", [False, True])
def test_a_line_break_in_a_quoted_cell_survives_the_end_of_a_block(
    tmp_path: Path, before_end: int, compressed: bool
) -> None:
    start = b'id,t\r\n0,"'
    filling = b"z" * (BLOCK - len(start) - before_end)  # CR is the last byte of the first block where `before_end` is 1
    content = start + filling + b'\r\nb"\r\n1,"\r"\r\n2,"\n"\r\n3,c\r\n'
    path = tmp_path / ("rows.csv.gz" if compressed else "rows.csv")
    path.write_bytes(gzip.compress(content, 1) if compressed else content)
    assert cells(path) == [filling.decode() + "\r\nb", "\r", "\n", "c"]


def test_line_breaks_between_rows_are_found_wherever_blocks_end(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    expected = [str(row) for row in range(300_000)]
    for end in ("\n", "\r\n", "\r"):
        path.write_text("id,t" + end + "".join(f"7,{cell}{end}" for cell in expected), newline="")
        assert path.stat().st_size > 2 * BLOCK
        assert cells(path) == cells(path, quoted=False) == expected


def test_a_row_that_is_longer_than_a_block_is_read_and_none_twice(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    long = "x" * (3 * BLOCK)
    short = [str(row) for row in range(200_000)]
    path.write_text("id,t\n" + "".join(f"1,{cell}\n" for cell in [*short, long, *short]))
    assert cells(path) == [*short, long, *short]


def test_a_misshapen_row_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,t\n1,a\n1,b,c\n")
    with pytest.raises(pa.ArrowInvalid, match="Expected 2 columns, got 3"):
        cells(path)
