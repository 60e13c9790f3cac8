"""Finds days and times that are written as whole numbers."""

from __future__ import annotations

import numpy as np

from crossnet.components.sources.number_times import (
    FIRST_DAY,
    FORMS,
    LAST_DAY,
    SURE,
    UNIT_WORDS,
    epoch_unit,
    is_time_name,
    since_1970,
)
from crossnet.pipeline.init.findings import ColumnFinding, Proposal
from crossnet.pipeline.init.profile import ColumnProfile
from crossnet.pipeline.init.toml_lines import toml_line

_WHOLE = ("INT", "FLOAT")  # kinds
_MIN_DAYTIMES, _MIN_HOURS, _MIN_MINUTES = 30, 8, 8  # different numbers, and their different hours and minutes


def compact_form(column: ColumnProfile) -> str:
    """Returns the form (of strptime) in which all whole numbers of a column are days or times; "" where none is."""
    for form, digits in FORMS.items():
        low, high = FIRST_DAY * 10**digits, (LAST_DAY + 1) * 10**digits
        if low <= column.least <= column.most < high and column.sample.are_days(digits):
            return form
    return ""


def propose_compact(finding: ColumnFinding, column: ColumnProfile, proposal: Proposal, *, may: bool) -> None:
    """Proposes the form of a column, where it `may` have one, whose cells are all days or times such as 20260131."""
    forms = column.cells.forms
    if not may or forms["whole"] < column.cells.cells - forms["null"] or column.sample.distinct < SURE:
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


def epoch(finding: ColumnFinding, column: ColumnProfile) -> tuple[str, str]:
    """Returns the unit in which whole numbers count from 1970, and what they count, for a sentence; "" for none.

    Without a name that says so, they do only if they are sorted, and not the numbers of rows.
    """
    unit = epoch_unit(column.least, column.most) if column.least < column.most else ""
    is_sorted = column.order and column.most - column.least >= 2 * column.rows
    return (unit, since_1970(column.least, unit)) if unit and (is_time_name(finding.name) or is_sorted) else ("", "")


def propose_epoch(finding: ColumnFinding, column: ColumnProfile, kind: str, proposal: Proposal) -> bool:
    """Proposes the unit of whole numbers that are moments by their name and their size; returns whether it does."""
    unit, since = epoch(finding, column)
    if kind not in ("INT", "WHOLE") or not unit or not is_time_name(finding.name) or column.sample.distinct < SURE:
        return False
    proposal.put("time_unit", {finding.name: unit}, f"{finding.name}: {since}")
    finding.decided = f"time, {UNIT_WORDS[unit]} since 1970"
    return True


def doubt_daytimes(finding: ColumnFinding, column: ColumnProfile) -> None:
    """Adds the doubt about whole numbers that may be times of day hhmmss, such as 83000, and are too few to be sure."""
    numbers = column.sample.numbers
    if not 2400 < column.most < 240_000 or column.least < 0 or len(numbers) < _MIN_DAYTIMES:
        return
    hours, minutes, seconds = numbers // 10_000, numbers // 100 % 100, numbers % 100
    if not ((minutes < 60) & (seconds < 60) & (seconds == np.floor(seconds))).all():
        return
    if len(np.unique(hours)) >= _MIN_HOURS and len(np.unique(minutes)) >= _MIN_MINUTES:
        largest = f"{column.most:06.0f}"
        said = f"each may be a time of day, such as {column.most:.0f} for {largest[:2]}:{largest[2:4]}:{largest[4:]}"
        finding.doubt(f"{said}: as numbers, these are crooked", toml_line("clock_seconds", [finding.name]))
