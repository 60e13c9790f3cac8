"""Finds the forms of strptime that a date may have."""

from __future__ import annotations

import calendar
import re

from crossnet.serving.protocol.cell_values import read_date, read_time

MONTHS, SHORT_MONTHS = tuple(calendar.month_name)[1:], tuple(calendar.month_abbr)[1:]
_MONTH, _DAYS = "|".join((*MONTHS, *SHORT_MONTHS)), "|".join((*calendar.day_name, *calendar.day_abbr))
_MAX_CHARACTERS = 60
_YEAR = r"(?:19|20)\d\d"  # of a month alone, which may be two other numbers
_DATE = re.compile(
    rf"(?P<week>(?:{_DAYS}),? )?(?:"
    r"(?P<a>\d{1,4})(?P<s>[-/. ]|\. )(?P<b>\d{1,2})(?P=s)(?P<c>\d{1,4})"
    rf"|(?P<day>\d{{1,2}})(?P<t>[- /.]|\. |)(?P<name>{_MONTH})(?P=t)(?P<year>\d{{4}}|\d\d)"
    rf"|(?P<first>{_MONTH})(?P<between>\.?) +\d{{1,2}}(?P<comma>,?) (?P<last>\d{{4}})"
    rf"|{_YEAR}(?P<u>[-/])\d{{1,2}}|\d{{1,2}}(?P<v>[-/]){_YEAR}"
    rf"|(?P<only>{_MONTH})(?: \d{{4}}|(?P<w>-)(?P<of>\d{{4}}|\d\d))"
    r"|(?P<kanji>\d{4}年\d{1,2}月\d{1,2}日)"
    r"|(?P<compact>\d{8}T\d{6}))",
    re.ASCII | re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?P<join>[T:]| +)\d{1,2}(?P<sign>[:.h])\d\d(?P<second>(?P=sign)\d\d((?P<mark>[.,])\d{1,6})?)?"
    r"(?P<half> ?[ap]m)?(?P<zone>.*)",
    re.ASCII | re.IGNORECASE,
)
_ZONE = re.compile(r"(?P<blank> ?)(?P<name>Z|UTC|GMT|[+-]\d\d:?\d\d)?", re.ASCII)
_C_TIME = re.compile(rf"(?:{_DAYS}) (?:{_MONTH}) +\d{{1,2}} \d\d:\d\d:\d\d \d{{4}}", re.IGNORECASE)


def date_forms(text: str) -> tuple[str, ...]:
    """Returns the forms (of strptime) that read a date, the likeliest first; none where it is not one.

    A date that is read as ISO 8601 has none. `1/2/2026` has two: the month may come first, as in the United States, or
    the day; and `May 2, 2026` has two, as May is its own short name.
    """
    if len(text) > _MAX_CHARACTERS or not any(map(str.isdigit, text)) or read_time(text) is not None:
        return ()
    if _C_TIME.fullmatch(text):
        return _that_read(text, ["%a %b %d %H:%M:%S %Y"])
    date = _DATE.match(text)
    rest = text[date.end() :] if date else ""
    if not date or (clock := _clock_form(rest, compact=bool(date["compact"]))) is None:
        return ()
    week = ""
    if date["week"]:
        name = date["week"].rstrip(" ,")
        week = ("%A" if name.capitalize() in calendar.day_name else "%a") + date["week"][len(name) :]
    return _that_read(text, [week + day + clock for day in _day_forms(date)])


def _that_read(text: str, forms: list[str]) -> tuple[str, ...]:
    return tuple(form for form in dict.fromkeys(forms) if read_date(text, form) is not None)


def _day_forms(date: re.Match[str]) -> list[str]:
    if date["a"]:
        return _forms_of_numbers(date["a"], date["s"], date["c"])
    if date["name"]:
        year = "%Y" if len(date["year"]) == 4 else "%y"
        return [f"%d{date['t']}{month}{date['t']}{year}" for month in _month_forms(date["name"])]
    if date["first"]:
        return [f"{month}{date['between']} %d{date['comma']} %Y" for month in _month_forms(date["first"])]
    if date["only"]:
        year = "%y" if date["of"] and len(date["of"]) == 2 else "%Y"
        return [f"{month}{date['w'] or ' '}{year}" for month in _month_forms(date["only"])]
    if date["kanji"]:
        return ["%Y年%m月%d日"]
    if date["compact"]:
        return ["%Y%m%dT%H%M%S"]
    return [f"%Y{date['u']}%m"] if date["u"] else [f"%m{date['v']}%Y"]


def _forms_of_numbers(first: str, mark: str, last: str) -> list[str]:
    if len(first) == 4:
        return [f"%Y{mark}%m{mark}%d"]
    if len(first) > 2 or len(last) not in (2, 4) or (mark == " " and len(last) == 2):
        return []
    year = "%Y" if len(last) == 4 else "%y"
    month_first, day_first = f"%m{mark}%d{mark}{year}", f"%d{mark}%m{mark}{year}"
    forms = [month_first, day_first] if mark == "/" else [day_first, month_first]
    return forms if year == "%Y" else [*forms, f"%y{mark}%m{mark}%d"]


def _month_forms(name: str) -> list[str]:
    short, long = name.capitalize() in SHORT_MONTHS, name.capitalize() in MONTHS
    return ["%b"] * short + ["%B"] * long


def _clock_form(text: str, *, compact: bool) -> str | None:
    """Returns the form of what follows a day: "" for nothing, None for what is not a time."""
    if compact:
        return _zone_form(text)
    if not text:
        return ""
    clock = _CLOCK.fullmatch(text)
    zone = _zone_form(clock["zone"]) if clock else None
    if not clock or zone is None:
        return None
    half = clock["half"] or ""
    sign = clock["sign"]  # a point in Oracle's times, an h in French ones
    second = f"{sign}%S{clock['mark'] + '%f' if clock['mark'] else ''}" if clock["second"] else ""
    blank = " " if half.startswith(" ") else ""
    join = clock["join"].strip() or " "
    return f"{join}{'%I' if half else '%H'}{sign}%M{second}{f'{blank}%p' if half else ''}{zone}"


def _zone_form(text: str) -> str | None:
    zone = _ZONE.fullmatch(text)
    if not zone or (zone["blank"] and not zone["name"]):
        return None
    if not zone["name"]:
        return ""
    return zone["blank"] + (zone["name"] if zone["name"].isalpha() else "%z")
