"""Tells what a cell looks like: a number, a date, nothing.

These are forms that occur in files, wider than those that training reads: `init` looks for the setting that makes the
one into the other.
"""

from __future__ import annotations

import re

from crossnet.components.sources.csv_hints import is_null_word

NAN_WORDS = frozenset(("nan", "+nan", "-nan"))  # which a run reads too

_EXPONENT = r"([eE][+-]?\d+)?"
PLAIN_NUMBER = re.compile(rf"[+-]?(\d+\.?\d*|\.\d+){_EXPONENT}|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
WHOLE_NUMBER = re.compile(r"[+-]?\d+", re.ASCII)
LEADING_ZERO = re.compile(r"[+-]?0\d+", re.ASCII)
# A comma before decimals, as in most of Europe: `0,5`, `1.234,5`.
COMMA_DECIMAL = re.compile(rf"[+-]?(\d*|\d{{1,3}}([.  ' ]\d{{3}})+),\d+{_EXPONENT}", re.ASCII)
# Three digits in each group: `1,234`, `1.234.567`, `1 234`, `1'234.5`. A no-break blank is a blank here.
GROUPED = {
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(,\d{2,3})*,\d{3}(\.\d*)?", re.ASCII),  # 12,34,567 in India
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?", re.ASCII),
    " ": re.compile(r"[+-]?[1-9]\d{0,2}([  ]\d{3})+([.,]\d*)?", re.ASCII),
    "\u00a0": re.compile("[+-]?[1-9]\\d{0,2}(\u00a0\\d{3})+([.,]\\d*)?", re.ASCII),
    "\u202f": re.compile("[+-]?[1-9]\\d{0,2}(\u202f\\d{3})+([.,]\\d*)?", re.ASCII),
    "'": re.compile(r"[+-]?[1-9]\d{0,2}('\d{3})+(\.\d*)?", re.ASCII),
    "\u2019": re.compile("[+-]?[1-9]\\d{0,2}(\u2019\\d{3})+(\\.\\d*)?", re.ASCII),
    "_": re.compile(r"[+-]?[1-9]\d{0,2}(_\d{3})+(\.\d*)?", re.ASCII),
}
_DATE = re.compile(
    r"(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4})"
    r"([T ]\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?( ?(Z|UTC|[+-]\d\d(:?\d\d)?))?)?",
    re.ASCII,
)
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?", re.ASCII)


def is_number(text: str) -> bool:
    """Returns whether a cell is a number in any usual form: `1`, `1.5`, `1,5`, `1.234,5`, `1 234`, `5 %`, `$5`."""
    bare = text.strip("$€£% ")
    return bool(
        PLAIN_NUMBER.fullmatch(bare)
        or COMMA_DECIMAL.fullmatch(bare)
        or any(form.fullmatch(bare) for form in GROUPED.values())
    )


def is_date(text: str) -> bool:
    """Returns whether a cell is a date or a time of a common form."""
    return bool(_DATE.fullmatch(text) or _CLOCK.fullmatch(text))


def is_typed(text: str) -> bool:
    """Returns whether a cell is empty, a number, a date or a word for nothing: not a name, nor words."""
    text = text.strip()
    return not text or is_number(text) or is_date(text) or is_null_word(text) or text.lower() in NAN_WORDS
