"""Finds the format of dates that are not ISO 8601."""

from __future__ import annotations

import re
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

_CLOCK = re.compile(r"(?P<join>[T ])(\d{1,2}):\d\d(?P<seconds>:\d\d)?(?P<half> ?[AaPp][Mm])?", re.ASCII)
_NUMBERS = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})", re.ASCII)
_NAMED = (
    (re.compile(r"\d{1,2}([- ])[A-Za-z]{3,9}\1(\d{4}|\d\d)", re.ASCII), "%d{0}%b{0}%Y"),
    (re.compile(r"[A-Za-z]{3,9} \d{1,2}(,?) \d{4}", re.ASCII), "%b %d{0} %Y"),
)
_PARTS = {
    "%Y": r"\d{4}",
    "%y": r"\d\d",
    "%m": r"\d{1,2}",
    "%d": r"\d{1,2}",
    "%b": r"[A-Za-z]{3}[a-z]*",
    "%H": r"\d{1,2}",
    "%I": r"\d{1,2}",
    "%M": r"\d\d",
    "%S": r"\d\d",
    "%p": r"[AaPp][Mm]",
}


def date_formats(text: str) -> tuple[str, ...]:
    """Returns the formats (of strptime) that a cell may have, the likeliest first; none where it is not a date.

    A date that already is ISO 8601 has none. `1/2/2026` has two: the month may come first, as in the United States,
    or the day.
    """
    date = re.match(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}[- ][A-Za-z]+[- ]\d+|[A-Za-z]+ \d{1,2},? \d{4}", text)
    if not date:
        return ()
    clock = _clock_format(text[date.end() :])
    if clock is None:
        return ()
    return tuple(form + clock for form in _day_formats(date[0]))


def _day_formats(date: str) -> list[str]:
    for pattern, form in _NAMED:
        if named := pattern.fullmatch(date):
            form = form.format(named[1]) if "{" in form else form
            return [form if re.search(r"\d{4}$", date) else form.replace("%Y", "%y")]
    numbers = _NUMBERS.fullmatch(date)
    if not numbers:
        return []
    first, mark, second, third = numbers.groups()
    if len(first) == 4:
        return [] if mark == "-" and len(second) == len(third) == 2 else _if_valid(f"%Y{mark}%m{mark}%d", second, third)
    if len(first) > 2 or len(third) not in (2, 4):
        return []
    year = "%Y" if len(third) == 4 else "%y"
    day_first = _if_valid(f"%d{mark}%m{mark}{year}", second, first)
    month_first = _if_valid(f"%m{mark}%d{mark}{year}", first, second)
    return [*month_first, *day_first] if mark == "/" else [*day_first, *month_first]


def _if_valid(form: str, month: str, day: str) -> list[str]:
    return [form] if 1 <= int(month) <= 12 and 1 <= int(day) <= 31 else []


def _clock_format(text: str) -> str | None:
    if not text:
        return ""
    clock = _CLOCK.fullmatch(text)
    if not clock:
        return None
    half = clock["half"] or ""
    hours = "%I" if half else "%H"
    blank = " " if half.startswith(" ") else ""
    return f"{clock['join']}{hours}:%M{':%S' if clock['seconds'] else ''}{f'{blank}%p' if half else ''}"


@cache
def pattern_of(form: str) -> str:
    """Returns the regular expression of RE2 that cells of a format match."""
    return "^" + re.sub(r"%[A-Za-z]|[^%]", lambda part: _PARTS.get(part[0]) or re.escape(part[0]), form) + "$"


def reads_all(form: str, texts: pa.Array) -> pa.Array:
    """Returns for each text whether the format reads it, bool (texts,)."""
    return pc.is_valid(parse_dates(form, texts))


def parse_dates(form: str, texts: pa.Array) -> pa.Array:
    """Returns the moments of texts as Unix seconds, null where the format does not read one, int64 (texts,)."""
    like = pc.match_substring_regex(texts, pattern_of(form))
    moments = pc.strptime(pc.if_else(like, texts, None), format=form, unit="s", error_is_null=True)
    return moments.cast(pa.int64())
