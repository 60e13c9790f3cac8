"""Finds where a record comes from; keeps one bit per row.

The place is looked up only when a message needs it.

File structure:
  rows.bits    whether each row of the source, in order, is eval; absent for `order` and `folders`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crossnet.components.artifacts.examples import Examples
from crossnet.components.sources.base import file_label
from crossnet.components.sources.csv_lines import row_line
from crossnet.components.sources.splits import Splitter

BITS_FILE = "rows.bits"
_CHUNK_BYTES = 1 << 16


class RowLog:
    """Records, while rows are written, how many each unit has and which of them are eval.

    Args:
      first, last: The units.
    """

    def __init__(self, first: int, last: int):
        self.units = range(first, last)
        self.rows: Counter[int] = Counter()
        self.bits = BitString()

    def add(self, unit: int, is_eval: NDArray[np.bool_]) -> None:
        """Records the next rows of a unit."""
        self.rows[unit] += len(is_eval)
        self.bits.add(is_eval)


class BitString:
    """Bits, eight to the byte."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._rest = np.zeros(0, bool)

    def add(self, bits: NDArray[np.bool_]) -> None:
        """Appends bits."""
        bits = np.concatenate([self._rest, bits])
        whole = len(bits) - len(bits) % 8
        self._data += np.packbits(bits[:whole]).tobytes()
        self._rest = bits[whole:]

    def __len__(self) -> int:
        return 8 * len(self._data) + len(self._rest)

    def pieces(self) -> Iterator[NDArray[np.bool_]]:
        """Yields all bits, piece by piece."""
        for start in range(0, len(self._data), _CHUNK_BYTES):
            yield np.unpackbits(np.frombuffer(self._data, np.uint8)[start : start + _CHUNK_BYTES]).astype(bool)
        yield self._rest

    def packed(self) -> bytes:
        """Returns the bits as bytes; the last byte is padded with zeros."""
        return bytes(self._data) + np.packbits(self._rest).tobytes()


def write_provenance(folder: Path, logs: list[RowLog], splitter: Splitter) -> list[int]:
    """Writes the split of each row, and returns the number of rows of each unit.

    Args:
      logs: Of all parts of the source, in order.
    """
    if splitter.params.split not in ("order", "folders"):
        bits = BitString()
        for log in logs:
            for piece in log.bits.pieces():
                bits.add(piece)
        (folder / BITS_FILE).write_bytes(bits.packed())
    return [log.rows[unit] for log in logs for unit in log.units]


def locate(examples: Examples, split: str, record: int) -> str:
    """Returns where a record comes from, such as "rides.csv:871" (the physical line) or "synthetic row 17".

    Args:
      record: The record's place in its split, from 0. Rows of Parquet files and records of TFRecord files count from
        0 as well.
    """
    row = source_row(examples, split, record)
    properties = examples.properties
    if properties["source"] == "synthetic":
        return f"synthetic row {row}"
    unit, rows_per_file = 0, properties["rows_per_file"]
    while row >= rows_per_file[unit]:
        row -= rows_per_file[unit]
        unit += 1
    files = [Path(name) for name in properties["files"]]
    path = files[unit]
    name = file_label(path, files)
    if properties["source"] == "csv":
        line = row_line(path, row) if path.is_file() else None
        return f"{name} row {row + 1}" if line is None else f"{name}:{line}"
    return f"{name} record {row}" if properties["source"] == "tfrecord" else f"{name} row {row}"


def source_row(examples: Examples, split: str, record: int) -> int:
    """Returns the number, among all rows of the source, of a record's row."""
    if not 0 <= record < examples.counts[split]:
        raise IndexError(f"record {record} of {examples.counts[split]} in split {split}")
    start = 0
    for mask in _masks(examples, split):
        places = np.flatnonzero(mask)
        if record < len(places):
            return start + int(places[record])
        record -= len(places)
        start += len(mask)
    raise IndexError("the split has more records than rows")


def _masks(examples: Examples, split: str) -> Iterator[NDArray[np.bool_]]:
    """Yields, piece by piece, whether each row of the source is in `split`."""
    properties = examples.properties
    if properties["split"] == "order":
        for name in ("train", "eval"):
            yield np.full(examples.counts[name], name == split)
    elif properties["split"] == "folders":
        for unit, rows in enumerate(properties["rows_per_file"]):
            yield np.full(rows, (unit in properties["eval_files"]) == (split == "eval"))
    else:
        with (examples.path / BITS_FILE).open("rb") as stream:
            while data := stream.read(_CHUNK_BYTES):
                yield np.unpackbits(np.frombuffer(data, np.uint8)) == (split == "eval")
