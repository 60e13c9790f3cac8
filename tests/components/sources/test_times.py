from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from crossnet.components.sources.times import FinerUnitError, is_time, time_numbers, unit_doubt


@pytest.mark.parametrize(
    ("array", "seconds"),
    [
        (pa.array([datetime.date(1970, 1, 2), None]), [86_400, None]),
        (pa.array([-2_000, None], pa.timestamp("ms")), [-2, None]),
        (pa.array([3_000_000, None], pa.time64("us")), [3, None]),
        (pa.array([4, None], pa.time32("s")), [4, None]),
        (pa.array([5_000_000_000, None], pa.duration("ns")), [5, None]),
    ],
)
def test_times_of_every_type_are_whole_seconds(array: pa.Array, seconds: list[int | None]) -> None:
    assert is_time(array.type)
    assert time_numbers(array, "s").to_pylist() == seconds


@pytest.mark.parametrize(
    ("value", "unit"), [(1_500_000_000, "ms"), (1_500_001_000, "us"), (1_500_000_001, "ns"), (-1_000_000, "ms")]
)
def test_a_part_of_a_second_asks_for_the_coarsest_unit_that_loses_nothing(value: int, unit: str) -> None:
    array = pa.array([value, 2_000_000_000], pa.timestamp("ns"))
    with pytest.raises(FinerUnitError) as caught:
        time_numbers(array, "s")
    assert caught.value.unit == unit
    per_second = {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    assert time_numbers(array, unit).to_pylist() == [value * per_second // 10**9, 2 * per_second]


def test_times_that_do_not_fit_in_a_finer_unit_are_refused() -> None:
    assert time_numbers(pa.array([7], pa.timestamp("s")), "us").to_pylist() == [7_000_000]
    with pytest.raises(pa.ArrowInvalid, match="too large"):
        time_numbers(pa.array([2**40], pa.timestamp("s")), "ns")


def test_the_doubt_about_a_unit_names_it() -> None:
    assert "written in whole milliseconds" in unit_doubt("t", "ms").sentence


def test_intervals_are_not_times() -> None:
    assert not is_time(pa.month_day_nano_interval())
