"""Finds the kind of a column by its cells."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.sources.csv_cells import BadCellError, convert_cells, is_code, read_whole
from crossnet.components.sources.csv_plain import NUMBER_BYTES, cells_where, num_points
from crossnet.serving.protocol.cell_values import TIME_REGEX, ZONED_REGEX, read_number, read_truth

_SAFE_INTEGER = r"^\s*[+-]?([1-9]\d{0,17}|0)\s*$"  # within int64, and without leading zeros
_PLAIN_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
_DIGITS = r"^\s*[+-]?\d+\s*$"
_MANY_WHOLE = 0.5
_FEW = 50
NUMERIC_SHARE = 0.99


def classify_cells(array: pa.Array, *, numeric: bool = False, numbers: NDArray[np.float64] | None = None) -> str:
    """Returns the kind of a column: FLOAT, MIXED, INT, BOOL, TIME, TIME_UTC or BYTES.

    Args:
      array: Its first non-empty cells (binary), in the default format.
      numeric: Whether the column is forced to be a number. A column without cells is text unless it is forced.
      numbers: `decimals(array)`, where it is known that this is not None.
    """
    points = None if numbers is None else num_points(array)  # said without a regular expression
    if len(array) and not points and _all_match(array, _SAFE_INTEGER):  # most are decided by Arrow
        return "INT"
    share = _whole_share(array, points) if len(array) else None
    if share is not None:
        if share <= _MANY_WHOLE:
            return "FLOAT"
        if share < 1:
            return "MIXED"
    is_number = cells_where(array, lambda cell: read_number(cell) is not None, NUMBER_BYTES)
    are_truths = bool(len(array)) and bool(cells_where(array, lambda cell: read_truth(cell) is not None, b"tTfF").all())
    if numeric or (len(array) and is_number.sum() >= NUMERIC_SHARE * len(array)):
        texts = [cell.decode() for cell in array.filter(pa.array(is_number)).to_pylist()]
        return "BOOL" if are_truths else _kind_of_numbers(texts, numeric=numeric)
    if are_truths:
        return "BOOL"
    return time_kind(array) or "BYTES"


def _whole_share(cells: pa.Array, points: int | None) -> float | None:
    """Returns the share of the cells that have digits alone; None where some are not plain numbers.

    Args:
      cells: Binary.
      points: How many cells have a point, where it is known that all are numbers without an exponent.
    """
    if points is not None:
        return 1 - points / len(cells)
    if not _all_match(cells, _PLAIN_NUMBER):
        return None
    share: float = pc.mean(pc.match_substring_regex(cells, _DIGITS)).as_py()
    return share


def _all_match(cells: pa.Array, regex: str) -> bool:
    """Returns whether all cells match; where they do not, the first few show it nearly always."""
    return all(pc.all(pc.match_substring_regex(some, regex)).as_py() for some in (cells[:_FEW], cells))


def time_kind(cells: pa.Array) -> str:
    """Returns TIME or TIME_UTC where all cells are times as `read_time` reads them, else "".

    Args:
      cells: Binary; null is a hole.
    """
    try:
        text = pc.utf8_trim_whitespace(cells.drop_null().cast(pa.string()))
    except pa.ArrowInvalid:
        return ""
    if not len(text) or not _all_match(text, f"^(?:{TIME_REGEX})$"):
        return ""
    kind = "TIME_UTC" if pc.all(pc.match_substring_regex(text, ZONED_REGEX)).as_py() else "TIME"
    try:
        convert_cells(cells, kind)
    except BadCellError:  # the 30th of February
        return ""
    return kind


def _kind_of_numbers(numbers: list[str], *, numeric: bool) -> str:
    whole = sum(read_whole(cell) is not None for cell in numbers)
    if whole and whole == len(numbers):
        return "INT" if numeric or not any(map(is_code, numbers)) else "BYTES"
    return "MIXED" if whole > _MANY_WHOLE * len(numbers) else "FLOAT"
