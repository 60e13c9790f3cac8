"""Says which whole numbers are days, moments or times of day.

They are read as numbers, since a number of 8 digits may be anything: only `init`, which shows what it proposes, decides
otherwise. A run says what it sees among a column's first values, with the line that reads them.
"""

from __future__ import annotations

import datetime
import re

import numpy as np
from numpy.typing import NDArray

from crossnet.components.clock import HHMM, HHMMSS, ClockTimes, written
from crossnet.components.sources.doubts import Doubt, toml_text

Whole = NDArray[np.int64]

FORMS = {"%Y%m%d": 0, "%Y%m%d%H%M": 4, "%Y%m%d%H%M%S": 6}  # digits behind the day
FIRST_DAY, LAST_DAY = 19_000_101, 21_001_231
SURE = 5  # different numbers: that all are days by chance has a probability of 1e-7
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_EPOCH = (631_152_000, 2_208_988_800)  # the seconds from 1970 to 1990, and to 2040
_TIME_NAME = re.compile(
    r"(?i:(^|_)(time|date|datetime|ts|at|on|created|updated|modified|start|end|pickup|dropoff)(_|$))"
    r"|(?i:timestamp|epoch|unix|datetime)|[a-z](Time|Date|At)$",
    re.ASCII,
)


def are_days(numbers: NDArray[np.float64] | Whole, digits: int = 0) -> bool:
    """Returns whether all numbers, (values,), are days such as 20261123; False for none.

    Args:
      numbers: Some may be NaN, which is not a day.
      digits: Of the time of day behind the day: 4 as in 202611230845, 6 as in 20261123084500.
    """
    if not len(numbers) or not (np.isfinite(numbers) & (numbers == np.floor(numbers)) & (numbers > 0)).all():
        return False
    days, times = np.divmod(numbers.astype(np.int64), 10**digits)
    if digits:
        hours, minutes, last = times // 10 ** (digits - 2), times // 10 ** (digits - 4) % 100, times % 100
        if ((hours > 23) | (minutes > 59) | (last > 59)).any():
            return False
    months = days // 10_000 * 12 + days // 100 % 100 - 1 - 1970 * 12
    valid = (days // 100 % 100 >= 1) & (days // 100 % 100 <= 12) & (days % 100 >= 1)
    start = months.astype("datetime64[M]")
    end = start + np.timedelta64(1, "M")
    lengths = (end.astype("datetime64[D]") - start.astype("datetime64[D]")).astype(np.int64)
    return bool((valid & (days % 100 <= lengths)).all())


def epoch_unit(least: float, most: float) -> str:
    """Returns the unit in which numbers between two count from 1970 into the years 1990 to 2040; "" for none."""
    return next((unit for unit, size in UNITS.items() if _EPOCH[0] * size <= least and most < _EPOCH[1] * size), "")


def is_time_name(name: str) -> bool:
    """Returns whether a column's name says that it holds times."""
    return _TIME_NAME.search(name) is not None


def since_1970(number: float, unit: str) -> str:
    """Returns what a number of a unit counts, for a sentence: "seconds since 1970, such as ... (2024-01-01 16:57)"."""
    moment = datetime.datetime.fromtimestamp(number / UNITS[unit], datetime.UTC)
    return f"{UNIT_WORDS[unit]} since 1970, such as {number:.0f} ({moment:%Y-%m-%d %H:%M})"


def number_doubt(name: str, numbers: Whole, form: str) -> Doubt | None:
    """Returns the doubt about a column of whole numbers that seem to be times; None for any other.

    Args:
      name: The column, as the source names it.
      numbers: Its first values, (values,).
      form: The source's name in the settings.
    """
    if not len(numbers) or numbers.min() == numbers.max():
        return None
    least, most, column = int(numbers.min()), int(numbers.max()), toml_text(name)
    for pattern, digits in FORMS.items():
        is_near = FIRST_DAY * 10**digits <= least and most < (LAST_DAY + 1) * 10**digits
        if is_near and are_days(numbers, digits) and len(np.unique(numbers)) >= SURE:
            said = f"is read as numbers, and all of them are {'times' if digits else 'days'}, such as {least}"
            if form == "csv":
                return Doubt(name, said, f"date_format = {{ {column} = {toml_text(pattern)} }}")
            return Doubt(name, f"{said}; write the column with a type of times to use it as such")
    if is_time_name(name) and (unit := epoch_unit(least, most)) and len(np.unique(numbers)) >= SURE:
        said = f"is read as numbers, and seems to count {since_1970(least, unit)}"
        return Doubt(name, said, f"time_unit = {{ {column} = {toml_text(unit)} }}")
    for clock_form, setting in ((HHMM, "clock"), (HHMMSS, "clock_seconds")):
        times = ClockTimes(clock_form)
        times.add(numbers)
        if times.found:
            said = f"is read as numbers, and all are times of day, such as {most} for {written(most, clock_form)}"
            return Doubt(name, said, f"{setting} = [{column}]")
    return None
