"""Tells a header from rows, and gives columns names of their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from crossnet.pipeline.init.cell_forms import is_date, is_number, is_typed


def distinct_names(names: Sequence[str]) -> list[str]:
    """Returns names of which none occurs twice: `a`, `a_2`, `a_3`."""
    taken, found, seen = set(names), [], Counter[str]()
    for name in names:
        seen[name] += 1
        unique, number = name, seen[name]
        while number > 1 and (unique := f"{name}_{number}") in taken:
            number += 1
        taken.add(unique)
        found.append(unique)
    return found


def _are_years(cells: Sequence[str]) -> bool:
    """Returns whether a row's numbers are years in their order, as in the header of a pivot table."""
    numbers = [cell.strip() for cell in cells if is_number(cell.strip())]
    return (
        len(numbers) > 1
        and all(re.fullmatch(r"(19|20)\d\d", cell) for cell in numbers)
        and numbers == sorted(set(numbers))
    )


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Returns whether the first row names the columns: it differs in form from the cells below.

    Where all cells are text, the first row is a header unless its cells recur below.
    """
    if len(rows) < 2:
        return not rows or not all(map(is_number, rows[0]))
    first, below = rows[0], rows[1:200]
    for_header = against = 0
    years = _are_years(first)
    texts = []
    for column, cell in enumerate(first):
        cells = [row[column].strip() for row in below if column < len(row) and row[column].strip()]
        if not cells:
            continue
        share = sum(is_number(text) or is_date(text) for text in cells) / len(cells)
        if share >= 0.9:
            typed = is_number(cell.strip()) or is_date(cell.strip())
            against += typed and not years
            for_header += not is_typed(cell)
        else:
            texts.append(cell.strip() in cells)
    if for_header or against:
        return for_header >= against
    return not (texts and sum(texts) > len(texts) / 2)
