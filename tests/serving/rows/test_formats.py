"""The reader is chosen by the format, and the format by the file's name."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.serving.rows.csv import CsvReader
from crossnet.serving.rows.formats import FORMATS, format_of, make_reader
from crossnet.serving.rows.json_lines import JsonLinesReader
from crossnet.serving.rows.tfrecord import TfRecordReader
from crossnet.serving.status import RowsError
from support.row_files import ONE, answered, example, read, tfrecords

PIECES = [b'{"a": 1}', b"\n", b"\r", b"a,b", b"1,2", b'"', b",", b"{", b"[", b"\0", b"\xff", b"\xef\xbb\xbf", b"1e999",
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
        ("a.parquet", None),
        ("csv", None),
    ],
)
def test_format_is_told_by_the_name(name, kind):
    assert format_of(name) == kind
    assert kind is None or kind in FORMATS


def test_each_format_has_its_reader():
    readers = {kind: type(make_reader(io.BytesIO(b"x\n"), kind, "rows")) for kind in FORMATS}
    assert readers == {"jsonl": JsonLinesReader, "csv": CsvReader, "tfrecord": TfRecordReader}


@pytest.mark.parametrize(
    ("kind", "content"),
    [("jsonl", b'{"x": 1.0}\n'), ("csv", b"x\n1.0\n"), ("tfrecord", tfrecords(example(x=1.0)))],
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
