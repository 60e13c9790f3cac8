from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from crossnet.components.errors import DataError
from crossnet.components.sources.csv_lines import misshapen_row, read_header, read_rows, row_line

TEXT = '\ufeffa,b\n\n1,"x\ny"\n2,z\r\n\r\n3,"q""r"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "rides.csv").write_bytes(TEXT.encode())
    return tmp_path / "rides.csv"


def test_read_rows_counts_physical_lines(path: Path) -> None:
    assert list(read_rows(path)) == [(1, ["a", "b"]), (3, ["1", "x\ny"]), (5, ["2", "z"]), (7, ["3", 'q"r'])]


def test_row_line_finds_each_row_and_no_more(path: Path) -> None:
    assert [row_line(path, row) for row in range(4)] == [3, 5, 7, None]


def test_read_header_gives_the_first_row(path: Path) -> None:
    assert read_header(path) == ["a", "b"]
    with pytest.raises(DataError, match=r"none.csv` does not exist. Name an existing file or pattern"):
        read_header(path.with_name("none.csv"))


def test_misshapen_row_names_the_first_one(path: Path) -> None:
    assert misshapen_row(path, 2) is None
    assert str(misshapen_row(path, 3)) == (
        "`rides.csv:1` is a short row: it has 2 cells, the header has 3 columns. Fix the row; a cell that holds a "
        "comma must be quoted."
    )


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a,b\n" + b"1" * 100, 2),
        (b"1" * 101, 1),
        (b"\0" * 101, 1),
        (b'a,b\n1,2\n1,"' + b"2\n" * 100 + b'"\n', 3),
        (b"a,b\n" + b"1," * 60, 2),
    ],
    ids=["line", "header", "zeros", "quoted", "cells"],
)
def test_read_rows_names_the_line_on_which_a_too_long_row_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, line: int
) -> None:
    monkeypatch.setattr("crossnet.components.sources.csv_lines.MAX_ROW_BYTES", 99)
    (tmp_path / "rides.csv").write_bytes(content)
    with pytest.raises(DataError, match=f"`rides.csv:{line}` begins a row of more than . MiB, the most that a row may"):
        list(read_rows(tmp_path / "rides.csv"))


@pytest.mark.parametrize("kind", [".gz", ".bz2", ".zst", ".lz4"])
def test_read_header_tells_a_compressed_file_that_is_not_named_as_one(tmp_path: Path, kind: str) -> None:
    named = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}[kind]
    with pa.CompressedOutputStream(str(tmp_path / "rides.csv"), named) as stream:
        stream.write(b"a,b\n1,2\n")
    with pytest.raises(DataError, match=f"`rides.csv` is compressed.* Let its name end in `{kind}`, or unpack it"):
        read_header(tmp_path / "rides.csv")
    (tmp_path / "rides.csv").rename(tmp_path / f"rides.csv{kind}")
    assert read_header(tmp_path / f"rides.csv{kind}") == ["a", "b"]
