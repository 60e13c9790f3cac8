from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossnet.components.errors import DataError
from crossnet.components.sources.csv_lines import misshapen_row, read_rows, row_line
from crossnet.serving.protocol.csv_format import CsvFormat

TEXT = '\ufeffa,b\n\n1,"x\ny"\n2,z\r\n\r\n3,"q""r"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "rides.csv").write_bytes(TEXT.encode())
    return tmp_path / "rides.csv"


def test_read_rows_counts_physical_lines(path: Path) -> None:
    assert list(read_rows(path)) == [(1, ["a", "b"]), (3, ["1", "x\ny"]), (5, ["2", "z"]), (7, ["3", 'q"r'])]


def test_row_line_finds_each_row_and_no_more(path: Path) -> None:
    assert [row_line(path, row) for row in range(4)] == [3, 5, 7, None]


def test_misshapen_row_names_the_first_one(path: Path) -> None:
    assert misshapen_row(path, 2) is None
    assert str(misshapen_row(path, 3)) == (
        "`rides.csv:1` is a short row: it has 2 cells, the header has 3 columns. Fix the row; an empty cell needs its "
        "delimiter (a comma) too."
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


ODD = "he \"x\n\n#1\na;b\n#\"\n1;'x\n#y'\n#2\n\n#3\n2;z\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_lines_that_are_left_out_are_counted(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rides.csv"
    path.write_bytes(ODD.encode(encoding))
    odd = CsvFormat(delimiter=";", quote="'", comment="#", skip_rows=1, encoding=encoding)
    assert list(read_rows(path, odd)) == [(4, ["a", "b"]), (6, ["1", "x\n#y"]), (11, ["2", "z"])]
    assert [row_line(path, row, odd) for row in range(3)] == [6, 11, None]
    assert [row_line(path, row, replace(odd, header=False)) for row in range(3)] == [4, 6, 11]


def test_several_beginnings_of_lines_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "rides.csv").write_text('a,b\n,km\n1,2\n"Total",3\nTotal,4\nSource: x\n')
    noted = CsvFormat(comment=(",km", "Total", "Source"))
    assert list(read_rows(tmp_path / "rides.csv", noted)) == [(1, ["a", "b"]), (3, ["1", "2"]), (4, ["Total", "3"])]


@pytest.mark.parametrize(
    ("row", "settings", "sentence"),
    [
        ("Total: 2 rows", {}, ' If it is a note and not a row, leave it out: `example_gen.comment = "Total:"`.'),
        ("Total,,", {}, 'it has 3 cells, the header has 2 columns. Fix the row; .* `example_gen.comment = "Total"`.'),
        ("3,4,5", {}, "Fix the row; a cell that holds a comma must be quoted.$"),
        ("3;4;5", {"delimiter": ";", "names": ("a", "b")}, "it has 3 cells, there are 2 columns. .* holds a semicolon"),
    ],
)
def test_misshapen_row_says_how_to_leave_out_a_line_that_is_not_a_row(
    tmp_path: Path, row: str, settings: dict[str, Any], sentence: str
) -> None:
    csv_format = CsvFormat(**settings)
    rows = [csv_format.delimiter.join(cells) for cells in ("ab", "12")]
    (tmp_path / "rides.csv").write_text("\n".join([*rows, row]))
    assert re.search(sentence, str(misshapen_row(tmp_path / "rides.csv", 2, csv_format)))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,2", r"2 cells, the header has 3 columns. Fix the row; an empty cell needs its delimiter \(a comma\) too."),
        ("1,2,3,4", "4 cells, the header has 3 columns. Fix the row; a cell that holds a comma must be quoted."),
        ('1,"open\n4,5,6', r"A cell of it runs to line 4: is a quote left open\? Fix the row."),
        ("1\\,2,3,4", r'Does a backslash stand before a delimiter .*\? Set `example_gen.escape = "\\\\"`.$'),
        ("1\\\\,2,3,4", "Fix the row; a cell that holds a comma must be quoted."),
        ('"1,2,3"', "Quotes stand around the whole row: write the file without them.$"),
    ],
)
def test_a_misshapen_row_is_refused_with_what_to_do(tmp_path: Path, row: str, said: str) -> None:
    (path := tmp_path / "a.csv").write_text(f"a,b,c\n1,2,3\n{row}\n")
    error = misshapen_row(path, 3)
    assert error is not None
    assert re.search(rf"`a.csv:3` is a (short|long) row: .*{said}", str(error))
