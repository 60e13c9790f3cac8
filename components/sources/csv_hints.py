"""Names the setting that reads a cell which is not a number."""

from __future__ import annotations

import re

from crossnet.components.sources.doubts import toml_text
from crossnet.serving.protocol.cell_values import number_regex, read_date, read_number
from crossnet.serving.protocol.csv_format import CsvFormat

NULL_WORDS = frozenset(("na", "n/a", "#n/a", "null", "none", "nil", "nan", "-", "--", "?", ".", "missing", "unknown"))
_DAYS = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%d %b %Y", "%b %d, %Y", "%d-%b-%Y")
_DATE_FORMS = tuple(day + time for day in _DAYS for time in ("", " %H:%M", " %H:%M:%S"))
# Each of these forms begins with a number or a month, and has a year and another number. To try them all takes a
# hundred times as long as to look for that.
_DATE_START = re.compile(r"\d|[^\W\d_]+\.?\s+\d")
_DATE_NUMBERS = re.compile(r"\d{4}\D+\d|\d\D+\d{4}")
_MARKS = (",", ".", " ", "\u00a0", "\u202f", "'")


def setting_for(cell: str, column: str, csv_format: CsvFormat | None = None) -> str:
    """Returns the line of [example_gen] that reads a cell of a column of numbers or dates; "" where none does.

    Args:
      cell: A cell that is not a number in the format.
      column: The column, as the source names it.
      csv_format: The format in use, whose words the line keeps.
    """
    text = cell.strip()
    if text.lower().lstrip("+-") == "nan":
        return 'nan = "missing"'
    if text.lower() in NULL_WORDS:
        words = [*(csv_format.null_values if csv_format else ("",)), text]
        return f"null_values = [{', '.join(map(toml_text, dict.fromkeys(words)))}]"
    if read_number(text) is None:
        for mark in _MARKS:
            decimal = "," if mark == "." else "."
            if mark in text and re.fullmatch(number_regex(decimal, mark), text, re.ASCII):
                return f"thousands = {toml_text(mark)}" + (' and decimal = ","' if mark == "." else "")
        if re.fullmatch(number_regex(",", ""), text, re.ASCII):
            return 'decimal = ","'
    if not (_DATE_START.match(text) and _DATE_NUMBERS.search(text)):
        return ""
    for form in _DATE_FORMS:
        if read_date(text, form) is not None:
            return f"date_format = {{ {toml_text(column)} = {toml_text(form)} }}"
    return ""
