"""Reads times of day that are written as whole numbers hhmm.

830 is 8:30, 1445 is 14:45; midnight is 0 or 2400. As numbers they are crooked: 859 and 900 are a minute apart. The
minutes since midnight are straight, and the model computes them, so a request sends what the table holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "%H%M"  # of the `time_of_day_domain` in a schema
DAY = 24 * 60  # minutes
LAST = 2400
# Hours of the day with a time in each quarter, from which numbers are times and not so by chance. Of numbers that have
# nothing to do with a clock, two in five end in 60 to 99: that 32 of them, spread so, all do not has a chance of 1e-7.
# Ages, scores and numbers of rooms do not fill hundreds up to 59, and multiples of 20, 25 or 50 not all four quarters.
_HOURS = 8
_QUARTERS = 4


def is_time(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Returns which numbers are times of day, bool (values,): whole, from 0 to 2400, and their minutes below 60."""
    with np.errstate(invalid="ignore"):  # infinity and NaN are not
        minutes = np.mod(values, 100)
        return (values >= 0) & (values <= LAST) & (minutes < 60) & (minutes == np.floor(minutes))


def minutes_of(values: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the minutes since midnight, float64 (values,).

    The order of numbers stays: one that is not a time, such as 875, is the next full hour.
    """
    hours = np.floor(np.asarray(values, np.float64) / 100)
    return 60 * hours + np.minimum(values - 100 * hours, 60)


@dataclass
class ClockTimes:
    """The times of day among the numbers of a column; constant memory.

    Attributes:
      possible: Whether all numbers so far are such times.
    """

    possible: bool = True
    _seen: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def add(self, values: NDArray[Any]) -> None:
        """Adds finite numbers, (values,)."""
        if not self.possible:
            return
        self.possible = bool(is_time(values).all())
        if not self.possible:
            self._seen = np.zeros(0, np.bool_)
            return
        if not len(self._seen):
            self._seen = np.zeros(LAST, np.bool_)
        self._seen[values.astype(np.int64) % LAST] = True

    @property
    def found(self) -> bool:
        """Whether all numbers are times of day, and so many that they are not so by chance."""
        if not self.possible or not len(self._seen):
            return False
        quarters = self._seen.reshape(24, 100)[:, :60].reshape(24, _QUARTERS, -1).any(axis=2)
        return int(np.count_nonzero(quarters.sum(axis=1) == _QUARTERS)) >= _HOURS
