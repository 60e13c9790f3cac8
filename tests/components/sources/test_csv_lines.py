from __future__ import annotations

from pathlib import Path

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
