"""States the unit in which a column of times is written.

A time is a whole number of units since 1970 (UTC), since midnight, or of a duration. The unit is the second wherever
all values of the column are whole seconds; else it is the coarsest one that loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crossnet.components.errors import SettingsError
from crossnet.components.sources.doubts import Doubt, toml_text
from crossnet.components.sources.naming import NamedColumns
from crossnet.serving.protocol.cell_values import TIME_UNITS
from crossnet.serving.protocol.printable import listed

UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


class _Timed(Protocol):
    """A source with columns of times."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def units(self) -> Mapping[str, str]:
        """The unit of each column of times that are not whole seconds, by source name."""

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What was decided about columns and may be wrong."""


Timed = TypeVar("Timed", bound=_Timed)


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


def time_numbers(array: pa.Array, unit: str, *, exact: bool = True) -> pa.Array:
    """Returns a column of times as int64, a whole number of `unit`; null stays null.

    Args:
      array: Dates, moments, times of day or durations.
      unit: "s", "ms", "us" or "ns".
      exact: Whether a value must be whole in the unit; else what is finer is dropped.

    Raises:
      FinerUnitError: `exact`, and a value is not whole in this unit.
      pyarrow.ArrowInvalid: A value does not fit into int64 in this unit.
    """
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("s"))
    given = TIME_UNITS[array.type.unit]
    integers = array.cast(pa.int32()).cast(pa.int64()) if pa.types.is_time32(array.type) else array.cast(pa.int64())
    values = integers.fill_null(0).to_numpy(zero_copy_only=False)
    wanted = TIME_UNITS[unit]
    if wanted < given:
        if exact and (values % (given // wanted)).any():
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
    text = f"holds times with parts of a second and is written in whole {words}; a request of numbers has {words} too"
    return Doubt(column, text, f'time_unit = {{ {toml_text(column)} = "s" }}')


def in_finer_unit(source: Timed, column: str, unit: str) -> Timed:
    """Returns a source whose column of times is written in another unit, with the doubt about it."""
    coarser = unit_doubt(column, source.units.get(column, "s"))
    doubts = (*(doubt for doubt in source.doubts if doubt != coarser), unit_doubt(column, unit))
    return replace(source, units={**source.units, column: unit}, doubts=doubts)


def with_units(meanings: Mapping[str, str], units: Mapping[str, str]) -> dict[str, str]:
    """Returns what columns stand for, "time" with the unit of the column where that is not the second: "time:ms"."""
    units = {name: unit for name, unit in units.items() if unit != "s"}
    return {name: f"{what}:{units[name]}" if name in units else what for name, what in meanings.items()}


def check_units(named: NamedColumns, times: Collection[str]) -> None:
    """Raises SettingsError where `time_unit` names a column that is neither one of times nor of whole numbers."""
    if wrong := [name for name, _ in named.units if name not in times]:
        there = f"The columns of times are: {listed(list(times))}." if times else "No column is one of times."
        raise SettingsError(
            f"`example_gen.time_unit` names {listed(wrong)}, which does not hold times. {there} Columns of whole "
            "numbers that count from 1970 can be named too."
        )


def _coarsest(values: NDArray[np.int64], given: int, above: int) -> str:
    """Returns the coarsest unit, finer than `above`, in which all values are whole."""
    return next(
        unit
        for unit, per_second in TIME_UNITS.items()
        if above < per_second and (per_second >= given or not (values % (given // per_second)).any())
    )
