"""Names the setting that reads a cell which is not a number."""

from __future__ import annotations

import re

from crossnet.components.sources.date_forms import date_forms
from crossnet.components.sources.doubts import toml_text
from crossnet.serving.protocol.cell_values import number_regex, read_number
from crossnet.serving.protocol.csv_format import CsvFormat

NULL_WORDS = frozenset(("na", "n/a", "#n/a", "null", "none", "nil", "nan", "-", "--", "?", ".", "missing", "unknown"))
NULL_WORDS |= {"nat", "<na>", "\\n", "#ref!", "#value!", "#div/0!", "#name?", "#null!", "#num!", "0000-00-00"}
NULL_WORDS |= {"n.a.", "(null)", "(blank)", "not available", "..", "...", "\u2013", "\u2014"}  # the dashes of print
NULL_WORDS |= {"1.#qnan", "-1.#qnan", "1.#ind", "-1.#ind", "#nan", "#missing", "\u2212"}  # of C on Windows; a minus
_MAX_SIGNS = 4  # of a cell that says nothing, such as ***
SIGNS_ADVICE = "They look like numbers with signs that no setting reads: write the numbers alone."
_MAX_CHARACTERS = 40  # of a cell that is looked at for signs and dates
# Numbers with what no setting reads: signs of money and units, brackets for a minus, the digits of other scripts.
_SIGNS = "[€$£¥₹<>~≈=\"'`(\\s\\u2212\\u2013+-]*"
_MONEY = r"(?:usd|eur|gbp|chf|inr|jpy|us|[rca](?=\$)|rs\.?|kr\.?)?"
_UNITS = (
    "[kmcµ]?m|[km]?g|lbs?|oz|ft|in|mi|mph|km/h|ml|l|h|hrs?|min|secs?|s|ms|days?|years?|yrs?|[kmg]?wh?|[kmgt]i?b|hp|cc"
    r"|k|mn|mio|bn?|usd|eur|gbp|chf|inr|jpy|kr|zł|°?[cf]|°|%|‰|[€$£¥₹]|d[+-]?\d+"
)
_MARKED = re.compile(
    rf"{_SIGNS}{_MONEY}{_SIGNS}\d[\d.,'\s\u00a0\u202f]*(?:e[+-]?\d+)?(?:{_UNITS})?[\"'`)\s-]*|0x[0-9a-f]+"
    r"|[+-]?\d+ \d+/\d+|[+-]?\d* ?[\u00bc-\u00be\u2150-\u215e]",
    re.IGNORECASE,
)
_PARTS = re.compile(r"\d+(\.\d+){2,}")  # an address or a version
SUMS = ("total", "totals", "subtotal", "sum", "grand", "average", "mean", "summe", "gesamt")
FOOTERS = (*SUMS, "source", "note")
_MARKS = (",", ".", " ", "\u00a0", "\u202f", "'", "\u2019", "_")
_TIMED = re.compile(
    r"[+-]?(\d+ ?(d|days?),? ?)?\d{1,3}:\d\d(:\d\d([.,]\d+)?)?( ?[ap]m)?"
    r"|P(?=\d|T\d)(\d+(\.\d+)?[YMWD])*(T(\d+(\.\d+)?[HMS])+)?",
    re.IGNORECASE,
)
_NAMED_ZONE = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?"
    r"( ?([A-Z]{3,4}|[A-Z]\w+/\w+)|(Z|[+-]\d\d:?\d\d)?\[[\w/+-]+\])"
)

_END_OF_DAY = re.compile(
    r"\d{4}-\d\d-\d\d[T ](24:00(:00(\.0+)?)?|\d\d:\d\d:60(\.\d+)?) ?(Z|UTC|[+-]\d\d(:?\d\d)?)?", re.ASCII
)


def is_null_word(text: str) -> bool:
    """Returns whether a cell says in a word, or in signs alone such as # or **, that there is nothing."""
    return text.lower() in NULL_WORDS or (
        0 < len(text) <= _MAX_SIGNS and not any(map(str.isalnum, text)) and text.isascii() and text.isprintable()
    )


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
    if is_null_word(text):
        words = [*(csv_format.null_values if csv_format else ("",)), text]
        return f"null_values = [{', '.join(map(toml_text, dict.fromkeys(words)))}]"
    if csv_format and csv_format.decimal == "," and csv_format.thousands != "." and read_number(text) is not None:
        return 'decimal = ",."'
    if read_number(text) is None:
        for mark in _MARKS:
            decimal = "," if mark == "." else "."
            if mark in text and re.fullmatch(number_regex(decimal, mark), text, re.ASCII):
                return f"thousands = {toml_text(mark)}" + (' and decimal = ","' if mark == "." else "")
        if re.fullmatch(number_regex(",", ""), text, re.ASCII):
            return 'decimal = ","'
    for form in date_forms(text):
        return f"date_format = {{ {toml_text(column)} = {toml_text(form)} }}"
    return ""


def looks_marked(cell: str) -> bool:
    """Returns whether a cell seems to be a number with signs or units that no setting reads, such as $5 or 12 km."""
    text = cell.strip()
    if len(text) > _MAX_CHARACTERS or read_number(text) is not None or _PARTS.fullmatch(text):
        return False
    return _MARKED.fullmatch(text) is not None


def holds_number(cell: str) -> bool:
    """Returns whether a cell is a number beside a few signs, such as (7), 7* or one after an unseen character."""
    text = cell.strip()
    if len(text) > _MAX_CHARACTERS:
        return False
    bare = text.strip("".join(character for character in text if not character.isalnum()))
    return looks_marked(text) or (bare != text and re.fullmatch(r"\d+([.,]\d+)*", bare) is not None)


def unread_times(cell: str) -> str:
    """Returns what to say of a cell that seems to be a time which no setting reads; "" for another one."""
    text = cell.strip()
    if len(text) > _MAX_CHARACTERS:
        return ""
    if _TIMED.fullmatch(text):
        return "durations or times of day, which no setting reads (first: {}); write numbers, such as seconds"
    if _END_OF_DAY.fullmatch(text):
        return "times at 24:00 or in a leap second, which no setting reads (first: {}); write 00:00 of the next day"
    if _NAMED_ZONE.fullmatch(text):
        return "times with a zone's name, which no setting reads (first: {}); write its offset, such as +01:00"
    return ""


def comment_for(cell: str, row: int) -> str:
    """Returns the line of [example_gen] that leaves out a line which begins with a cell that is not a number.

    That is a sum or a note below the rows, or a line of units below the header; "" for another word.

    Args:
      cell: The first cell of the line.
      row: The number of the row in its file, from 0.
    """
    word = comment_word(cell, row)
    return f"comment = {toml_text(word)}" if word else ""


def comment_word(cell: str, row: int) -> str:
    """Returns what the line that `comment_for` leaves out begins with; "" for another line."""
    if cell.startswith("#"):
        return "#"
    word = re.match(r"[A-Za-z]+", cell)
    return "" if word is None or (row and word[0].lower() not in FOOTERS) else word[0]
