"""Says what is wrong with a cell that its column cannot hold."""

from __future__ import annotations

from crossnet.components.errors import DataError
from crossnet.components.sources.csv_cells import EXPECTED, TIMES, BadCellError
from crossnet.components.sources.csv_header import not_in_utf8
from crossnet.components.sources.csv_hints import comment_for, setting_for
from crossnet.components.sources.naming import NamedColumns
from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.printable import shown


def refused_cell(
    error: BadCellError, source: str, kind: str, named: NamedColumns, csv_format: CsvFormat, place: str, row: int
) -> DataError:
    """Returns the error for a cell.

    Args:
      error: Which cell it is.
      source, kind: Its column, as the source names it, and how that is read.
      named, csv_format: Of its source.
      place, row: Its file and line, and the number of its row.
    """
    if problem := not_in_utf8(error.cell):
        return DataError(f"{place}: `{source}` is {problem}")
    cell = error.cell.decode()
    hint = setting_for(cell, source, csv_format)
    hint = "" if kind in TIMES and hint.startswith("date_format") else hint  # which all cells would need
    begins_lines = source == next(iter(named.names)) and not (named.weight and source == named.weight)
    hint = hint or (comment_for(cell, row) if begins_lines else "")
    remedy = named.remedy(source, f"Fix the cell{f', or set `example_gen.{hint}`' if hint else ''}")
    return DataError(f"{place}: `{source}` is '{shown(cell)}', expected {EXPECTED[kind]}. {remedy}")
