"""Files of rows are cut where every line is a row, between whole batches."""

import io

import pytest

from crossnet.serving.protocol.csv_format import DEFAULT, CsvFormat
from crossnet.serving.rows import pieces
from crossnet.serving.rows.pieces import Piece, cut, may_cut


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_BYTES", 10)


def cuts(text, kind="csv", csv_format=DEFAULT, batch_size=2):
    return list(cut(io.BytesIO(text.encode()), kind, csv_format, batch_size))


def test_a_piece_has_whole_batches_and_the_last_one_the_rest():
    assert cuts("a,b\n1,2\n3,4\n5,6\n7,8\n9,10\n") == [Piece(4, 12, 1), Piece(12, 20, 3), Piece(20, 25, 5)]
    assert cuts("a,b\n1,2\n3,4\n5,6", batch_size=1) == [Piece(4, 12, 1), Piece(12, 15, 3)]
    assert cuts('{"a": 1}\n{"a": 2}\n{"a": 3}', "jsonl", batch_size=1) == [
        Piece(0, 9, 0),
        Piece(9, 18, 1),
        Piece(18, 26, 2),
    ]
    assert cuts("a,b\r\n1,2\r\n3,4\r\n", batch_size=1) == [Piece(5, 15, 1)]


@pytest.mark.parametrize(
    ("odd", "kind", "csv_format"),
    [
        ('"3,\n4",5\n', "csv", DEFAULT),
        ("\n3,4\n", "csv", DEFAULT),
        ("3,4\r5,6\n", "csv", DEFAULT),
        ("3\\,1,4\n", "csv", CsvFormat(escape="\\")),
        (" \t\n{}\n", "jsonl", DEFAULT),
    ],
)
def test_the_rest_from_an_odd_line_on_is_one_piece(odd, kind, csv_format):
    plain = "a,b\n1,2\n" if kind == "csv" else "{}\n{}\n"
    found = cuts(plain + "7,8\n9,9\n" * 2 + odd + "5,6\n" * 50, kind, csv_format)
    *whole, last = found
    assert last.end is None
    assert all(piece.end is not None for piece in whole)
    assert whole


def test_quotes_are_plain_in_json_and_where_nothing_is_quoted():
    assert [piece.end is None for piece in cuts('{"a": 1}\n' * 2, "jsonl")] == [False]
    assert [piece.end is None for piece in cuts('a,b\n1,"2\n3,4\n', csv_format=CsvFormat(quote=""))] == [False]


@pytest.mark.parametrize("header", ['"a",b\n', "\na,b\n", "a,b\rc,d\n"])
def test_a_file_with_an_odd_header_is_not_cut(header):
    assert cuts(header + "1,2\n" * 20) == [Piece(0, None, 0)]


def test_a_batch_that_is_too_large_is_not_cut(monkeypatch):
    monkeypatch.setattr(pieces, "_MAX_PIECE_BYTES", 30)
    assert cuts("a\n" + "1" * 50 + "\n2\n") == [Piece(2, None, 1)]


def test_some_formats_have_no_place_to_cut():
    assert may_cut("jsonl", DEFAULT)
    assert may_cut("csv", CsvFormat(delimiter=";", decimal=","))
    refused = [CsvFormat(encoding="utf-16"), CsvFormat(comment="#"), CsvFormat(skip_rows=1), CsvFormat(header=False)]
    assert not any(may_cut("csv", csv_format) for csv_format in refused)
    assert not may_cut("tfrecord", DEFAULT)
