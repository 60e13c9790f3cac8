"""Reads a cell as a number, a truth value or a time.

ExampleGen and `predict` share these rules, so that a cell means the same in training and in a request. The empty cell
is missing, and where a number, a truth value or a time is expected, each of `CsvFormat.null_values`. Blanks around such
a cell are left out; in text they count.
"""

from __future__ import annotations

import datetime
import re
from functools import cache

from crossnet.serving.protocol.csv_format import CsvFormat

MISSING = ""

TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_TRUTHS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)
# What a column named in `boolean` may hold beside these, in any case.
_MORE_TRUTHS = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True)
_MORE_TRUTHS |= dict.fromkeys(("false", "f", "no", "n", "off", "0"), False)
_NAN = re.compile(r"[+-]?nan", re.IGNORECASE | re.ASCII)

_POINTED = r"[0-9]*\.([0-9]{1,2}|[0-9]{4,})|0*\.[0-9]{3}|[0-9]{4,}\.[0-9]{3}"

_HOUR, _MINUTE = r"([01]\d|2[0-3])", r"[0-5]\d"
_ZONE = rf"( ?(Z|UTC|GMT|[+-]{_HOUR}(:?{_MINUTE})?))"
# Not all of ISO 8601: these forms are read by each version of Python and, mostly, by Arrow.
_CLOCK = rf"{_HOUR}(:{_MINUTE}(:{_MINUTE}(\.(?P<fraction>\d+))?)?)?"
TIME_REGEX = rf"(\d{{4}}-\d\d-\d\d)([T ]{_CLOCK}(?P<zone>{_ZONE})?)?"  # for `re` and for RE2
ZONED_REGEX = rf"[T ]{_CLOCK}{_ZONE}$"  # the end of a time with a zone
_TIME = re.compile(TIME_REGEX, re.ASCII)
TIME_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # in a second
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def is_hole(cell: str, csv_format: CsvFormat) -> bool:
    """Returns whether a cell is missing where a number, a truth value or a time is expected: also one of blanks."""
    text = cell.strip()
    if not text or text in csv_format.null_values:
        return True
    return csv_format.nan == "missing" and _NAN.fullmatch(text) is not None


@cache
def _number_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    return re.compile(number_regex(decimal, thousands), re.ASCII)


def number_regex(decimal: str, thousands: str) -> str:
    """Returns the regular expression, for `re` and for RE2, of a number with these marks.

    Groups between thousands have three digits, as in 1,234,567, or two before the last, as in 12,34,567. Where the
    decimal mark is a comma, a number with a point is read too, unless it may be thousands: 0.5 and 0.125, not 1.250;
    where it is either of both, that too.
    """
    point, digits = f"[{re.escape(decimal)}]" if len(decimal) > 1 else re.escape(decimal), "[0-9]+"
    if thousands:
        mark = re.escape(thousands)
        digits = f"([0-9]{{1,3}}({mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}|[0-9]+)"
    pointed = rf"|{_POINTED}" if "." not in decimal + thousands else ""
    return rf"[+-]?({digits}({point}[0-9]*)?|{point}[0-9]+{pointed})([eE][+-]?[0-9]+)?"


def plain_number(cell: str, csv_format: CsvFormat) -> str | None:
    """Returns a number as `read_number` and Arrow take it, with a point and without thousands; None for other text."""
    text = cell.strip()
    if csv_format.has_plain_numbers:
        return text
    if not _number_pattern(csv_format.decimal, csv_format.thousands).fullmatch(text):
        return text if read_number(text) is not None and not any(map(str.isdigit, text)) else None  # inf, nan
    if csv_format.thousands:
        text = text.replace(csv_format.thousands, "")
    return text.replace(csv_format.decimal[0], ".")


def read_number(cell: str) -> float | None:
    """Returns the number in a cell such as `1`, ` -2.5`, `+1e3`, `inf` or `nan`; None for `1_000`, `1,5` or `0x10`."""
    text = cell.strip()
    if "_" in text or not text.isascii():  # Python reads `1_000` and the digits of other scripts
        return None
    try:
        return float(text)
    except ValueError:
        return None


def read_truth(cell: str) -> bool | None:
    """Returns the truth value that a cell names, or None."""
    return _TRUTHS.get(cell.strip())


def read_boolean(cell: str) -> bool | None:
    """Returns the truth value of a cell of a column named in `boolean`: also yes, no, Y, N, t, f, 1, 0; or None."""
    return _MORE_TRUTHS.get(cell.strip().lower())


def read_date(cell: str, form: str, unit: str = "s") -> int | None:
    """Returns a time in a form of `strptime` as `read_time` does one in ISO 8601, or None."""
    try:
        moment = datetime.datetime.strptime(cell.strip(), form)
    except ValueError:
        return None
    return _since_epoch(moment, unit)


def read_time(cell: str, unit: str = "s") -> int | None:
    """Returns a date or time such as `2026-11-23` or `2026-11-23T08:45:00.5+01:00` as a number since 1970, or None.

    A cell that names no zone is in UTC. What is finer than the unit is dropped: the result is the second, or other
    unit, that has begun.

    Args:
      cell: The text.
      unit: One of `TIME_UNITS`.
    """
    text = cell.strip()
    match = _TIME.fullmatch(text)
    if not match:
        return None
    if match["zone"]:
        zone = match["zone"].strip()
        text = text[: match.start("zone")] + ("Z" if zone in ("UTC", "GMT") else zone)
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:  # the 30th of February
        return None
    finer = (match["fraction"] or "")[6:9]  # than a microsecond, which Python drops
    return _since_epoch(moment, unit, int(finer.ljust(3, "0")) if finer else 0)


def _since_epoch(moment: datetime.datetime, unit: str, nanoseconds: int = 0) -> int:
    """Returns the whole units from 1970 to a moment and so many nanoseconds; one that names no zone is in UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    microseconds = (moment - _EPOCH) // datetime.timedelta(microseconds=1)
    return (microseconds * 1000 + nanoseconds) * TIME_UNITS[unit] // 10**9
