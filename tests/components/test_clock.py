from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossnet.components.clock import DAY, HHMM, HHMMSS, ClockTimes, is_time, since_midnight, written


def test_times_of_day_are_told_from_other_numbers() -> None:
    values = np.array([0, 59, 100, 830, 2359, 2400, 60, 875, 2360, 2401, 2500, -1, -100, 8.5, math.nan, math.inf])
    assert is_time(values).tolist() == [True] * 6 + [False] * 10
    assert is_time(np.array([2**63 - 1, -(2**63), 1259], np.int64)).tolist() == [False, False, True]


@given(st.integers(0, DAY[HHMM]))
def test_minutes_are_those_since_midnight(minutes: int) -> None:
    number = minutes // 60 * 100 + minutes % 60
    assert is_time(np.array([number])).all()
    assert since_midnight(np.array([number])).tolist() == [minutes]


@given(st.lists(st.integers(-5000, 5000), min_size=2))
def test_the_order_of_numbers_stays(numbers: list[int]) -> None:
    assert (np.diff(since_midnight(np.sort(numbers))) >= 0).all()
    assert (np.diff(since_midnight(50 * np.sort(numbers), HHMMSS)) >= 0).all()


def test_a_number_that_is_not_a_time_is_the_next_full_hour() -> None:
    assert since_midnight(np.array([860, 875, 899, 2500, -1])).tolist() == [540, 540, 540, 1500, 0]
    assert np.isnan(since_midnight(np.array([math.nan]))).all()


def test_times_of_day_with_seconds_are_told_from_other_numbers() -> None:
    values = np.array([0, 59, 5959, 83000, 235959, 240000, 60, 6000, 236000, 240001, -1, 8.5, math.nan, math.inf])
    assert is_time(values, HHMMSS).tolist() == [True] * 6 + [False] * 8


@given(st.integers(0, DAY[HHMMSS]))
def test_seconds_are_those_since_midnight(seconds: int) -> None:
    number = seconds // 3600 * 10_000 + seconds // 60 % 60 * 100 + seconds % 60
    assert is_time(np.array([number]), HHMMSS).all()
    assert since_midnight(np.array([number]), HHMMSS).tolist() == [seconds]


def test_a_number_that_is_not_a_time_with_seconds_is_the_next_minute_or_hour() -> None:
    assert since_midnight(np.array([83060, 83099, 86000, 89999]), HHMMSS).tolist() == [30660, 30660, 32400, 32400]


def test_times_are_written_as_on_a_clock() -> None:
    assert [written(value) for value in (830, 5, 2400)] == ["8:30", "0:05", "24:00"]
    assert [written(value, HHMMSS) for value in (83000, 5, 240000)] == ["8:30:00", "0:00:05", "24:00:00"]


SECONDS = np.random.default_rng(1).integers(0, DAY[HHMMSS], 1000)
TIMES = SECONDS // 3600 * 10_000 + SECONDS // 60 % 60 * 100 + SECONDS % 60


def found(values: np.ndarray, form: str) -> bool:
    times = ClockTimes(form)
    times.add(np.asarray(values, np.float64))
    return times.found


def test_times_with_seconds_are_found_and_no_other_numbers() -> None:
    assert found(TIMES, HHMMSS)
    assert not found(TIMES, HHMM)
    assert not found(TIMES // 100, HHMMSS)  # without seconds, they are minutes and seconds of the first hour
    for other in (TIMES // 100 * 100, TIMES[:20], np.append(TIMES, 83060), np.append(TIMES, 250000), TIMES % 10_000):
        assert not found(other, HHMMSS)
    random = np.random.default_rng(2)
    assert not found(random.integers(0, 240_000, 100), HHMMSS)
    assert not found(5000 * random.integers(0, 48, 1000), HHMMSS)
