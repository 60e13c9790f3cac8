"""Reads times of day that are written as whole numbers hhmm.

830 is 8:30, 1445 is 14:45; midnight is 0 or 2400. As numbers they are crooked: 859 and 900 are a minute apart. The
minutes since midnight are straight, and the model computes them, so a request sends what the table holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "%H%M"  # of the `time_of_day_domain` in a schema
DAY = 24 * 60  # minutes
LAST = 2400


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
