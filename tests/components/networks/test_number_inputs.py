from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from crossnet.components.networks.number_inputs import cyclic, smooth_clip


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
