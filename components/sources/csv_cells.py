"""Finds the kind of a CSV column and converts its cells.

The rules for single cells are those of `crossnet.serving.protocol.cell_values`, which `predict` uses too. Here they are
applied to whole columns, by Arrow wherever its result is the same. `nan` and `inf` are numbers; ExampleValidator
decides whether the data may contain them.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossnet.serving.protocol.cell_values import has_zone, read_number, read_time, read_truth

SAMPLE_CELLS = 10_000
_NUMERIC_SHARE = 0.99

# Kind of a column: how its cells are read, and what is written.
STORED = {"FLOAT": "FLOAT", "INT": "INT", "BOOL": "INT", "TIME": "INT", "TIME_UTC": "INT", "BYTES": "BYTES"}
ARROW_TYPES = {
    "FLOAT": pa.float32(),
    "INT": pa.int64(),
    "BOOL": pa.bool_(),
    "TIME": pa.timestamp("us"),
    "TIME_UTC": pa.timestamp("us", "UTC"),
    "BYTES": pa.string(),
}
EXPECTED = {
    "FLOAT": "a number",
    "INT": "a whole number",
    "BOOL": "true or false",
    "TIME": "a date or time in ISO 8601, such as 2026-11-23 or 2026-11-23T08:45:00",
    "TIME_UTC": "a time in ISO 8601 with its zone, such as 2026-11-23T08:45:00Z",
    "BYTES": "text in UTF-8",
}
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_PLAIN_INTEGER = r"^\s*-?\d{1,18}\s*$"
_PLAIN_NUMBER = r"^\s*-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"


class BadCellError(Exception):
    """A cell does not convert to its column's kind.

    Attributes:
      row: Its index in the array.
      cell: Its bytes.
    """

    def __init__(self, row: int, cell: bytes):
        super().__init__(row, cell)
        self.row = row
        self.cell = cell


class NotWholeError(Exception):
    """A column of whole numbers holds other numbers too."""


def classify_cells(array: pa.Array, *, numeric: bool = False) -> str:
    """Returns the kind of a column.

    Args:
      array: Its first non-empty cells (binary).
      numeric: Whether the column is forced to be a number. A column without cells is text unless it is forced.
    """
    if (
        len(array) and pc.all(pc.match_substring_regex(array, _PLAIN_NUMBER)).as_py()
    ):  # most columns are decided here, by Arrow
        return "INT" if pc.all(pc.match_substring_regex(array, _PLAIN_INTEGER)).as_py() else "FLOAT"
    cells = [cell.decode(errors="replace") for cell in array.to_pylist()]
    are_truths = bool(cells) and all(read_truth(cell) is not None for cell in cells)
    numbers = [cell for cell in cells if read_number(cell) is not None]
    if numeric or (cells and len(numbers) >= _NUMERIC_SHARE * len(cells)):
        if are_truths:
            return "BOOL"
        return "INT" if numbers and all(_INTEGER.fullmatch(cell.strip()) for cell in numbers) else "FLOAT"
    if are_truths:
        return "BOOL"
    if cells and all(read_time(cell) is not None for cell in cells):
        return "TIME_UTC" if all(map(has_zone, cells)) else "TIME"
    return "BYTES"


def stored_values(array: pa.Array, kind: str, as_float: bool = False) -> pa.Array:
    """Returns a converted column as it is written: float32, int64 or binary; times in whole Unix seconds (UTC)."""
    if kind in ("TIME", "TIME_UTC"):
        seconds = np.floor_divide(array.cast(pa.int64()).fill_null(0).to_numpy(), 1_000_000)
        mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
        return pa.array(seconds, pa.int64(), mask=mask)
    if kind == "BYTES":
        return array.cast(pa.binary())
    if kind == "BOOL":
        array = array.cast(pa.int64())
    return array.cast(pa.float32()) if as_float else array


def convert_cells(cells: pa.Array, kind: str) -> pa.Array:
    """Returns `cells` (binary, null where empty) in the Arrow type of `kind`.

    Raises:
      BadCellError: The first cell that cannot be converted.
      NotWholeError: `kind` is INT and all cells are numbers, but not all whole ones.
    """
    try:
        text = cells.cast(pa.string())
    except pa.ArrowInvalid:
        _each(cells, str)
        raise
    if kind == "BYTES":
        return text
    if kind != "BOOL":
        try:
            return pc.utf8_trim_whitespace(text).cast(ARROW_TYPES[kind])
        except pa.ArrowInvalid:
            pass
    if kind == "INT":
        _each(cells, read_number)
        raise NotWholeError
    if kind == "FLOAT":  # numbers beyond float32 become infinite, as in Arrow
        return pa.array(_each(cells, read_number), pa.float64()).cast(pa.float32(), safe=False)
    if kind == "BOOL":
        return pa.array(_each(cells, read_truth), pa.bool_())
    seconds = pa.array(_each(cells, read_time), pa.int64())
    return pc.multiply(seconds, 1_000_000).cast(ARROW_TYPES[kind])


def _each(cells: pa.Array, read: Callable[[str], Any]) -> list[Any]:
    """Returns the value that `read` returns for each cell, None where the cell is empty.

    Raises:
      BadCellError: `read` returned None for this cell, the first such one.
    """
    values = []
    for row, cell in enumerate(cells.to_pylist()):
        try:
            value = None if cell is None else read(cell.decode())
        except UnicodeDecodeError:
            value = None
        if value is None and cell is not None:
            raise BadCellError(row, cell)
        values.append(value)
    return values


def parse_time(text: str) -> float:
    """Returns a moment as a number: seconds since 1970 for ISO 8601 (UTC where no zone is given), or the number.

    Raises:
      ValueError: It is neither.
    """
    number = read_number(text)
    if number is not None:
        return number
    moment = datetime.datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
