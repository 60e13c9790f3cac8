"""Finds days and times that are written as whole numbers."""

from __future__ import annotations

import datetime
import re

import numpy as np

from crossnet.pipeline.init.findings import ColumnFinding, Proposal
from crossnet.pipeline.init.profile import ColumnProfile
from crossnet.pipeline.init.toml_lines import toml_line

_FORMS = {"%Y%m%d": 0, "%Y%m%d%H%M": 4, "%Y%m%d%H%M%S": 6}  # digits behind the day
_FIRST_DAY, _LAST_DAY = 19_000_101, 21_001_231
_SURE = 5  # different numbers: that all are days by chance has a probability of 1e-7
_WHOLE = ("INT", "FLOAT")  # kinds
_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_EPOCH = (631_152_000, 2_208_988_800)  # the seconds from 1970 to 1990, and to 2040
_TIME_NAME = re.compile(
    r"(?i:(^|_)(time|date|datetime|ts|at|on|created|updated|modified|start|end|pickup|dropoff)(_|$))"
    r"|(?i:timestamp|epoch|unix|datetime)|[a-z](Time|Date|At)$",
    re.ASCII,
)
_MIN_DAYTIMES, _MIN_HOURS, _MIN_MINUTES = 30, 8, 8  # different numbers, and their different hours and minutes


def compact_form(column: ColumnProfile) -> str:
    """Returns the form (of strptime) in which all whole numbers of a column are days or times; "" where none is."""
    for form, digits in _FORMS.items():
        low, high = _FIRST_DAY * 10**digits, (_LAST_DAY + 1) * 10**digits
        if low <= column.least <= column.most < high and column.sample.are_days(digits):
            return form
    return ""


def propose_compact(finding: ColumnFinding, column: ColumnProfile, proposal: Proposal, *, may: bool) -> None:
    """Proposes the form of a column, where it `may` have one, whose cells are all days or times such as 20260131."""
    forms = column.cells.forms
    if not may or forms["whole"] < column.cells.cells - forms["null"] or column.sample.distinct < _SURE:
        return
    if form := compact_form(column):
        what = "days" if form == "%Y%m%d" else "times"
        proposal.put("date_format", {finding.name: form}, f"{finding.name}: all are {what}, such as {column.least:.0f}")
        finding.decided = f"date, {form}"


def doubt_days(finding: ColumnFinding, column: ColumnProfile, kind: str, taken_back: str = "") -> None:
    """Adds the doubt about whole numbers that may be days, such as 20260131, or times.

    Args:
      finding: The column, to be filled.
      column: What its rows show.
      kind: How its cells are read.
      taken_back: What the line adds that undoes a proposal about the column.
    """
    if kind not in _WHOLE or column.sample.distinct < 2 or not (form := compact_form(column)):
        return
    said = f"each may be a {'day' if form == '%Y%m%d' else 'time'}, such as {column.least:.0f}"
    if column.cells.cells:
        finding.doubt(said, toml_line("date_format", {finding.name: form}) + taken_back)
    else:
        finding.doubt(f"{said}; write the column as dates to use it as such")


def epoch(finding: ColumnFinding, column: ColumnProfile) -> tuple[str, bool]:
    """Returns what whole numbers count since 1970, for a sentence, and whether the column's name says so; "" for none.

    Without such a name, they do only if they are sorted, and not the numbers of rows.
    """
    if not column.least < column.most:
        return "", False
    is_named = _TIME_NAME.search(finding.name) is not None
    for unit, size in _UNITS.items():
        if _EPOCH[0] * size <= column.least and column.most < _EPOCH[1] * size:
            if is_named or (column.order and column.most - column.least >= 2 * column.rows):
                moment = datetime.datetime.fromtimestamp(column.least / size, datetime.UTC)
                return f"{unit} since 1970, such as {column.least:.0f} ({moment:%Y-%m-%d %H:%M})", is_named
            return "", False
    return "", False


def doubt_daytimes(finding: ColumnFinding, column: ColumnProfile) -> None:
    """Adds the doubt about whole numbers that may be times of day hhmmss, such as 83000, which no setting reads."""
    numbers = column.sample.numbers
    if not 2400 < column.most < 240_000 or column.least < 0 or len(numbers) < _MIN_DAYTIMES:
        return
    hours, minutes, seconds = numbers // 10_000, numbers // 100 % 100, numbers % 100
    if not ((minutes < 60) & (seconds < 60) & (seconds == np.floor(seconds))).all():
        return
    if len(np.unique(hours)) >= _MIN_HOURS and len(np.unique(minutes)) >= _MIN_MINUTES:
        largest = f"{column.most:06.0f}"
        said = f"each may be a time of day, such as {column.most:.0f} for {largest[:2]}:{largest[2:4]}:{largest[4:]}"
        finding.doubt(f"{said}: as numbers, these are crooked; write hhmm, which `clock` reads, or seconds")
