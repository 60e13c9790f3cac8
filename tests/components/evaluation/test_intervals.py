"""Intervals: the bootstrap and the paired t test, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crossnet.components.evaluation import intervals
from crossnet.components.evaluation.intervals import GroupedSquares, lower_bound, percentile_interval, student_quantile


def resample(squares, replicates=2000, seed=1, batch=None):
    groups = GroupedSquares(len(squares))
    for start in range(0, squares.shape[1], batch or squares.shape[1]):
        groups.add(squares[:, start : start + (batch or squares.shape[1])])
    return groups.resampled_rmse(replicates, seed)


def test_bootstrap_interval_has_the_width_that_theory_gives():
    squares = np.random.default_rng(0).normal(0, 1, (1, 2000)) ** 2
    low, high = percentile_interval(resample(squares)[:, 0], 0.025, 0.975)
    rmse = math.sqrt(squares.mean())
    error = squares.std() / math.sqrt(2000) / (2 * rmse)  # delta method
    assert (low, high) == (pytest.approx(rmse - 1.96 * error, abs=0.1 * error),
                           pytest.approx(rmse + 1.96 * error, abs=0.1 * error))  # fmt: skip


def test_bootstrap_is_paired():
    squares = np.random.default_rng(0).normal(0, 1, (1, 2000)) ** 2
    both = resample(np.concatenate([squares, 4 * squares]))
    np.testing.assert_allclose(both[:, 1] / both[:, 0], 2, rtol=1e-12)


def test_bootstrap_is_seeded_and_does_not_depend_on_batches():
    squares = np.random.default_rng(0).normal(0, 1, (2, 500)) ** 2
    np.testing.assert_array_equal(resample(squares), resample(squares, batch=37))
    assert (resample(squares, seed=1) != resample(squares, seed=2)).any()


def test_bootstrap_of_groups_of_rows_is_as_wide_as_that_of_rows(monkeypatch):
    squares = np.random.default_rng(0).normal(0, 1, (1, 2040)) ** 2
    single = resample(squares).std()
    monkeypatch.setattr(intervals, "MAX_GROUPS", 500)
    assert resample(squares).std() == pytest.approx(single, rel=0.08)


def test_bootstrap_needs_twenty_rows():
    assert resample(np.ones((1, 19))) is None
    assert resample(np.ones((1, 20))) is not None


def test_interval_of_nan_is_none_and_the_other_model_keeps_its_own():
    squares = np.ones((2, 50))
    squares[0, 3] = np.nan
    samples = resample(squares)
    assert percentile_interval(samples[:, 0], 0.1, 0.9) is None
    assert percentile_interval(samples[:, 1], 0.1, 0.9) == (1, 1)


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
