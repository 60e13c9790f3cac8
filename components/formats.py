"""Writes numbers, counts and tables of text for people.

Screens, reports and the gate's sentences take their numbers from here, so that a value reads the same in all of them.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Collection, Sequence

MISSING = "-"
TIME_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # of a second

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MAX_DIGITS = 17  # of a float64: more do not tell two of them apart
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 3, *, unlike: float = math.nan) -> str:
    """Returns a number in few digits: `0.689`, `7.3e-6`, `90,000`, `NaN`, `∞`; None is `-`.

    Args:
      value: None where there is no such number.
      digits: Significant digits. Those before the point are always shown below a thousand million.
      unlike: A number that is shown beside it: more digits are shown where these tell `value` from it.
    """
    text = _number(value, digits)
    while digits < _MAX_DIGITS and value != unlike and text == _number(unlike, digits):
        digits += 1
        text = _number(value, digits)
    return text


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "-∞" if value < 0 else "∞"
    text = f"{value:,.{digits}g}"
    if (float(value).is_integer() and abs(value) < 1e15) or ("e" in text and 1 <= abs(value) < 1e9):
        return f"{value:,.0f}"
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else text


def percent(share: float) -> str:
    """Returns a share as `4.2 %`."""
    return f"{number(100 * share)} %"


def moment(value: float, unit: str) -> str:
    """Returns a time since 1970 as a date and, unless it is midnight, a time of the day, in UTC; else the number.

    Years before 1 and after 9999 have no date.
    """
    per_second = TIME_UNITS[unit]
    try:
        found = _EPOCH + datetime.timedelta(microseconds=round(value * 10**6 / per_second))
    except OverflowError:
        return number(value, 10)
    if (found.hour, found.minute, found.second, found.microsecond) == (0, 0, 0, 0):
        return found.strftime("%Y-%m-%d") if found.year >= 1000 else found.date().isoformat()
    return found.replace(microsecond=0, tzinfo=None).isoformat(sep=" ")


def duration(seconds: float) -> str:
    """Returns a duration as `1.5 s`."""
    return f"{seconds:,.1f} s"


def counted(count: int, one: str, many: str = "") -> str:
    """Returns a count with its noun: `1 row`, `2,000 rows`.

    Args:
      count: How many.
      one: The noun's singular.
      many: Its plural; empty: `one` with an "s".
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def superscript(exponent: int) -> str:
    """Returns an exponent as print has it: `⁻⁶`."""
    return str(exponent).translate(_SUPERSCRIPTS)


def product(factors: Sequence[str]) -> str:
    """Returns a product of names, equal ones as a power: `x0²·x1`; empty without factors."""
    powers = {name: factors.count(name) for name in factors}
    return "·".join(name if count == 1 else name + superscript(count) for name, count in powers.items())


def aligned(rows: Sequence[Sequence[str]], *, left: Collection[int] = (0,)) -> list[str]:
    """Returns the rows of a table as indented lines of text with aligned columns.

    Args:
      rows: Cells, as many in every row.
      left: Columns aligned to the left; the others are aligned to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return lines
