"""Chooses the reader for JSON lines, CSV or TFRecord.

A reader yields rows with their places. Its writer takes them back in batches with the model's outputs, and writes the
rows unchanged, in their order, with the outputs added.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from crossnet.serving.protocol.csv_format import DEFAULT, CsvFormat
from crossnet.serving.rows.csv import CsvReader
from crossnet.serving.rows.json_lines import JsonLinesReader
from crossnet.serving.rows.tfrecord import TfRecordReader

Reader = JsonLinesReader | CsvReader | TfRecordReader
FORMATS = ("jsonl", "csv", "tfrecord")

_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".tfrecord": "tfrecord",
    ".tfrecords": "tfrecord",
}
_PACKED = re.compile(r"\.(gz|bz2|zst|lz4)$")
_SHARD = re.compile(r"tfrecord-\d{5}-of-\d{5}$")


def format_of(name: str) -> str | None:
    """Returns the format that a file's name tells, also before `.gz` and the like: one of `FORMATS`, or None."""
    name = _PACKED.sub("", name.lower())
    if _SHARD.search(name):
        return "tfrecord"
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


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
      RowsError: The header of a CSV cannot be read.
    """
    if kind == "jsonl":
        return JsonLinesReader(stream, name, lines_before)
    return CsvReader(stream, name, csv_format, lines_before) if kind == "csv" else TfRecordReader(stream, name)
