"""Files of rows: JSON lines, CSV with a header, TFRecord of tf.train.Example; each also as `.gz`.

A reader yields rows with the place of each; a writer takes the same batches back with the model's outputs
added, so that what came in goes out unchanged, in its order.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from crossnet.serving.rows.csv import Csv
from crossnet.serving.rows.json_lines import JsonLines
from crossnet.serving.rows.tfrecord import TfRecord

FORMATS = ("jsonl", "csv", "tfrecord")

_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tfrecord": "tfrecord",
    ".tfrecords": "tfrecord",
}
_SHARD = re.compile(r"tfrecord-\d{5}-of-\d{5}$")


def format_of(name: str) -> str | None:
    """Returns the format that a file's name tells: "jsonl", "csv" or "tfrecord"; None where it tells none."""
    name = name.lower().removesuffix(".gz")
    if _SHARD.search(name):
        return "tfrecord"
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


def reader(stream: BinaryIO, kind: str, name: str) -> JsonLines | Csv | TfRecord:
    """Returns the reader of one of `FORMATS`.

    Raises:
      RowsError: CSV whose header cannot be read.
    """
    if kind == "jsonl":
        return JsonLines(stream, name)
    return Csv(stream, name) if kind == "csv" else TfRecord(stream, name)
