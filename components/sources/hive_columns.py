"""Reads what folders say about a column as the settings state."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from crossnet.components.errors import SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.naming import NamedColumns
from crossnet.serving.protocol.cell_values import (
    is_hole,
    plain_number,
    read_boolean,
    read_date,
    read_number,
    read_time,
    read_truth,
)
from crossnet.serving.protocol.csv_format import DEFAULT, CsvFormat
from crossnet.serving.protocol.printable import shown

_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)

Number = int | float | None


class FolderColumn(NamedTuple):
    """A column that folders name.

    Attributes:
      name: As a signature takes it.
      source_name: As the folders have it.
      type: "INT", "FLOAT" or "BYTES".
      texts: What each file's folder says; None for a hole.
      numbers: The number of each text, of a column that is not text.
      meaning: What the numbers stand for: "time", with its unit where that is not the second ("time:ms"); "truth"; or
        "".
      is_in_files: Whether the files have the column as well.
    """

    name: str
    source_name: str
    type: str
    texts: tuple[str | None, ...]
    numbers: tuple[Number, ...] = ()
    meaning: str = ""
    is_in_files: bool = False

    def values(self, unit: int, rows: int) -> pa.Array:
        """Returns the column of a file's rows as it is written: int64, float32 or binary."""
        if self.type == "BYTES":
            return self.cells(unit, rows)
        kind = pa.int64() if self.type == "INT" else pa.float32()
        return pa.repeat(pa.scalar(self.numbers[unit], kind), rows)

    def cells(self, unit: int, rows: int) -> pa.Array:
        """Returns the column of a file's rows as text in bytes."""
        text = self.texts[unit]
        return pa.repeat(pa.scalar(None if text is None else text.encode(), pa.binary()), rows)


def folder_column(
    source: str, texts: Sequence[str | None], named: NamedColumns, params: ExampleGenParams, *, is_in_files: bool
) -> FolderColumn:
    """Returns a column with its type.

    That is the one that settings state; without them whole numbers without leading zeros, dates or times in ISO 8601,
    else text.

    Args:
      source: The column's name in the folders.
      texts: What each file's folder says; None for a hole.
      named: The columns of the files and of the folders by use.
      params: The settings.
      is_in_files: Whether the files have the column as well.

    Raises:
      SettingsError: A setting states a type that a folder's text does not have.
    """
    name, kind, meaning = named.names.get(source, source), "BYTES", ""
    numbers: tuple[Number, ...] = ()
    if source not in named.text:
        csv_format = CsvFormat.of(params) if params.source == "csv" else DEFAULT
        cells = [None if text is None or is_hole(text, csv_format) else text for text in texts]
        unit = dict(named.units).get(source, "s")
        stated = _stated(source, named, params, csv_format, unit)
        found = _converted(source, cells, stated) if stated else _inferred(cells, unit)
        if found:
            kind, meaning, numbers = found
    if kind == "BYTES" and source in named.null_text:
        texts = [None if text is None or is_hole(text, CsvFormat.of(params)) else text for text in texts]
    if kind == "BYTES" or meaning not in ("", "time"):
        unit = "s"
    meaning = f"{meaning}:{unit}" if meaning == "time" and unit != "s" else meaning
    return FolderColumn(name, source, kind, tuple(texts), numbers, meaning, is_in_files)


class _Stated(NamedTuple):
    """A type that a setting states.

    Attributes:
      setting: The setting.
      expected: What it expects, for a message.
      read: Reads a text as a number; None where it is not one.
      meaning: As in `FolderColumn`, without a unit.
    """

    setting: str
    expected: str
    read: Callable[[str], Number]
    meaning: str = ""


def _stated(
    source: str, named: NamedColumns, params: ExampleGenParams, csv_format: CsvFormat, unit: str
) -> _Stated | None:
    """Returns what the settings state of a column, or None."""

    def number(text: str) -> Number:
        plain = plain_number(text, csv_format)
        value = None if plain is None else read_number(plain)
        if value is None or plain is None:
            return None
        return int(plain) if re.fullmatch(r"[+-]?\d{1,18}", plain) else value

    def whole(text: str) -> Number:
        value = number(text)
        return int(value) if isinstance(value, float) and value.is_integer() else value if _is_whole(value) else None

    form = dict(named.dates).get(source)
    if form is not None:
        expected = f"a date in the form '{form}'"
        return _Stated("date_format", expected, lambda text: read_date(text, form, unit), "time")
    if source in named.boolean:
        return _Stated("boolean", "a truth value such as yes or no", read_boolean, "truth")
    if source in named.integer:
        return _Stated("integer", "a whole number", whole)
    if source in named.numeric:
        is_weight = params.weight and source not in params.numeric
        return _Stated("weight" if is_weight else "numeric", "a number", number)
    return None


def _is_whole(value: Number) -> bool:
    return isinstance(value, int)


def _converted(source: str, cells: Sequence[str | None], stated: _Stated) -> tuple[str, str, tuple[Number, ...]]:
    """Returns type, meaning and numbers of a column whose type a setting states."""
    numbers: list[Number] = []
    for cell in cells:
        value = None if cell is None else stated.read(cell)
        if cell is not None and value is None:
            raise SettingsError(
                f"`example_gen.{stated.setting}` names `{shown(source)}`, whose folders say '{shown(cell)}'. Expected "
                f"{stated.expected} in each of them. Rename the folder, or take the column out of "
                f"`example_gen.{stated.setting}`."
            )
        numbers.append(int(value) if isinstance(value, bool) else value)
    kind = "INT" if all(value is None or _is_whole(value) for value in numbers) else "FLOAT"
    return kind, stated.meaning, tuple(numbers)


def _inferred(cells: Sequence[str | None], unit: str) -> tuple[str, str, tuple[Number, ...]] | None:
    """Returns type, meaning and numbers of a column of whole numbers or times; None of other text."""
    given = [cell for cell in cells if cell is not None]
    if not given:
        return None
    if all(_WHOLE.fullmatch(cell) for cell in given):
        return "INT", "", tuple(None if cell is None else int(cell) for cell in cells)
    if all(read_time(cell) is not None for cell in given):
        return "INT", "time", tuple(None if cell is None else read_time(cell, unit) for cell in cells)
    return None


def first_other(cells: pa.Array, text: str | None) -> int | None:
    """Returns the first cell (binary) that is neither what a folder says nor the same number or time; None for none."""
    encoded = cells.dictionary_encode()
    same = [text is not None and _says(cell.decode(errors="replace"), text) for cell in encoded.dictionary.to_pylist()]
    fits = np.array([*same, text is None])[encoded.indices.fill_null(len(same)).to_numpy()]
    return None if fits.all() else int(np.argmin(fits))


def _says(cell: str, text: str) -> bool:
    if cell == text:
        return True
    one, other = ((read_number(each), read_time(each), read_truth(each)) for each in (cell, text))
    return any(mine is not None and mine == its for mine, its in zip(one, other, strict=True))


def file_value(text: str | None, column: FolderColumn, unit: int) -> Number:
    """Returns the number that a file's own column has to hold where the folder says `text`.

    Args:
      text: What the folder says.
      column: The column, which may be text by its other folders.
      unit: The number of the file.
    """
    if column.numbers:
        return column.numbers[unit]
    if text is None:
        return None
    truth, number, time = read_truth(text), read_number(text), read_time(text)
    return int(truth) if truth is not None else time if number is None else number
