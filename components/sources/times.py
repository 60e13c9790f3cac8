"""States the unit in which a column of times is written.

A time is a whole number of units since 1970 (UTC), since midnight, or of a duration. The unit is the second wherever
all values of the column are whole seconds; else it is the coarsest one that loses nothing.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crossnet.components.sources.doubts import Doubt

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


class FinerUnitError(Exception):
    """A value is not whole in the unit of its column.

    Attributes:
      unit: The coarsest unit that holds all values of the array.
    """

    def __init__(self, unit: str):
        super().__init__(unit)
        self.unit = unit


def is_time(arrow_type: pa.DataType) -> bool:
    """Returns whether a column holds dates, moments, times of day or durations."""
    return bool(pa.types.is_temporal(arrow_type) and not pa.types.is_interval(arrow_type))


def time_numbers(array: pa.Array, unit: str) -> pa.Array:
    """Returns a column of times as int64, a whole number of `unit`; null stays null.

    Args:
      array: Dates, moments, times of day or durations.
      unit: "s", "ms", "us" or "ns".

    Raises:
      FinerUnitError: A value is not whole in this unit.
      pyarrow.ArrowInvalid: A value does not fit into int64 in this unit.
    """
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("s"))
    given = PER_SECOND[array.type.unit]
    integers = array.cast(pa.int32()).cast(pa.int64()) if pa.types.is_time32(array.type) else array.cast(pa.int64())
    values = integers.fill_null(0).to_numpy(zero_copy_only=False)
    wanted = PER_SECOND[unit]
    if wanted < given:
        if (values % (given // wanted)).any():
            raise FinerUnitError(_coarsest(values, given, above=wanted))
        values = values // (given // wanted)
    elif wanted > given:
        largest = int(np.abs(values).max(initial=0))
        if largest > np.iinfo(np.int64).max // (wanted // given):
            raise pa.ArrowInvalid(f"a time of {largest} {UNIT_WORDS[array.type.unit]} is too large for {unit}")
        values = values * (wanted // given)
    return pa.array(values, mask=array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None)


def unit_doubt(column: str, unit: str) -> Doubt:
    """Returns the doubt about a column whose times are not whole seconds."""
    words = UNIT_WORDS[unit]
    return Doubt(column, f"holds times with parts of a second and is written in whole {words}; send it in {words} too")


def _coarsest(values: NDArray[np.int64], given: int, above: int) -> str:
    """Returns the coarsest unit, finer than `above`, in which all values are whole."""
    return next(
        unit
        for unit, per_second in PER_SECOND.items()
        if above < per_second and (per_second >= given or not (values % (given // per_second)).any())
    )
