from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossnet.components.clock import DAY, is_time, minutes_of


def test_times_of_day_are_told_from_other_numbers() -> None:
    values = np.array([0, 59, 100, 830, 2359, 2400, 60, 875, 2360, 2401, 2500, -1, -100, 8.5, math.nan, math.inf])
    assert is_time(values).tolist() == [True] * 6 + [False] * 10
    assert is_time(np.array([2**63 - 1, -(2**63), 1259], np.int64)).tolist() == [False, False, True]


@given(st.integers(0, DAY))
def test_minutes_are_those_since_midnight(minutes: int) -> None:
    written = minutes // 60 * 100 + minutes % 60
    assert is_time(np.array([written])).all()
    assert minutes_of(np.array([written])).tolist() == [minutes]


@given(st.lists(st.integers(-5000, 5000), min_size=2))
def test_the_order_of_numbers_stays(numbers: list[int]) -> None:
    assert (np.diff(minutes_of(np.sort(numbers))) >= 0).all()


def test_a_number_that_is_not_a_time_is_the_next_full_hour() -> None:
    assert minutes_of(np.array([860, 875, 899, 2500, -1])).tolist() == [540, 540, 540, 1500, 0]
    assert np.isnan(minutes_of(np.array([math.nan]))).all()
