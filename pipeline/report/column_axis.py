"""Makes the axis of a column: round dates, years without commas."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from crossnet.components.formats import TIME_UNITS
from crossnet.pipeline.report.column_texts import ColumnTexts
from crossnet.pipeline.report.svg import Axis, linear_axis

AxisMaker = Callable[..., Axis]  # (values, start, end, count=, tight=) -> the axis

_DAY = 86_400
_STEPS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)
_FIRST, _LAST = (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (1, 9999))


def axis_of(texts: ColumnTexts, column: str) -> AxisMaker:
    """Returns what makes the axis of a column."""
    if column in texts.units:
        per_second = TIME_UNITS[texts.units[column]]
        return lambda values, start, end, **options: time_axis(values, start, end, per_second, **options)
    return _plain_axis if column in texts.plain else linear_axis


def _plain_axis(values: Any, start: float, end: float, **options: Any) -> Axis:
    axis = linear_axis(values, start, end, **options, whole=True)
    return dataclasses.replace(axis, ticks=tuple((value, label.replace(",", "")) for value, label in axis.ticks))


def time_axis(
    values: Any, start: float, end: float, per_second: int = 1, *, count: int = 5, tight: bool = True
) -> Axis:
    """Returns an axis that ends at the data, with at most `count` ticks at round dates, in UTC.

    Args:
      values: Times since 1970, any shape.
      start, end: Its ends in the drawing.
      per_second: Units of `values` in a second.
      count: How many ticks there may be; a date is as wide as several numbers, so that there are at most 4.
      tight: As `linear_axis` takes it; a time axis always is.
    """
    plain = linear_axis(values, start, end, count=count, tight=True)
    low, high = plain.low / per_second, plain.high / per_second
    if not (_FIRST.timestamp() < low and high < _LAST.timestamp()):
        return plain
    count = min(count, 4)
    ticks = [(moment.timestamp() * per_second, label) for moment, label in _ticks(low, high, count)]
    return dataclasses.replace(plain, ticks=tuple(ticks), factor="")


def _ticks(low: float, high: float, count: int) -> Iterator[tuple[datetime.datetime, str]]:
    for step in _STEPS:
        first = int(np.ceil(low / step)) * step
        if (high - first) // step + 1 <= count:
            for seconds in range(first, int(high) + 1, step):
                moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
                yield moment, moment.strftime("%m-%d" if step >= _DAY else "%H:%M" if step >= 60 else "%H:%M:%S")
            return
    at = datetime.datetime.fromtimestamp(low, datetime.UTC)
    month = at.year * 12 + at.month - (at == at.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    for months in _MONTHS:
        first = -(-month // months) * months
        moments = list(itertools.takewhile(lambda moment: moment.timestamp() <= high, _every(first, months)))
        if len(moments) <= count or months == _MONTHS[-1]:
            yield from ((moment, f"{moment:%Y}" if months >= 12 else f"{moment:%Y-%m}") for moment in moments)
            return


def _every(month: int, step: int) -> Iterator[datetime.datetime]:
    """Yields the beginning of every `step`-th month; months count from the year 0."""
    while month // 12 <= _LAST.year:
        yield datetime.datetime(month // 12, month % 12 + 1, 1, tzinfo=datetime.UTC)
        month += step
