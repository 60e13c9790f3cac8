"""Reads times of day that are whole numbers hhmm or hhmmss.

830 is 8:30, 1445 is 14:45; midnight is 0 or 2400. With seconds, 83000 is 8:30:00. As numbers they are crooked: 859 and
900 are a minute apart. The minutes since midnight are straight, with seconds the seconds, and the model computes them,
so a request sends what the table holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

HHMM, HHMMSS = "hhmm", "hhmmss"  # the forms
FORMATS = {HHMM: "%H%M", HHMMSS: "%H%M%S"}  # of the `time_of_day_domain` in a schema
DAY = {HHMM: 24 * 60, HHMMSS: 24 * 60 * 60}  # minutes, or seconds
LAST = {HHMM: 2400, HHMMSS: 240_000}
# Hours of the day with a time in each quarter, from which numbers are times and not so by chance. Of numbers that have
# nothing to do with a clock, two in five end in 60 to 99: that 32 of them, spread so, all do not has a chance of 1e-7.
# Ages, scores and numbers of rooms do not fill hundreds up to 59, and multiples of 20, 25 or 50 not all four quarters.
# Seconds have to fill the quarters of a minute too, over all hours.
_HOURS = 8
_QUARTERS = 4


def is_time(values: NDArray[Any], form: str = HHMM) -> NDArray[np.bool_]:
    """Returns which numbers are times of day, bool (values,): whole, from 0 to 24 hours, minutes and seconds below 60.

    Args:
      values: Numbers, (values,).
      form: `HHMM` or `HHMMSS`.
    """
    with np.errstate(invalid="ignore"):  # infinity and NaN are not
        last = np.mod(values, 100)
        valid: NDArray[np.bool_] = (values >= 0) & (values <= LAST[form]) & (last < 60) & (last == np.floor(last))
        return valid if form == HHMM else valid & (np.mod(np.floor_divide(values, 100), 100) < 60)


def since_midnight(values: NDArray[Any], form: str = HHMM) -> NDArray[np.float64]:
    """Returns the minutes since midnight, of `HHMMSS` the seconds, float64 (values,).

    The order of numbers stays: one that is not a time, such as 875 or 87500, is the next full hour.
    """
    numbers = np.asarray(values, np.float64)
    hour = 100.0 if form == HHMM else 10_000.0
    hours = np.floor(numbers / hour)
    rest = numbers - hour * hours
    if form == HHMM:
        return 60 * hours + np.minimum(rest, 60)
    minutes = np.floor(rest / 100)
    return 3600 * hours + np.minimum(60 * minutes + np.minimum(rest - 100 * minutes, 60), 3600)


def written(value: float, form: str = HHMM) -> str:
    """Returns a time of day for people: "8:30", "8:30:00"."""
    hours, rest = divmod(int(value), 100 if form == HHMM else 10_000)
    return f"{hours}:{rest:02}" if form == HHMM else f"{hours}:{rest // 100:02}:{rest % 100:02}"


@dataclass
class ClockTimes:
    """The times of day among the numbers of a column; constant memory.

    Attributes:
      form: `HHMM` or `HHMMSS`.
      possible: Whether all numbers so far are such times.
    """

    form: str = HHMM
    possible: bool = True
    _seen: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((24, _QUARTERS), np.bool_))
    _seconds: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(_QUARTERS, np.bool_))

    def add(self, values: NDArray[Any]) -> None:
        """Adds finite numbers, (values,)."""
        if not self.possible:
            return
        self.possible = bool(is_time(values, self.form).all())
        if not self.possible:
            return
        numbers = values.astype(np.int64) % LAST[self.form]
        if self.form == HHMMSS:
            self._seconds[numbers % 100 // 15] = True
            numbers //= 100
        self._seen[numbers // 100, numbers % 100 // 15] = True

    @property
    def found(self) -> bool:
        """Whether all numbers are times of day, and so many that they are not so by chance."""
        hours = int(np.count_nonzero(self._seen.sum(axis=1) == _QUARTERS))
        return self.possible and hours >= _HOURS and (self.form == HHMM or bool(self._seconds.all()))
