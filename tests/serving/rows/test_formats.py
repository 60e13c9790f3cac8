"""The reader is chosen by the format, and the format by the file's name."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.serving.rows.csv import CsvReader
from crossnet.serving.rows.formats import FORMATS, format_of, is_packed, make_reader, written_kinds
from crossnet.serving.rows.json_lines import JsonLinesReader
from crossnet.serving.rows.tables import TableReader
from crossnet.serving.rows.tfrecord import TfRecordReader
from crossnet.serving.status import RowsError
from support.row_files import ONE, answered, example, read, table_bytes, tfrecords

PIECES = [b'{"a": 1}', b"\n", b"\r", b"a,b", b"1,2", b'"', b",", b"{", b"[", b"\0", b"\xff", b"\xef\xbb\xbf", b"1e999",
          b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff",
          tfrecords(example(x=1.0)), tfrecords(b"")]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", "jsonl"),
        ("a.json", "jsonl"),
        ("a.ndjson.gz", "jsonl"),
        ("A.CSV", "csv"),
        ("A.CSV.GZ", "csv"),
        ("a.tsv.zst", "csv"),
        ("a.tfrecord", "tfrecord"),
        ("a.tfrecords", "tfrecord"),
        ("data_tfrecord-00000-of-00004.gz", "tfrecord"),
        ("data_tfrecord-00000-of-00004.txt", None),
        ("a.Parquet", "parquet"),
        ("a.pq", "parquet"),
        ("a.feather", "arrow"),
        ("a.arrow", "arrow"),
        ("a.avro", None),
        ("csv", None),
    ],
)
def test_format_is_told_by_the_name(name, kind):
    assert format_of(name) == kind
    assert kind is None or kind in FORMATS


def test_each_format_has_its_reader():
    content = {kind: table_bytes(pa.table({"x": [1.0]}), kind) for kind in ("parquet", "arrow")}
    readers = {kind: type(make_reader(io.BytesIO(content.get(kind, b"x\n")), kind, "rows")) for kind in FORMATS}
    tables = {"parquet": TableReader, "arrow": TableReader}
    assert readers == {"jsonl": JsonLinesReader, "csv": CsvReader, "tfrecord": TfRecordReader, **tables}


def test_parquet_and_arrow_are_written_as_four_formats_and_others_as_they_were_read():
    assert {kind: written_kinds(kind) for kind in FORMATS} == {
        **{kind: (kind,) for kind in ("jsonl", "csv", "tfrecord")},
        **dict.fromkeys(("parquet", "arrow"), ("parquet", "arrow", "jsonl", "csv")),
    }
    assert (is_packed("a.parquet.GZ"), is_packed("a.parquet")) == (True, False)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("jsonl", b'{"x": 1.0}\n'),
        ("csv", b"x\n1.0\n"),
        ("tfrecord", tfrecords(example(x=1.0))),
        ("parquet", table_bytes(pa.table({"x": [1.0]}), "parquet")),
        ("arrow", table_bytes(pa.table({"x": [1.0]}), "arrow")),
    ],
)
def test_each_format_is_read_again_from_what_its_writer_writes(kind, content):
    written = answered(content, kind, **ONE)
    assert len(read(written, kind)) == 1
    assert len(written) > len(content)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)),
)
def test_any_bytes_are_rows_or_an_error_that_names_the_file(kind, content):
    try:
        rows = list(make_reader(io.BytesIO(content), kind, "rows").rows())
    except RowsError as error:
        places = [str(error)]
    else:
        places = [row.place for row in rows]
    assert all(place.startswith("rows") and len(place) < 500 for place in places)
