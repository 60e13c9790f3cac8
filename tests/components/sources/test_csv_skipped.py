from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crossnet.components.sources import csv_skipped
from crossnet.components.sources.csv_lines import read_csv_rows, row_line
from crossnet.components.sources.csv_skipped import Skipped, skip_rows
from crossnet.serving.protocol.csv_format import CsvFormat

FORMATS = [CsvFormat(), CsvFormat(quote=""), CsvFormat(delimiter="\t", quote="'"), CsvFormat(delimiter=" ")]
PIECES = ["a", '"', '""', "'", ",", "\t", " ", "\n", "\r\n", "\r", "é", "\0", '"x,y"', '"x\ny"', "\n1,2\n", '\n"1",\n']
REGULAR = 'a,b\n1,"x\n\n\ny"\r\n,"2"\n"q""r",\n"",é\n"""",3\n4,""\n'


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.sampled_from(FORMATS))
@example(REGULAR, FORMATS[0])
@example("\ufeff" + REGULAR, FORMATS[0])
@example("a\n1\n \n2\n\n3\n", FORMATS[0])
@example('a,b\n1,2\n3,"4\n5,6\n', FORMATS[0])
def test_a_row_has_the_same_line_where_the_rows_above_it_are_skipped(
    size: int, text: str, csv_format: CsvFormat
) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(csv_skipped, "_PIECE_BYTES", size)
        path = Path(folder) / "rides.csv"
        path.write_bytes(text.encode())
        lines = [row.line for row in read_csv_rows(path, csv_format)][1:]
        assert [row_line(path, row, csv_format) for row in range(len(lines) + 1)] == [*lines, None]


def test_rows_are_skipped_up_to_the_one_that_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_skipped, "_PIECE_BYTES", 16)
    path = tmp_path / "rides.csv"
    path.write_bytes(REGULAR.encode())
    places = [skip_rows(path, CsvFormat(), most) for most in range(8)]
    assert places[0] == Skipped()
    assert [place.rows <= most for most, place in enumerate(places)] == [True] * 8
    assert places[-1].rows >= 5
    assert path.read_bytes()[: places[-1].offset].count(b"\n") == places[-1].lines


@pytest.mark.parametrize("settings", [{"comment": "#"}, {"skip_rows": 1}, {"encoding": "cp1252"}, {"escape": "\\"}])
def test_nothing_is_skipped_where_lines_are_left_out_or_bytes_decoded(tmp_path: Path, settings: dict[str, str]) -> None:
    (tmp_path / "rides.csv").write_bytes(REGULAR.encode())
    assert skip_rows(tmp_path / "rides.csv", CsvFormat(**settings), 9) == Skipped()
