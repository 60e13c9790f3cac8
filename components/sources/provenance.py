"""Finds where a record comes from; keeps two bits per row.

The place is looked up only when a message needs it.

File structure:
  rows.codes    the split of each row of the source, two bits each, in order; each unit begins with a new byte. In the
                `order` split, a kept row counts as train. Absent where all rows are kept in the order of the source.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crossnet.components.artifacts.examples import Examples
from crossnet.components.sources.base import file_label
from crossnet.components.sources.csv_lines import row_line
from crossnet.components.sources.splits import SPLITS, TRAIN
from crossnet.serving.protocol.csv_format import CsvFormat

CODES_FILE = "rows.codes"
DROPPED = 3  # the code of a row that is in no split
ROWS_PER_BYTE = 4
_SHIFTS = np.array([6, 4, 2, 0], np.uint8)
_CHUNK_BYTES = 1 << 16

Codes = NDArray[np.uint8]


class RowLog:
    """Writes, while rows are read, the split of each; a context manager.

    Args:
      path: The file to write.

    Attributes:
      rows: Rows by unit.
    """

    def __init__(self, path: Path):
        self.path = path
        self.rows: Counter[int] = Counter()
        self._unit = -1
        self._rest = np.zeros(0, np.uint8)

    def __enter__(self) -> RowLog:
        self._file = self.path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._end_unit()
        self._file.close()

    def add(self, unit: int, codes: Codes) -> None:
        """Records the next rows of a unit: the code of each one's split, or `DROPPED`."""
        if unit != self._unit:
            self._end_unit()
            self._unit = unit
        self.rows[unit] += len(codes)
        codes = np.concatenate([self._rest, codes])
        whole = len(codes) - len(codes) % ROWS_PER_BYTE
        self._file.write(_packed(codes[:whole]))
        self._rest = codes[whole:]

    def _end_unit(self) -> None:
        if len(self._rest):
            self._file.write(_packed(np.pad(self._rest, (0, ROWS_PER_BYTE - len(self._rest)))))
        self._rest = self._rest[:0]


def write_provenance(folder: Path, parts: Sequence[Path]) -> None:
    """Joins the files of all parts of the source, in order."""
    with (folder / CODES_FILE).open("wb") as target:
        for part in parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, target)


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
    unit, rows_per_unit = 0, properties["rows_per_unit"]
    while row >= rows_per_unit[unit]:
        row -= rows_per_unit[unit]
        unit += 1
    files = [Path(name) for name in properties["files"]]
    path = files[unit]
    name = file_label(path, files)
    if properties["source"] == "csv":
        line = row_line(path, row, CsvFormat.of(properties["settings"])) if path.is_file() else None
        return f"{name} row {row + 1}" if line is None else f"{name}:{line}"
    if properties["source"] == "jsonl" and path.is_file():
        from crossnet.components.sources.json_lines import row_line as json_line

        return f"{name}:{json_line(path, row)}"
    return f"{name} record {row}" if properties["source"] == "tfrecord" else f"{name} row {row}"


def source_row(examples: Examples, split: str, record: int) -> int:
    """Returns the number, among all rows of the source, of a record's row."""
    if not 0 <= record < examples.counts[split]:
        raise IndexError(f"record {record} of {examples.counts[split]} in split {split}")
    code = SPLITS.index(split)
    if examples.properties["split"] == "order":
        record += sum(examples.counts[before] for before in SPLITS[:code])
        code = TRAIN
        if not (examples.path / CODES_FILE).exists():
            return record
    start = 0
    for codes in _codes(examples):
        places = np.flatnonzero(codes == code)
        if record < len(places):
            return start + int(places[record])
        record -= len(places)
        start += len(codes)
    raise IndexError("the split has more records than rows")


def source_rows(examples: Examples, split: str) -> NDArray[np.int64]:
    """Returns `source_row` of every record of a split, int64 (rows,), in the order of the records."""
    code, rows, skipped = SPLITS.index(split), examples.counts[split], 0
    if examples.properties["split"] == "order":
        skipped, code = sum(examples.counts[before] for before in SPLITS[:code]), TRAIN
        if not (examples.path / CODES_FILE).exists():
            return np.arange(skipped, skipped + rows)
    start, found = 0, [np.zeros(0, np.int64)]
    for codes in _codes(examples):
        found.append(np.flatnonzero(codes == code) + start)
        start += len(codes)
    return np.concatenate(found)[skipped : skipped + rows]


def _codes(examples: Examples) -> Iterator[Codes]:
    """Yields, piece by piece, the code of each row of the source."""
    with (examples.path / CODES_FILE).open("rb") as stream:
        for rows in examples.properties["rows_per_unit"]:
            while rows > 0:
                data = stream.read(min(_CHUNK_BYTES, -(-rows // ROWS_PER_BYTE)))
                if not data:
                    return
                codes = np.frombuffer(data, np.uint8)[:, None] >> _SHIFTS & np.uint8(3)
                yield codes.ravel()[:rows]
                rows -= codes.size


def _packed(codes: Codes) -> bytes:
    """Returns codes, a multiple of four, as two bits each."""
    return bytes(np.bitwise_or.reduce(codes.reshape(-1, ROWS_PER_BYTE) << _SHIFTS, axis=1).astype(np.uint8).tobytes())
