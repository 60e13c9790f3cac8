"""Writes tables of results in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], words: Sequence[int] = (0,)) -> str:
    """Returns a table, each row on a line of its own.

    Args:
      headings: Of the columns.
      rows: A cell for each column; None is an empty one.
      words: Columns of text, which begin at the left; the others end at the right, as numbers do.
    """
    marks = ["---" if i in words else "---:" for i in range(len(headings))]
    return "".join(f"| {' | '.join(map(_cell, cells))} |\n" for cells in (headings, marks, *rows))


def met_word(met: bool | None) -> str:
    """Returns whether a goal was met, as a cell; None: there was none."""
    return {True: "yes", False: "**NO**", None: ""}[met]


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
