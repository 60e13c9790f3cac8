"""Says what to do about values that do not fit a model."""

from __future__ import annotations

import re

from crossnet.serving.protocol.cell_values import read_time
from crossnet.serving.protocol.csv_format import DEFAULT
from crossnet.serving.rows.csv import CsvReader
from crossnet.serving.rows.tables import TableReader

# In a problem that `input_checks` words; a number that is too large for its type stays text, too.
_PLAIN_NUMBER = r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?(?:\1|\.\.\.)"
_EXPECTED = "(?:u?int|float|double|half|bfloat)"
_TEXT_FOR_NUMBER = re.compile(rf"` holds (['\"])(?!{_PLAIN_NUMBER}).* expected {_EXPECTED}", re.ASCII)
_HELD = re.compile(r"` holds '([^']*)' at ")


def advice_on_values(problem: str, table: object) -> str:
    """Returns what to do about text that is not a number, as sentences after a blank; "" where none is the problem.

    Args:
      problem: What is wrong, in the words of `input_checks`.
      table: The reader of the rows.
    """
    if not _TEXT_FOR_NUMBER.search(problem):
        return ""
    held = _HELD.search(problem)
    if held and read_time(held[1]) is not None:
        return " In training, the column had numbers, and not dates or times. Fix the value, or name the right column."
    if isinstance(table, TableReader):
        return " Fix the value; a date is a date, a time or text such as 2026-11-23."
    if not isinstance(table, CsvReader):
        return ""
    if table.csv_format != DEFAULT:
        return " Fix the cell."
    return (
        " Fix the cell, or say how dates, numbers and missing values are written: `--config` with the config that "
        "the model was trained by, or options such as `--date-format`."
    )
