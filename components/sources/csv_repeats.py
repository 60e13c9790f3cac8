"""Finds the header of a CSV file again among its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.sources.doubts import Doubt
from crossnet.components.sources.naming import NamedColumns

if TYPE_CHECKING:
    from crossnet.components.sources.csv import CsvSource

_AROUND = b" \t\r\n\xef\xbb\xbf"  # a cell of a header: blanks, and the mark with which a file begins


def beside(named: NamedColumns, names: Sequence[str]) -> list[str]:
    """Returns the columns to read so that a header among the rows of some shows: the label, and one beside it."""
    others = [name for name in named.names if name != named.label][: set(names) <= {named.label}]
    return list(dict.fromkeys([*names, named.label, *others]))


def header_rows(cells: Mapping[str, pa.Array], label: str) -> list[int]:
    """Returns the rows of which each cell is the name of its column, in capitals or not.

    None is where the label is the only column.

    Args:
      cells: Of some columns in bytes, null where empty, by source name.
      label: The source name of the label; that of a row is a number, so such a row is not one.
    """
    array = cells.get(label)
    if array is None or len(cells) < 2 or not len(array):
        return []
    rows = np.flatnonzero(_may_be(array, label.strip()).fill_null(False).to_numpy(zero_copy_only=False))
    for name in (label, *(name for name in cells if name != label)):
        if not len(rows):
            break
        those = cells[name].take(pa.array(rows)).cast(pa.binary()).to_pylist()
        rows = rows[[_folded((cell or b"").strip(_AROUND)) == _folded(name.strip().encode()) for cell in those]]
    return [int(row) for row in rows]


def _may_be(array: pa.Array, name: str) -> pa.Array:
    """Returns which cells hold a name, in the capitals that a header usually has; all that are not empty for ""."""
    if not name:
        return array.is_valid()
    cells, found = array.cast(pa.binary()), None
    for form in dict.fromkeys((name, name.lower(), name.upper(), name.capitalize(), name.title())):
        held = pc.match_substring(cells, form)  # which takes a part of the time that ignoring capitals takes
        found = held if found is None else pc.or_(found, held)
    return found


def _folded(cell: bytes) -> str:
    return cell.decode("utf-8", "surrogateescape").casefold()


def without_headers(
    cells: Mapping[str, pa.Array], label: str, first_row: int, repeats: list[int] | None = None
) -> dict[str, pa.Array]:
    """Returns cells that are null in each row that is a header, so that it is left out as a row without a label.

    Args:
      cells, label: As `header_rows` takes them.
      first_row: The number of the first row in its file.
      repeats: Gets the numbers of these rows.
    """
    rows = header_rows(cells, label)
    if not rows:
        return dict(cells)
    if repeats is not None:
        repeats += [first_row + row for row in rows]
    mask = np.zeros(len(cells[label]), bool)
    mask[rows] = True
    return {name: pc.if_else(pa.array(mask), pa.scalar(None, array.type), array) for name, array in cells.items()}


def repeat_doubts(source: CsvSource, unit: int, repeats: list[int]) -> tuple[Doubt, ...]:
    """Returns the doubt about the first row of a file that is its header again; none where there is none."""
    if not repeats:
        return ()
    place = source.place(unit, repeats[0]).replace("`", "")
    said = f"holds its own name where the header stands again among the rows (first: {place}): they are left out"
    return (Doubt(source.named.label, said, 'unlabelled = "error"'),)
