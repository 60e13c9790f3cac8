"""Chooses the reader for JSON lines, CSV, TFRecord, Parquet or Arrow.

A reader yields rows with their places. Its writer takes them back in batches with the model's outputs, and writes the
rows unchanged, in their order, with the outputs added.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from crossnet.serving.protocol.csv_format import DEFAULT, CsvFormat
from crossnet.serving.rows.base import Sink, Writer
from crossnet.serving.rows.csv import CsvReader
from crossnet.serving.rows.json_lines import JsonLinesReader
from crossnet.serving.rows.table_writers import make_table_writer
from crossnet.serving.rows.tables import TABLES, TableReader
from crossnet.serving.rows.tfrecord import TfRecordReader

Reader = JsonLinesReader | CsvReader | TfRecordReader | TableReader
FORMATS = ("jsonl", "csv", *TABLES, "tfrecord")

_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".tfrecord": "tfrecord",
    ".tfrecords": "tfrecord",
    ".parquet": "parquet",
    ".parq": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_PACKED = re.compile(r"\.(gz|bz2|zst|lz4)$")
_SHARD = re.compile(r"tfrecord-\d{5}-of-\d{5}$")


def format_of(name: str) -> str | None:
    """Returns the format that a file's name tells, also before `.gz` and the like: one of `FORMATS`, or None."""
    name = _PACKED.sub("", name.lower())
    if _SHARD.search(name):
        return "tfrecord"
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


def is_packed(name: str) -> bool:
    """Returns whether a file's name tells that it is compressed."""
    return _PACKED.search(name.lower()) is not None


def written_kinds(kind: str) -> tuple[str, ...]:
    """Returns the formats in which rows of a format can be written: Parquet and Arrow also as text, others as read."""
    return (*TABLES, "jsonl", "csv") if kind in TABLES else (kind,)


def make_writer(table: Reader, sink: Sink, kind: str) -> Writer:
    """Returns the writer of one of `written_kinds` for the rows of a reader."""
    return make_table_writer(table, sink, kind) if isinstance(table, TableReader) else table.writer(sink)


def make_reader(
    stream: BinaryIO, kind: str, name: str, csv_format: CsvFormat = DEFAULT, *, lines_before: int = 0
) -> Reader:
    """Returns the reader of one of `FORMATS`.

    Args:
      stream: The file's bytes, decompressed.
      kind: One of `FORMATS`.
      name: The file as it is named in a message.
      csv_format: How the bytes of a CSV become cells.
      lines_before: Of a file of JSON lines or CSV, the lines that the stream lacks; of CSV, behind the header.

    Raises:
      RowsError: The header of a CSV cannot be read, or the file is not of that format.
    """
    if kind == "jsonl":
        return JsonLinesReader(stream, name, lines_before)
    if kind in TABLES:
        return TableReader(stream, name, kind)
    return CsvReader(stream, name, csv_format, lines_before) if kind == "csv" else TfRecordReader(stream, name)
