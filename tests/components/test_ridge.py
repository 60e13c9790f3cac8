"""Ridge regression beside numpy's own least squares."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.ridge import RidgeSums

RANDOM = np.random.default_rng(3)
ROWS = 400
DENSE = RANDOM.normal(size=(2, ROWS))
CODE = RANDOM.integers(0, 4, ROWS)  # 3: a value without an indicator
LABEL = 2 * DENSE[0] - DENSE[1] + np.array([0.5, -0.5, 1.0, 0.0])[CODE] + 0.1 * RANDOM.normal(size=ROWS)


def sums_of(rows: slice, weights: np.ndarray | None = None) -> RidgeSums:
    sums = RidgeSums([2, 3])
    sums.add(DENSE[:, rows], [CODE[rows]], LABEL[rows], None if weights is None else weights[rows])
    return sums


def design(rows: slice) -> np.ndarray:
    return np.stack([*DENSE[:, rows], *(CODE[rows] == value for value in range(3)), np.ones(ROWS)[rows]], 1)


def test_of_many_rows_it_is_least_squares() -> None:
    found, expected = sums_of(slice(None)).solve(), np.linalg.lstsq(design(slice(None)), LABEL, rcond=None)[0]
    np.testing.assert_allclose([*found.weights, found.intercept], expected, atol=2e-3)
    assert found.rmse == pytest.approx(0.1, rel=0.1)


def test_sums_are_added_and_taken_away() -> None:
    whole, first, rest = sums_of(slice(None)), sums_of(slice(0, 150)), sums_of(slice(150, None))
    assert (whole.rows, first.rows) == (400, 150)
    left = whole.without(first)
    np.testing.assert_allclose(left.solve().weights, rest.solve().weights, rtol=1e-9)
    left.merge(first)
    np.testing.assert_allclose(left.solve().weights, whole.solve().weights, rtol=1e-9)


def test_a_row_of_weight_two_counts_twice() -> None:
    twice = sums_of(slice(None))
    twice.merge(sums_of(slice(0, 50)))
    weighed = sums_of(slice(None), np.where(np.arange(ROWS) < 50, 2.0, 1.0))
    assert weighed.rows == 450
    np.testing.assert_allclose(weighed.solve().weights, twice.solve().weights, rtol=1e-9)


def test_a_number_that_is_not_finite_is_seen() -> None:
    sums = RidgeSums([1])
    sums.add(np.ones((1, 2)), [], np.zeros(2))
    assert sums.is_finite
    sums.add(np.array([[np.nan]]), [], np.zeros(1))
    assert not sums.is_finite


def test_inputs_that_say_nothing_get_hardly_any_weight() -> None:
    sums = RidgeSums([30])
    sums.add(RANDOM.normal(size=(30, 60)), [], RANDOM.normal(size=60))
    assert np.abs(sums.solve().weights).max() < 0.15
