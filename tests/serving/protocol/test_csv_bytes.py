from __future__ import annotations

import codecs
import io

import pytest

from crossnet.serving.protocol.csv_bytes import (
    Decoded,
    NotDecodableError,
    encoding_of,
    misread_as,
    not_utf8,
    other_file,
)
from crossnet.serving.protocol.csv_format import CsvFormat

TEXT = "ä,b\r\n1,x€\n" * 50_000


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "cp1252", "gb18030"])
@pytest.mark.parametrize("marked", [False, True])
def test_text_in_any_encoding_becomes_utf8_without_its_mark(encoding: str, marked: bool) -> None:
    mark = "\ufeff" if marked and encoding == "utf-16-le" else ""
    stream = io.BufferedReader(Decoded(io.BytesIO((mark + TEXT).encode(encoding)), CsvFormat(encoding=encoding)))
    assert stream.readline() == "ä,b\r\n".encode()
    assert stream.readline() + stream.read() == TEXT.encode()[6:]


def test_bytes_that_are_not_in_the_encoding_have_their_line() -> None:
    content = b"a,b\n" * 40_000 + b"1,\x81\n"
    with pytest.raises(NotDecodableError) as caught:
        Decoded(io.BytesIO(content), CsvFormat(encoding="cp1252")).readall()
    assert (caught.value.line, caught.value.reason) == (40_001, "byte 0x81")
    with pytest.raises(NotDecodableError):  # the last character has one byte
        Decoded(io.BytesIO("ab".encode("utf-16-le")[:-1]), CsvFormat(encoding="utf-16-le")).readall()


@pytest.mark.parametrize(
    ("start", "what", "source"),
    [
        (b"PK\x03\x04" + b"\0" * 22 + b"\x05\0\0\0a.csvrest", "a zip archive that holds `a.csv`", ""),
        (b"PK\x03\x04" + b"\0" * 22 + b"\x13\0\0\0[Content_Types].xml", "an Excel workbook", ""),
        (b"PK\x03\x04" + b"\0" * 22 + b"\x08\0\0\0mimetype", "an OpenDocument file", ""),
        (b"PAR1\x15", "a Parquet file", "parquet"),
        (b"ARROW1\0\0", "an Arrow file", "arrow"),
        (b'\xef\xbb\xbf{"x \\"": 1}\n', "a file of JSON lines", "jsonl"),
        (b"\n<!DOCTYPE html>", "a web page (HTML)", ""),
        (b"\xfd7zXZ\x00\0", "compressed by xz", ""),
    ],
)
def test_a_file_of_another_kind_is_told_by_its_first_bytes(start: bytes, what: str, source: str) -> None:
    other = other_file(start)
    assert other is not None
    assert (other.what, other.source) == (what, source)
    assert other.source or other.advice.endswith((".", "?"))


def test_csv_is_not_taken_for_another_file() -> None:
    assert [other_file(start) for start in (b"", b"a,b\n", b"PK,b\n", b"<a>,b\n")] == [None] * 4


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_an_encoding_of_two_or_four_bytes_shows_in_the_first_ones(encoding: str) -> None:
    start = "id,näme\n1,2\n".encode(encoding)
    assert encoding_of(start) == misread_as(start, CsvFormat()) == encoding
    assert misread_as(start, CsvFormat(encoding=encoding)) == ""


def test_utf16_shows_by_its_commas_and_digits_alone() -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        assert encoding_of("名前,価格\n東京都,12\n大阪府堺市,7\n".encode(encoding)) == encoding
        assert encoding_of(("名前,価格\n" + "三重県,12\n一宮市,7\n" * 9).encode(encoding)) == encoding  # U+4E00


def test_utf8_is_not_taken_for_another_encoding() -> None:
    for start in (b"", b"a", b"a,b\n1,2\n", "ä,ö\n".encode(), codecs.BOM_UTF8 + b"a,b\n", b"a,b\n\0,1\n"):
        assert encoding_of(start) == misread_as(start, CsvFormat()) == ""
    assert misread_as(b"a,b\n", CsvFormat(encoding="utf-16")) == "utf-8"


def test_a_cell_that_is_not_utf8_is_shown_as_it_may_read() -> None:
    assert not_utf8("café noir".encode("latin-1")) == "byte 0xe9; as cp1252 it is 'café noir'"
    assert not_utf8(b"a\x81") == "byte 0x81"
    assert not_utf8("café".encode()) == ""


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"SQLite format 3\0\x10", "an SQLite database"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"MATLAB 5.0 MAT-file, Platform", "a file of MATLAB"),
        (b"\x93NUMPY\x01", "an array of NumPy"),
        (b"$FL2@(#) SPSS", "a file of SPSS"),
        (b"<stata_dta><header>", "a file of Stata"),
        (b"Obj\x01\x04", "an Avro file"),
        (b'<?xml version="1.0"?>', "an XML document"),
        (b"{\\rtf1\\ansi", "a document (RTF)"),
        (b"-- MySQL dump 10.13\n", "a dump of SQL"),
        (b"\n-- PostgreSQL database dump\n", "a dump of SQL"),
        (b"create table t (a float);", "a dump of SQL"),
        (b"-1.5 1:0.25 7:1e-3\n+1 2:3\n", "a file of LIBSVM"),
        (b"% notes\n\n@RELATION rides\n", "an ARFF file"),
        (b"ORC\x0a\0\x12", "an ORC file"),
        (b"\x80\x04\x95\x0a\0\0\0\0\0\0\0", "a pickle of Python"),
        (bytes(12) + b"\xc2\xea\x81\x60\xb3", "a file of SAS"),
        (b"rides.csv".ljust(257, b"\0") + b"ustar\x0000", "a tar archive"),
        (bytes(8) + b"DUCK\x40\0", "a database of DuckDB"),
        (b"\x1f\x8b\x08\0", "compressed by gzip"),
        (b"X\n\0\0\0\x03", "a file of R"),
        (b'[ {"x": 1},\n', "an array of JSON"),
    ],
)
def test_files_of_other_tools_are_told_with_what_to_do(start: bytes, what: str) -> None:
    found = other_file(start)
    assert found is not None
    assert found.what == what
    assert found.advice.endswith(".")


@pytest.mark.parametrize(
    "start",
    [
        b"1 12:30\t5\n",
        b"Object,y\n1,2\n",
        b"ORCID,y\n",
        b"SET,y\n",
        b"relation,y\n",
        b"-- note\na,b\n",
        b"a,@relation\n",
        b"x".ljust(257, b",") + b"ustar\n",
        b"[x],{y}\n",
        b'{"x"},y\n',
        b"\x80\x02\0\0\0\0\0\0",  # a TFRecord of 640 bytes
    ],
)
def test_headers_that_begin_alike_are_not_other_files(start: bytes) -> None:
    assert other_file(start) is None
