"""Finds rows within a cell, and sums among the rows.

A quote that is left open ends at the next one, perhaps an inch sign rows below: all lines between are one cell, and the
row has as many cells as others. Such a cell shows by its lines, which are rows of the table. A sum at the end of a file
whose first column is text is read as a row.

Most texts have no line end, which their least byte says: 0.02 ms for 2 MB, where a regular expression took 11 ms (one
core of an AMD EPYC, 2026-11-30).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.formats import counted
from crossnet.components.sources.csv_header import read_header
from crossnet.components.sources.csv_hints import SUMS
from crossnet.components.sources.csv_plain import all_bytes
from crossnet.components.sources.doubts import Doubt, toml_text
from crossnet.serving.protocol.cell_values import number_regex
from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.printable import shown

if TYPE_CHECKING:
    from crossnet.components.sources.csv import CsvSource

NO_QUOTES = 'quote = ""'
_NUMBERS = ("FLOAT", "MIXED", "INT", "WHOLE")  # kinds
_LINE_ENDS = np.frombuffer(b"\r\n", np.uint8)
_LAST = 3  # rows of a batch, among which a sum is looked for
_MAX_CELLS = 1000  # of several lines, that are looked at in a batch


def odd_rows(source: CsvSource, unit: int, first_row: int, arrays: Mapping[str, pa.Array]) -> tuple[Doubt, ...]:
    """Returns the doubt about a batch's rows, as `lost_rows` does or about a sum as its last one; none without such."""
    return lost_rows(source, unit, first_row, arrays) or _last_sum(source, unit, first_row, arrays)


def _last_sum(source: CsvSource, unit: int, first_row: int, arrays: Mapping[str, pa.Array]) -> tuple[Doubt, ...]:
    name = next(iter(source.named.names), "")
    array = arrays.get(f"cell {name}", arrays.get(name))
    if array is None or not len(array) or not (pa.types.is_string(array.type) or pa.types.is_binary(array.type)):
        return ()
    cells = array.slice(max(len(array) - _LAST, 0)).cast(pa.binary()).to_pylist()
    for row, cell in enumerate(cells, len(array) - len(cells)):
        text = "" if cell is None else cell.decode(errors="replace")
        word = (text.split() or [""])[0]
        if word.strip(":").lower() in SUMS and pc.sum(pc.equal(array, array[row])).as_py() == 1:
            place = source.place(unit, first_row + row).replace("`", "")
            others = source.csv_format.comments
            begins = ", ".join(map(toml_text, (*others, word)))
            setting = f"comment = [{begins}]" if others else f"comment = {begins}"
            return (Doubt(name, f"holds '{shown(text)}' at the end ({place}): is that row a sum?", setting),)
    return ()


def lost_rows(source: CsvSource, unit: int, first_row: int, arrays: Mapping[str, pa.Array]) -> tuple[Doubt, ...]:
    """Returns the doubt about the first cell of a batch whose lines are rows; none where there is none.

    Args:
      source: Where the batch is from.
      unit, first_row: The batch's file and first row.
      arrays: Its cells and values by source name; a name may follow `cell `.
    """
    layout = source.layouts[unit]
    texts = {name: array for name, array in arrays.items() if layout.quoted and _has_line_ends(array)}
    if not texts:
        return ()
    columns = read_header(source.files[unit], layout.csv_format)
    numeric = {name for name, kind in source.kinds.items() if kind in _NUMBERS} | {source.named.label}
    for name, array in texts.items():
        column = name.removeprefix("cell ")
        if column not in columns:  # the key of the split, which is another array too
            continue
        several = pc.indices_nonzero(pc.match_substring_regex(array.cast(pa.binary()), r"[\r\n]"))
        for row in several.slice(0, _MAX_CELLS).to_pylist():
            text = array[row].as_py()
            text = text.decode(errors="replace") if isinstance(text, bytes) else text
            if count := _rows_in(text, columns.index(column), columns, numeric, layout.csv_format):
                place = source.place(unit, first_row + row).replace("`", "")
                said = f"holds a cell with {counted(count, 'line')} that {'seem' if count > 1 else 'seems'} to be"
                said = f"{said} {'rows' if count > 1 else 'a row'} ({place}): is a quote left open there?"
                return (Doubt(column, said, NO_QUOTES),)
    return ()


def _has_line_ends(array: pa.Array) -> bool:
    if not (pa.types.is_string(array.type) or pa.types.is_binary(array.type)) or not len(array):
        return False
    data = all_bytes(array)
    if not len(data) or data.min() > _LINE_ENDS.max():  # said of most texts
        return False
    return bool(np.isin(data, _LINE_ENDS).any())


def _rows_in(text: str, index: int, columns: Sequence[str], numeric: Collection[str], csv_format: CsvFormat) -> int:
    """Returns how many lines of a cell are rows: the first one by the columns that follow the cell's."""
    first, *inner = text.splitlines()[:-1] or [""]
    found = _is_row(first, ["", *columns[index + 1 :]], numeric, csv_format)
    return found + sum(_is_row(line, columns, numeric, csv_format) for line in inner)


def _is_row(line: str, columns: Sequence[str], numeric: Collection[str], csv_format: CsvFormat) -> bool:
    """Returns whether a line has a cell for each column, and numbers where those are numbers."""
    cells = line.split(csv_format.delimiter)
    if len(cells) != len(columns):
        return False
    pattern = number_regex(csv_format.decimal, csv_format.thousands)
    found = False
    for cell, name in zip(cells, columns, strict=True):
        if name in numeric and cell not in csv_format.null_values:
            if not re.fullmatch(pattern, cell, re.ASCII):  # blanks around it are those of prose
                return False
            found = True
    return found
