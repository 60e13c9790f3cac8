"""Converts the cells of a CSV column to its kind.

The rules for single cells are those of `crossnet.serving.protocol.cell_values`, which `predict` uses too. Here they are
applied to whole columns, by Arrow wherever its result is the same. `nan` and `inf` are numbers; ExampleValidator
decides whether the data may contain them.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.sources.csv_plain import first_bytes, plain_cells
from crossnet.components.sources.times import time_numbers
from crossnet.serving.protocol.cell_values import (
    read_boolean,
    read_date,
    read_number,
    read_time,
    read_truth,
)
from crossnet.serving.protocol.csv_format import CsvFormat

SAMPLE_CELLS = 10_000
PLAIN = CsvFormat()
EXACT = 2**24  # float32 holds each whole number up to here

# Kind of a column: how its cells are read, and what is written.
# MIXED: numbers, of which many are whole and may be too large for float32. WHOLE: the setting `integer`. WORDS: the
# setting `boolean`. DATE: the setting `date_format`. HOLED: text, with the setting `null_text`.
STORED = {"FLOAT": "FLOAT", "MIXED": "FLOAT", "BYTES": "BYTES", "HOLED": "BYTES"}
STORED |= dict.fromkeys(("INT", "WHOLE", "BOOL", "WORDS", "TIME", "TIME_UTC", "DATE"), "INT")
ARROW_TYPES = {
    "FLOAT": pa.float32(),
    "MIXED": pa.float64(),
    "WHOLE": pa.int64(),
    "WORDS": pa.bool_(),
    "DATE": pa.timestamp("us"),
    "INT": pa.int64(),
    "BOOL": pa.bool_(),
    "TIME": pa.timestamp("us"),
    "TIME_UTC": pa.timestamp("us", "UTC"),
    "BYTES": pa.string(),
    "HOLED": pa.string(),
}
TIMES = ("TIME", "TIME_UTC", "DATE")
_FLOAT = pa.float32().id
# Kinds whose cells are looked at as text: Arrow would read 007 as 7, and not +7.
FROM_TEXT = ("INT", "WHOLE", "WORDS", "DATE", "HOLED")
EXPECTED = {
    "FLOAT": "a number",
    "MIXED": "a number",
    "WHOLE": "a whole number (`example_gen.integer` names the column)",
    "WORDS": "a truth value, such as yes or no",
    "DATE": "a date in the form of `example_gen.date_format`",
    "INT": "a whole number",
    "BOOL": "true or false",
    "TIME": "a date or time in ISO 8601, such as 2026-11-23 or 2026-11-23T08:45:00",
    "TIME_UTC": "a time in ISO 8601 with its zone, such as 2026-11-23T08:45:00Z",
    "BYTES": "text in UTF-8",
    "HOLED": "text in UTF-8",
}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_POINT_ZERO = re.compile(r"(?<=\d)\.0*$", re.ASCII)
_ZEROS = re.compile(r"0\d+", re.ASCII)
_INT64 = range(-(2**63), 2**63)


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
    """A column of whole numbers holds other numbers too.

    Attributes:
      row: Index of the first one in the array.
      cell: Its bytes.
    """

    def __init__(self, row: int, cell: bytes):
        super().__init__(row, cell)
        self.row = row
        self.cell = cell


class LeadingZeroError(NotWholeError):
    """A column of whole numbers holds a cell such as 007, which may be a code."""


def read_whole(cell: str) -> int | None:
    """Returns the whole number in a cell, None where it is another number or beyond int64."""
    text = cell.strip()
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text) if len(text) <= 20 else 2**64
    return value if value in _INT64 else None


def read_rounded(cell: str) -> int | None:
    """Returns the whole number in a cell, also where it is written as 5.0 or 5e3; None for other text."""
    value, number = read_whole(_POINT_ZERO.sub("", cell.strip())), read_number(cell)
    if value is not None or number is None:
        return value
    return int(number) if number.is_integer() and abs(number) <= 2**53 else None


def is_code(cell: str) -> bool:
    """Returns whether a cell is a whole number with leading zeros."""
    return _ZEROS.fullmatch(cell.strip()) is not None


def stored_values(
    array: pa.Array, kind: str, as_float: bool = False, unit: str = "s", *, exact: bool = True
) -> pa.Array:
    """Returns a converted column as it is written: float32, int64 or binary; times as whole units since 1970 (UTC).

    Raises:
      FinerUnitError: `exact`, and a time is not whole in `unit`.
    """
    if array.type.id == _FLOAT:  # as columns of wide tables often are, and each call of Arrow takes some time
        return array
    if kind in TIMES:
        array = time_numbers(array, unit, exact=exact)
    elif STORED[kind] == "BYTES":
        return array.cast(pa.binary())
    elif STORED[kind] == "INT":
        array = array.cast(pa.int64())
    return array.cast(pa.float32(), safe=False) if as_float or STORED[kind] == "FLOAT" else array


def convert_cells(
    cells: pa.Array, kind: str, csv_format: CsvFormat = PLAIN, form: str = "", *, codes: bool = True
) -> pa.Array:
    """Returns `cells` (binary, null where empty) in the Arrow type of `kind`.

    Args:
      cells: As the file has them.
      kind: The column's.
      csv_format: What is missing, and how numbers are written.
      form: For DATE, how dates are written.
      codes: For INT, whether numbers with leading zeros are numbers.

    Raises:
      BadCellError: The first cell that cannot be converted.
      NotWholeError: `kind` is INT and all cells are numbers, but not all whole ones within int64.
      LeadingZeroError: `kind` is INT, and a cell has leading zeros.
    """
    try:
        text = _text(cells, kind)
    except pa.ArrowInvalid:
        _each(cells, cells, str)
        raise
    if STORED[kind] == "BYTES":
        return text if kind == "BYTES" else _without_words(text, csv_format)
    plain = plain_cells(cells, csv_format, numbers=kind in ("FLOAT", "MIXED", "INT", "WHOLE"))
    if plain is not cells:
        text = _text(plain, kind)
    if kind == "INT":
        return _whole_numbers(plain, text, cells, codes=codes)
    if kind in ("BOOL", "WORDS", "DATE") and plain is cells:
        encoded = cells.dictionary_encode()
        if 2 * len(encoded.dictionary) < len(cells):  # few values, of which each is read once
            try:
                return convert_cells(encoded.dictionary, kind, csv_format, form).take(encoded.indices)
            except BadCellError:
                pass  # the cells themselves say which row it is
    if kind in ("BOOL", "WORDS"):
        return pa.array(_each(plain, cells, read_truth if kind == "BOOL" else read_boolean), pa.bool_())
    if kind == "DATE":
        return _times(plain, cells, lambda cell: read_date(cell, form, "us"), kind)
    with contextlib.suppress(pa.ArrowInvalid):
        return text.cast(ARROW_TYPES[kind])
    with contextlib.suppress(pa.ArrowInvalid):  # few cells have blanks, and to cut them takes long
        return pc.utf8_trim_whitespace(text).cast(ARROW_TYPES[kind])
    if kind == "WHOLE":
        return pa.array(_each(plain, cells, read_rounded), pa.int64())
    if kind in ("FLOAT", "MIXED"):  # numbers beyond float32 become infinite, as in Arrow
        return pa.array(_each(plain, cells, read_number), pa.float64()).cast(ARROW_TYPES[kind], safe=False)
    return _times(plain, cells, lambda cell: read_time(cell, "us"), kind)


def _text(cells: pa.Array, kind: str) -> pa.Array:
    """Returns cells as text; of whole numbers bytes that are not UTF-8 are let through, which are not digits anyway."""
    return cells.view(pa.string()) if kind == "INT" else cells.cast(pa.string())


def _without_words(text: pa.Array, csv_format: CsvFormat) -> pa.Array:
    """Returns text with null for the words that mean that there is nothing."""
    words = pa.array(csv_format.null_values, pa.string())
    return pc.if_else(pc.is_in(pc.ascii_trim_whitespace(text), value_set=words), pa.scalar(None, pa.string()), text)


def _whole_numbers(plain: pa.Array, text: pa.Array, cells: pa.Array, *, codes: bool) -> pa.Array:
    if not _may_have_zeros(plain):
        try:
            return text.cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    values = _each(plain, cells, read_number)
    for row, cell in enumerate(plain.to_pylist()):
        if cell is not None:
            whole = read_whole(cell.decode())
            if whole is None:
                raise NotWholeError(row, cells[row].as_py())
            if not codes and is_code(cell.decode()):
                raise LeadingZeroError(row, cells[row].as_py())
            values[row] = whole
    return pa.array(values, pa.int64())


def _may_have_zeros(cells: pa.Array) -> bool:
    """Returns whether any cell of several characters begins with a zero or a blank; a superset of the codes."""
    if not len(cells):
        return False
    first = first_bytes(cells)
    odd = np.flatnonzero((first == ord("0")) | (first <= ord(" ")) | (first > ord("9")))
    offsets = np.frombuffer(cells.buffers()[1], np.int32)[cells.offset : cells.offset + len(cells) + 1]
    return bool((offsets[odd + 1] - offsets[odd] > 1).any())


def _times(plain: pa.Array, cells: pa.Array, read: Callable[[str], int | None], kind: str) -> pa.Array:
    """Returns the times that `read` returns as microseconds."""
    return pa.array(_each(plain, cells, read), pa.int64()).cast(ARROW_TYPES[kind])


def _each(plain: pa.Array, cells: pa.Array, read: Callable[[str], Any]) -> list[Any]:
    """Returns the value that `read` returns for each plain cell, None where it is empty.

    Raises:
      BadCellError: `read` returned None for this cell, the first such one.
    """
    values = []
    for row, cell in enumerate(plain.to_pylist()):
        try:
            value = None if cell is None else read(cell.decode())
        except UnicodeDecodeError:
            value = None
        if value is None and cell is not None:
            raise BadCellError(row, cells[row].as_py())
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
