"""What the cells of a CSV column are, and their conversion where Arrow's quick way does not do.

Only the empty cell is missing. `nan` and `inf` are numbers; whether they are welcome is ExampleValidator's question.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
EXPECTED = {
    "FLOAT": "a number",
    "INT": "a whole number",
    "BOOL": "true or false",
    "TIME": "a date or time in ISO 8601, such as 2026-11-23 or 2026-11-23T08:45:00",
    "TIME_UTC": "a time in ISO 8601 with its zone, such as 2026-11-23T08:45:00Z",
    "BYTES": "text in UTF-8",
}
_INTEGER = re.compile(rb"\s*-?\d{1,18}\s*")
_PLAIN_INTEGER = r"^\s*-?\d{1,18}\s*$"
_PLAIN_NUMBER = r"^\s*-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
_TIME = re.compile(rb"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")


class BadCellError(Exception):
    """A cell that its column's kind does not allow.

    Attributes:
      row: Its place in the array.
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
      numeric: Whether the column is forced to be a number. Without cells it is text otherwise.
    """
    if len(array) and pc.all(pc.match_substring_regex(array, _PLAIN_NUMBER)).as_py():  # no need to look at each
        return "INT" if pc.all(pc.match_substring_regex(array, _PLAIN_INTEGER)).as_py() else "FLOAT"
    cells = array.to_pylist()
    if numeric or (cells and sum(map(is_number, cells)) >= _NUMERIC_SHARE * len(cells)):
        numbers = [cell for cell in cells if is_number(cell)]
        if not numbers and cells and all(cell.decode("utf-8", "replace") in TRUE + FALSE for cell in cells):
            return "BOOL"
        return "INT" if numbers and all(map(_INTEGER.fullmatch, numbers)) else "FLOAT"
    if cells and all(cell.decode("utf-8", "replace") in TRUE + FALSE for cell in cells):
        return "BOOL"
    if cells and all(map(_is_time, cells)):
        zoned = [_has_zone(cell) for cell in cells]
        return "TIME_UTC" if all(zoned) else "TIME"
    return "BYTES"


def is_number(cell: bytes) -> bool:
    """Returns whether a cell is a number; `1_000` is not."""
    try:
        float(cell)
    except ValueError:
        return False
    return b"_" not in cell


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
        bad = _first_bad(cells, lambda cell: cell.decode() is not None)
        assert bad is not None  # Arrow and Python agree on what UTF-8 is
        raise bad from None
    if kind == "BYTES":
        return text
    trimmed = pc.utf8_trim_whitespace(text)
    try:
        if kind == "BOOL":
            return _booleans(cells)
        return trimmed.cast(ARROW_TYPES[kind])
    except pa.ArrowInvalid:
        pass
    if kind == "INT":
        bad = _first_bad(cells, is_number)
        raise bad if bad else NotWholeError
    if kind == "FLOAT":
        return _floats(cells, text)
    return _times(cells, kind)


def parse_time(text: str) -> float:
    """Returns a moment as a number: seconds since 1970 for ISO 8601 (UTC where no zone is given), or the number.

    Raises:
      ValueError: It is neither.
    """
    if is_number(text.encode()):
        return float(text)
    moment = datetime.datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def _first_bad(cells: pa.Array, is_good: Any) -> BadCellError | None:
    for row, cell in enumerate(cells.to_pylist()):
        if cell is None:
            continue
        try:
            good = is_good(cell)
        except ValueError:
            good = False
        if not good:
            return BadCellError(row, cell)
    return None


def _floats(cells: pa.Array, text: pa.Array) -> pa.Array:
    """Returns floats, those that Arrow does not read (`+1`, `1e99`) by Python; too large ones become infinite."""
    plain = pc.fill_null(pc.match_substring_regex(text, _PLAIN_NUMBER), False).to_numpy(zero_copy_only=False)
    values = np.zeros(len(cells), np.float32)
    rows = np.flatnonzero(plain)
    try:
        values[rows] = pc.utf8_trim_whitespace(text.take(pa.array(rows))).cast(pa.float32()).to_numpy()
    except pa.ArrowInvalid:
        plain[:] = False
    rest = cells.to_pylist()
    with np.errstate(over="ignore"):
        for row in np.flatnonzero(~plain).tolist():
            if rest[row] is None:
                continue
            if not is_number(rest[row]):
                raise BadCellError(row, rest[row])
            values[row] = np.float32(float(rest[row]))
    mask = cells.is_null().to_numpy(zero_copy_only=False)
    return pa.array(values, mask=mask)


def _booleans(cells: pa.Array) -> pa.Array:
    truth = {name.encode(): True for name in TRUE} | {name.encode(): False for name in FALSE}
    if bad := _first_bad(cells, truth.__contains__):
        raise bad
    return pa.array([None if cell is None else truth[cell] for cell in cells.to_pylist()], pa.bool_())


def _times(cells: pa.Array, kind: str) -> pa.Array:
    """Returns times, zoned and not, by Python."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

    def microseconds(cell: bytes) -> int:
        moment = datetime.datetime.fromisoformat(cell.decode())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return (moment - epoch) // datetime.timedelta(microseconds=1)

    if bad := _first_bad(cells, lambda cell: microseconds(cell) is not None):
        raise bad
    values = [None if cell is None else microseconds(cell) for cell in cells.to_pylist()]
    return pa.array(values, pa.int64()).cast(ARROW_TYPES[kind])


def _is_time(cell: bytes) -> bool:
    if not _TIME.fullmatch(cell):
        return False
    try:
        datetime.datetime.fromisoformat(cell.decode())
    except ValueError:
        return False
    return True


def _has_zone(cell: bytes) -> bool:
    return len(cell) > 10 and (cell.endswith(b"Z") or b"+" in cell[10:] or b"-" in cell[10:])
