"""CSV is read with the places of its rows, and written so that it is read back."""

from __future__ import annotations

import io

import numpy as np
import pytest

from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.rows.csv import CsvReader
from crossnet.serving.status import RowsError
from support.row_files import ONE, answered, read


def table_of(content, **settings):
    return CsvReader(io.BufferedReader(io.BytesIO(content)), "rows", CsvFormat(**settings))


def test_rows_have_their_physical_line():
    table = table_of(b'\xef\xbb\xbfa,b\r\n"x\r\ny",1\r\n\r\n,2\r\n')
    assert table.header == ["a", "b"]
    assert [tuple(row) for row in table.rows()] == [("rows:3", ["x\r\ny", "1"], ""), ("rows:5", ["", "2"], "")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_in_any_way_and_empty_lines_may_precede_the_header(end):
    table = table_of(end + b"a,b" + end + end + b"1,2" + end + b"3,4")
    assert table.header_place == "rows:2"
    assert [tuple(row)[:2] for row in table.rows()] == [("rows:4", ["1", "2"]), ("rows:5", ["3", "4"])]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_of_blanks_are_skipped_as_in_training_where_there_are_several_columns(end):
    table = table_of(end.join([b"\xef\xbb\xbf  ", b"\t", b"a,b", b" ", b"1,2", b" \t ", b" , ", b"3,4", b"  "]))
    assert (table.header, table.header_place) == (["a", "b"], "rows:3")
    assert [tuple(row)[:2] for row in table.rows()] == [
        ("rows:5", ["1", "2"]),
        ("rows:7", [" ", " "]),
        ("rows:8", ["3", "4"]),
    ]
    one = table_of(end.join([b" ", b"a", b"1", b"  ", b"3"]))
    assert [row.values for row in one.rows()] == [["1"], ["  "], ["3"]]
    tabs = table_of(end.join([b"a\tb", b"\t", b"  ", b"1\t2"]), delimiter="\t")
    assert [row.values for row in tabs.rows()] == [["", ""], ["1", "2"]]


def test_text_after_a_closing_quote_is_part_of_the_cell_as_in_training():
    table = table_of(b'a,b\n"ab"cd,"1" \n"a"b"c",""')
    assert [row.values for row in table.rows()] == [["abcd", "1 "], ['ab"c"', ""]]


def test_return_before_the_last_character_ends_a_line():
    table = table_of(b"x0\r1")
    assert (table.header, [row.values for row in table.rows()]) == (["x0"], [["1"]])


def test_blanks_belong_to_headers_and_cells():
    table = table_of(b"x0, x1,\n1, 2,3\n")
    assert table.header == ["x0", " x1", ""]
    assert [row.values for row in table.rows()] == [["1", " 2", "3"]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "rows is empty. Expected a header with the names of the features, and rows below it"),
        (b"a,b,a\n", "rows:1 has column `a` more than once"),
        (b"a,,b,\n", "rows:1 has several columns without a name"),
        (
            b"a,b\n1,2\n3\n",
            "rows:3 has 1 cell, and the header has 2. Fix the row; a cell that holds a comma must be q",
        ),
        (b"a,b\n1,2,3\n", "rows:2 has 3 cells, and the header has 2"),
        (b'a,b\n1,2\n3,"4\n', "rows:3 begins a row that does not end. Is a quote left open?"),
        (b'a,b\n1,2\n3,"4', "rows:3 begins a row that does not end. Is a quote left open?"),
        (b'a,"b\n', "rows:1 begins a row that does not end. Is a quote left open?"),
        (b'a,b\n1,2\n"' + b"x\n" * 70_000, "rows:3 begins a row that does not end. Is a quote left open?"),
        (
            b"a,b\n" + b"1,2\n" * 5000 + b"\xff,2\n",
            r"rows:5002 is not UTF-8: invalid start byte \(byte 0xff; as cp1252 it is 'ÿ,2'\). Na",
        ),
        (b"a,b\r1,2\r\xff,2\r", "rows:3 is not UTF-8"),
        (b"\xef\xbb\xbfa\xff,b\n", r"rows:1 is not UTF-8: invalid start byte \(byte 0xff; as cp1252"),
        (b"\n\na,a\n", "rows:3 has column `a` more than once"),
    ],
)
def test_file_that_is_broken_is_named_with_its_line(content, sentence):
    with pytest.raises(RowsError, match=sentence):
        read(content, "csv")


def test_outputs_are_columns_after_those_of_the_file():
    written = answered(b'a,b\n"x,y",1\n', "csv", **ONE)
    assert written == b'a,b,prediction\n"x,y",1,0.1\n'


def test_file_without_rows_keeps_its_header_and_names_the_outputs():
    stream = io.BytesIO()
    table_of(b"x\n").writer(stream).begin(["b", "a"])
    assert stream.getvalue() == b"x,a,b\n"


def test_text_is_written_as_text():
    zone = np.array(["nörd, süd".encode()], object)
    assert answered(b"x\n1\n", "csv", zone=zone).decode() == 'x,zone\n1,"nörd, süd"\n'


@pytest.mark.parametrize("cell", ["a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", "\r"])
def test_what_is_written_is_read_back(cell):
    quoted = '"' + cell.replace('"', '""') + '"'
    written = answered(f"note,x\n{quoted},1\n".encode(), "csv", zone=np.array([cell.encode()], object))
    table = table_of(written)
    assert table.header == ["note", "x", "zone"]
    assert [row.values for row in table.rows()] == [[cell, "1", cell]]


def test_outputs_keep_their_columns_whatever_their_order_in_an_answer():
    stream = io.BytesIO()
    table = table_of(b"x\n1\n2\n3\n")
    first, second, third = table.rows()
    writer = table.writer(stream)
    writer.write([first], {"b": np.array([10.0]), "a": np.array([1.0])})
    writer.write([second], {"a": np.array([2.0]), "b": np.array([20.0])})
    assert stream.getvalue() == b"x,a,b\n1,1.0,10.0\n2,2.0,20.0\n"
    with pytest.raises(RowsError, match=r"outputs changed from \['a', 'b'\] to \['a'\].* Name one with `--version`"):
        writer.write([third], {"a": np.array([3.0])})


def test_vector_does_not_fit_a_cell():
    with pytest.raises(RowsError, match=r"`p` has shape \[1, 2\], which does not fit one cell per row. Give the rows"):
        answered(b"a\n1\n", "csv", p=np.ones((1, 2)))


def test_cell_may_be_as_long_as_in_training():
    table = table_of(b"a,b\n" + b"x" * 1_000_000 + b",2\n")
    assert [len(row.values[0]) for row in table.rows()] == [1_000_000]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a,b\n" + b"1" * 100, 2),
        (b"a,b\n1,2\r" + b"1" * 100, 3),
        (b'a,b\n1,"' + b"2\n" * 100 + b'"\n', 50),
        (b"a" * 101, 1),
        (b"\0" * 101, 1),
    ],
    ids=["line", "after CR", "quoted", "header", "zeros"],
)
def test_row_longer_than_the_limit_is_named(content, line, monkeypatch):
    monkeypatch.setattr("crossnet.serving.rows.csv.MAX_ROW_BYTES", 99)
    with pytest.raises(RowsError, match=f"rows:{line} has more than 32 MiB, the most that a row may have"):
        list(table_of(content).rows())


def test_file_with_ends_of_cr_alone_may_be_longer_than_a_row(monkeypatch):
    monkeypatch.setattr("crossnet.serving.rows.csv.MAX_ROW_BYTES", 20)
    rows = list(table_of(b"a,b\r" + b"12,34\r" * 50 + b"5,6").rows())
    assert (len(rows), rows[0].place, rows[-1].place, rows[-1].values) == (51, "rows:2", "rows:52", ["5", "6"])


ODD = "by \"me\n#\na;b\n#\"\n1,5;'x\n#y'\n\n#2\n2;z\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_format_says_how_bytes_become_rows(encoding):
    table = table_of(ODD.encode(encoding), delimiter=";", quote="'", comment="#", skip_rows=1, encoding=encoding)
    assert (table.header, table.header_place) == (["a", "b"], "rows:3")
    assert [tuple(row)[:2] for row in table.rows()] == [("rows:6", ["1,5", "x\n#y"]), ("rows:9", ["2", "z"])]


def test_lines_of_several_beginnings_are_left_out_and_a_cell_that_begins_so_is_written_in_quotes():
    table = table_of(b'a,b\n,km\n1,2\nTotal,3\n"Total",4\n', comment=(",km", "Total"))
    rows = list(table.rows())
    assert [row.values for row in rows] == [["1", "2"], ["Total", "4"]]
    sink = io.BytesIO()
    table.writer(sink).write(rows, {"p": np.array([0.5, 1.5], np.float32)})
    again = table_of(sink.getvalue(), comment=(",km", "Total"))
    assert [row.values for row in again.rows()] == [["1", "2", "0.5"], ["Total", "4", "1.5"]]


def test_names_stand_for_those_of_the_file_or_for_none():
    named = table_of(b"a,b\n1,2\n", names=("p", "q"))
    assert (named.header, [row.values for row in named.rows()]) == (["p", "q"], [["1", "2"]])
    bare = table_of(b"1,2\n3,4\n", header=False)
    assert (bare.header, [row.values for row in bare.rows()]) == (["column_1", "column_2"], [["1", "2"], ["3", "4"]])
    with pytest.raises(RowsError, match="rows:1 has 2 cells, and `names` gives 1. Give one name for each column"):
        table_of(b"a,b\n", names=("p",))


@pytest.mark.parametrize(
    ("content", "settings", "sentence"),
    [
        (b"PK\x03\x04", {}, "rows is a zip archive, not a CSV file. Unpack it."),
        (b"PAR1", {}, "rows is a Parquet file, not a CSV file. Give `--format parquet`."),
        ("a,b\n".encode("utf-16"), {}, "begins as text in utf-16 does, and is read as utf-8. Give `--encoding utf-16`"),
        (b"a\tb\n", {}, r"rows:1 has one column, .* Are there tabs between cells\? Give `--delimiter '.t'`."),
        (b"a,b\n\x81,1\n", {"encoding": "cp1252"}, r"rows:2 is not text in cp1252 \(byte 0x81\). Name the file's enc"),
        (b"a;b\n1\n", {"delimiter": ";"}, "rows:2 has 1 cell, .* that holds a semicolon must be quoted. A line that"),
    ],
)
def test_a_file_of_another_format_is_told_with_the_flag(content, settings, sentence):
    with pytest.raises(RowsError, match=sentence):
        list(table_of(content, **settings).rows())


def test_output_has_the_format_of_the_input():
    settings = {"delimiter": ";", "quote": "'", "comment": "#", "encoding": "utf-16", "decimal": ","}
    table, out = table_of("a;b\n'#x;'';y';1,5\n".encode("utf-16"), **settings), io.BytesIO()
    rows = list(table.rows())
    table.writer(out).write(rows, {"p": np.array([0.25], np.float32)})
    again = table_of(out.getvalue(), **settings)
    assert again.header == ["a", "b", "p"]
    assert [row.values for row in again.rows()] == [["#x;';y", "1,5", "0,25"]]


def test_output_has_no_header_where_the_input_has_none():
    table, out = table_of(b"1|2\n", delimiter="|", header=False), io.BytesIO()
    table.writer(out).write(list(table.rows()), {"p": np.array([3.0], np.float32)})
    assert out.getvalue() == b"1|2|3.0\n"


def test_output_that_the_format_cannot_hold_is_named():
    table = table_of(b"a\n1\n", quote="", encoding="cp1252")
    rows = list(table.rows())
    with pytest.raises(RowsError, match="A value holds a delimiter or a line break, and cells are not quoted"):
        table.writer(io.BytesIO()).write(rows, {"p": np.array([b"x,y"], object)})
    with pytest.raises(RowsError, match="An output holds 'ж', which cp1252 cannot encode. Give the rows in UTF-8"):
        table.writer(io.BytesIO()).write(rows, {"p": np.array(["ж".encode()], object)})


@pytest.mark.parametrize("again", [b'"a","b"', b" a,b ", b"A,B", b"\xef\xbb\xbfa,b"])
def test_a_header_among_the_rows_is_left_out_as_in_training_and_its_line_is_known(again):
    table = table_of(b"a,b\n1,2\n" + again + b"\n3,4\n")
    assert [row.values for row in table.rows()] == [["1", "2"], ["3", "4"]]
    assert table.repeats == ["rows:3"]


def test_a_word_that_is_the_only_columns_name_is_a_row():
    assert [row.values for row in table_of(b"a\nb\na\n").rows()] == [["b"], ["a"]]
