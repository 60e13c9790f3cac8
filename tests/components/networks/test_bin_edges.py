from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.networks.bin_edges import MAX_SCALES, bin_edges, bins_by_rows, robust_scaling, width_by_rows
from crossnet.components.networks.linear_member import FAR


def test_bins_and_width_grow_without_a_jump() -> None:
    bins, widths = ([size(rows) for rows in range(1, 20_000)] for size in (bins_by_rows, width_by_rows))
    assert set(np.diff(bins)) == set(np.diff(widths)) == {0, 1}
    assert (bins[0], bins[998], bins[-1], widths[0], widths[-1]) == (8, 8, 16, 2, 4)


def test_scaling_is_by_median_and_quartiles() -> None:
    assert robust_scaling(np.array([0.0, 1, 2, 3, 1000]), np.ones(5)) == (2.0, 2.0)
    assert robust_scaling(np.array([0.0, 10.0]), np.array([9.0, 1.0])) == (0.0, 5.0)
    assert robust_scaling(np.array([4.0]), np.array([3.0])) == (4.0, 1.0)


def test_a_long_tail_is_within_what_float32_tells_apart_after_the_clip() -> None:
    values = np.sort(np.random.default_rng(0).lognormal(0.0, 3.0, 1000))  # to thousands of quartile distances
    median, scale = robust_scaling(values, np.ones(1000))
    assert MAX_SCALES == FAR / 2
    assert (values[-1] - median) / scale == pytest.approx(MAX_SCALES)
    assert robust_scaling(-values[::-1], np.ones(1000)) == pytest.approx((-median, scale), rel=0.05)


@pytest.mark.parametrize("rows", [20, 1000])
def test_one_absurd_value_is_not_a_tail(rows: int) -> None:
    values = np.sort(np.random.default_rng(0).normal(0.0, 1.0, rows))
    before = robust_scaling(values, np.ones(rows))
    values[-1] = 1e30
    assert robust_scaling(values, np.ones(rows)) == before


def test_bins_hold_equally_many_rows() -> None:
    values = np.arange(100.0)
    np.testing.assert_array_equal(bin_edges(values, np.ones(100), 4), [0, 24, 49, 74, 99])


@pytest.mark.parametrize("bins", [3, 5])
def test_few_values_are_all_edges(bins: int) -> None:
    values = np.array([1.0, 2.0, 7.0, 9.0])
    np.testing.assert_array_equal(bin_edges(values, np.array([90.0, 1, 1, 8]), bins), values)


def test_a_value_of_many_rows_is_an_edge_and_the_others_share_the_rest() -> None:
    values, weights = np.arange(101.0), np.array([900.0, *np.ones(100)])
    np.testing.assert_array_equal(bin_edges(values, weights, 5), [0, 1, 25, 50, 75, 100])
