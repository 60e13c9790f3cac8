from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components import clock
from crossnet.components.clock import HHMM, HHMMSS
from crossnet.components.networks.columns import NumberColumn
from crossnet.components.networks.number_inputs import cyclic, numeric_inputs, since_midnight, smooth_clip


def test_smooth_clip_is_as_on_paper_from_the_smallest_to_the_largest_float() -> None:
    largest = float(np.finfo(np.float32).max)
    x = np.float32([0, 1e-30, 3, -4, 1e6, 1e20, largest, -largest])
    expected = [0, 1e-30, 3 / math.sqrt(2), -2.4, 3, 3, 3, -3]
    np.testing.assert_allclose(smooth_clip(x), expected, rtol=1e-6)


def test_smooth_clip_makes_nothing_of_what_is_not_finite() -> None:
    x = tf.constant([math.nan, math.inf, -math.inf] * 9)
    assert np.isnan(smooth_clip(x)).all()


def test_place_in_a_cycle_is_exact_for_whole_numbers_of_any_size() -> None:
    period = 86_400 * 10**9
    times = [period // 4 + n * period for n in (0, 20_000, -20_000)]  # 06:00 in 1970, 2024 and 1915, in nanoseconds
    sine, cosine = cyclic(tf.constant(times, tf.int64), None, [period])
    np.testing.assert_allclose([sine, cosine], [[1, 1, 1], [0, 0, 0]], atol=1e-6)


def test_missing_times_have_no_place() -> None:
    values = tf.constant([21_600.0, math.nan])
    sine, cosine = cyclic(values, tf.math.is_nan(values), [86_400])
    np.testing.assert_allclose([sine, cosine], [[1, 0], [0, 0]], atol=1e-6)


EVERY_TIME = {
    HHMM: [minutes // 60 * 100 + minutes % 60 for minutes in range(1441)],
    HHMMSS: [second // 3600 * 10_000 + second // 60 % 60 * 100 + second % 60 for second in range(86_401)],
}


@pytest.mark.parametrize("form", EVERY_TIME)
@pytest.mark.parametrize("dtype", [tf.int64, tf.float32])
@pytest.mark.parametrize("compiled", [False, True])
def test_each_time_of_day_is_exact(form: str, dtype: tf.DType, compiled: bool) -> None:
    find = tf.function(since_midnight) if compiled else since_midnight
    found = find(tf.constant(EVERY_TIME[form], dtype), form)
    assert found.dtype == dtype
    assert found.numpy().tolist() == [*range(len(EVERY_TIME[form]))]


@pytest.mark.parametrize("form", EVERY_TIME)
def test_other_numbers_are_as_in_training(form: str) -> None:
    values = np.array([*range(-3000, 6000), *range(80_000, 250_000), 2**20, -(2**20)], np.int64)
    assert since_midnight(tf.constant(values), form).numpy().tolist() == clock.since_midnight(values, form).tolist()
    ends = clock.since_midnight(np.array([-(2**20), 2**20]), form).tolist()
    assert since_midnight(tf.constant([-(2**63), 2**63 - 1], tf.int64), form).numpy().tolist() == ends
    largest = float(np.finfo(np.float32).max)
    assert since_midnight(tf.constant([-largest, largest]), form).numpy().tolist() == ends
    assert np.isnan(since_midnight(tf.constant([math.nan, math.inf, -math.inf]), form).numpy()).all()


def test_a_time_of_day_is_seen_as_its_minutes_and_its_place_in_the_day() -> None:
    column = NumberColumn("at", "INT", True, mean=720.0, scale=360.0, cycles=("day",), unit=HHMM)
    optional = dataclasses.replace(column, name="or not", required=False, fill=720.0)
    columns = {"at": tf.constant([0, 600, 1200, 2400], tf.int64), "or not": tf.constant([0, 600, 1800, math.nan])}
    found = numeric_inputs(columns, [column, optional], clip=False)
    expected = [[-2, -1, 0, 2], [-2, -1, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0], [1, 0, -1, 1], [0, 1, -1, 0], [1, 0, 0, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-6)
