"""Intervals: the bootstrap and the paired t test, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crossnet.components.evaluation.intervals import lower_bound, percentile_interval, student_quantile


def test_interval_of_nan_is_none():
    assert percentile_interval(np.array([1.0, np.nan]), 0.1, 0.9) is None
    assert percentile_interval(np.ones(5), 0.1, 0.9) == (1, 1)


def moments(a, b):
    return a.mean(), (a * a).mean(), b.mean(), (b * b).mean(), (a * b).mean()


def test_lower_bound_is_where_the_paired_t_test_turns():
    random = np.random.default_rng(3)
    b = random.normal(0, 1, 200) ** 2
    a = b * 1.3 + 0.1 * random.normal(0, 1, 200) ** 2
    bound = lower_bound(*moments(a, b), 200, 0.01)
    difference = a - bound**2 * b
    t = difference.mean() / (difference.std(ddof=1) / math.sqrt(200))
    assert t == pytest.approx(student_quantile(0.99, 199), rel=1e-6)


def test_lower_bound_of_an_rmse_is_that_of_a_mean():
    a = np.random.default_rng(4).normal(0, 1, 100) ** 2
    bound = lower_bound(a.mean(), (a * a).mean(), 1.0, 1.0, a.mean(), 100, 0.05)
    assert bound**2 == pytest.approx(a.mean() - student_quantile(0.95, 99) * a.std(ddof=1) / 10)


def test_lower_bound_of_a_model_against_itself_is_one():
    a = np.random.default_rng(5).normal(0, 1, 100) ** 2
    assert lower_bound(*moments(a, a), 100, 0.05) == pytest.approx(1, abs=1e-6)
    assert lower_bound(*moments(a, a), 100, 0.05) <= 1


def test_lower_bound_is_zero_where_even_zero_is_not_refused():
    a = np.zeros(100)
    a[0] = 1.0
    assert lower_bound(*moments(a, np.ones(100)), 100, 0.001) == 0


def test_lower_bound_of_a_model_without_error_is_zero():
    assert lower_bound(0.0, 0.0, 1.0, 1.0, 0.0, 100, 0.05) == 0


@pytest.mark.parametrize(
    ("probability", "degrees", "table"),
    [(0.975, 19, 2.0930), (0.975, 100, 1.9840), (0.9995, 20, 3.8495), (0.9995, 120, 3.3735), (0.95, 30, 1.6973)],
)
def test_student_quantile_agrees_with_the_printed_table(probability, degrees, table):
    assert student_quantile(probability, degrees) == pytest.approx(table, rel=2e-3)
