"""Resamples of rows and of groups, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crossnet.components.evaluation import units
from crossnet.components.evaluation.units import UnitSums


def sums_of(squares, weights=None, groups=None, batch=None):
    rows = squares.shape[1]
    sums = UnitSums(len(squares), grouped=groups is not None)
    for start in range(0, rows, batch or rows):
        part = slice(start, start + (batch or rows))
        own = (None if values is None else values[part] for values in (weights, groups))
        sums.add(squares[:, part], *own)
    return sums


def resample(squares, replicates=2000, seed=1, **kinds):
    found = sums_of(squares, **kinds).resampled(replicates, seed)
    return None if found is None else found.rmse


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape) ** 2


def test_interval_has_the_width_that_theory_gives():
    squares = normal(1, 2000)
    low, high = sums_of(squares).resampled(2000, 1).interval(0, 0.05)
    rmse = math.sqrt(squares.mean())
    error = squares.std() / math.sqrt(2000) / (2 * rmse)  # delta method
    assert (low, high) == (pytest.approx(rmse - 1.96 * error, abs=0.15 * error),
                           pytest.approx(rmse + 1.96 * error, abs=0.15 * error))  # fmt: skip


def test_interval_leans_to_the_right_where_errors_do():
    squares = np.exp(2 * np.random.default_rng(0).normal(0, 1, (1, 500)))
    low, high = sums_of(squares).resampled(2000, 1).interval(0, 0.05)
    rmse = math.sqrt(squares.mean())
    assert high - rmse > 1.5 * (rmse - low) > 0


def test_interval_scales_and_is_a_point_where_errors_are_equal():
    found = sums_of(np.full((1, 30), 0.25)).resampled(100, 1)
    assert found.interval(0, 0.05) == (0.5, 0.5)
    assert found.interval(0, 0.05, scale=4.0) == (2.0, 2.0)
    assert sums_of(np.zeros((1, 30))).resampled(100, 1).interval(0, 0.05) == (0.0, 0.0)


def test_resamples_are_paired():
    squares = normal(1, 2000)
    both = resample(np.concatenate([squares, 4 * squares]))
    np.testing.assert_allclose(both[:, 1] / both[:, 0], 2, rtol=1e-12)


def test_resamples_are_seeded_and_do_not_depend_on_batches():
    squares = normal(2, 500)
    np.testing.assert_array_equal(resample(squares), resample(squares, batch=37))
    assert (resample(squares, seed=1) != resample(squares, seed=2)).any()


def test_resamples_of_rows_together_are_as_wide_as_those_of_rows(monkeypatch):
    squares = normal(1, 2040)
    single = resample(squares).std()
    monkeypatch.setattr(units, "MAX_UNITS", 500)
    assert resample(squares).std() == pytest.approx(single, rel=0.08)


@pytest.mark.parametrize("grouped", [False, True])
def test_resamples_need_twenty_units(grouped):
    def found(count):
        return resample(np.ones((1, 60)), groups=np.arange(60) % count) if grouped else resample(np.ones((1, count)))

    assert found(19) is None
    assert found(20) is not None


def test_interval_of_nan_is_none_and_the_other_model_keeps_its_own():
    squares = np.ones((2, 50))
    squares[0, 3] = np.nan
    found = sums_of(squares).resampled(100, 1)
    assert found.interval(0, 0.1) is None
    assert found.interval(1, 0.1) == (1, 1)


def test_rows_of_one_group_are_one_unit():
    """100 groups of 100 rows with one error each say as much as 100 rows, not as 10,000."""
    errors = normal(1, 100)
    rows = np.repeat(errors, 100, axis=1)
    groups = np.repeat(np.arange(100), 100)
    assert resample(rows, groups=groups).std() == pytest.approx(resample(errors).std(), rel=1e-9)
    assert resample(rows).std() < 0.15 * resample(errors).std()


@pytest.mark.parametrize("kind", ["text", "number"])
def test_groups_are_told_apart_by_value_wherever_their_rows_stand(kind):
    groups = np.array([b"a", b"b", b"", b"a", b"c", b"b"], object)
    if kind == "number":
        groups = np.array([1.5, 2.5, np.nan, 1.5, 3.5, 2.5], np.float32)
    squares = np.array([[1.0, 2.0, 4.0, 8.0, 16.0, 32.0]])
    sums = sums_of(squares, groups=groups, batch=2)
    assert sums.count == 4
    assert sorted(sums.table().tolist()) == [[4, 1], [9, 2], [16, 1], [34, 2]]
    moments = sums.moments()
    assert (moments.units, moments.means.tolist()) == (4, [63 / 4, 6 / 4])
    assert moments.products[0, 1] == (18 + 68 + 4 + 16) / 4


def test_sums_of_parts_are_those_of_the_whole():
    squares, weights = normal(2, 5000), np.random.default_rng(1).random(5000)
    groups = np.random.default_rng(2).integers(0, 300, 5000)
    for kinds in ({}, {"groups": groups}):
        whole = sums_of(squares, weights, **kinds)
        parts = sums_of(squares[:, :1777], weights[:1777], **{name: values[:1777] for name, values in kinds.items()})
        rest = {name: values[1777:] for name, values in kinds.items()}
        parts.merge(sums_of(squares[:, 1777:], weights[1777:], **rest))
        np.testing.assert_allclose(parts.table(), whole.table(), rtol=1e-12)
        assert parts.count == whole.count


def test_very_many_groups_are_joined_by_their_hash_in_any_order(monkeypatch):
    monkeypatch.setattr(units, "MAX_UNITS", 64)
    groups = np.arange(3000) % 1000
    squares = np.ones((1, 3000))

    def folded(order):
        sums = UnitSums(1, grouped=True, most=200)
        for part in np.array_split(order, 7):
            sums.add(squares[:, part], None, groups[part])
        return sums

    first, second = folded(np.arange(3000)), folded(np.random.default_rng(0).permutation(3000))
    assert (first.count, first.table()[:, 0].sum()) == (64, 3000)
    assert sorted(first.table()[:, 0]) == sorted(second.table()[:, 0])
    assert len(first.table()) == 64
    part = UnitSums(1, grouped=True, most=200)
    part.add(squares[:, :100], None, groups[:100])
    part.merge(first)
    assert (part.count, part.table()[:, 0].sum()) == (64, 3100)
    for _ in range(2):  # the same groups are the same units
        first.merge(second)
    np.testing.assert_array_equal(first.table(), 3 * second.table())


def test_weights_weigh_rows_in_resamples():
    squares = np.array([[0.0, 1.0] * 20])
    weights = np.array([0.0, 3.0] * 20)
    found = resample(squares * weights, weights=weights)
    np.testing.assert_allclose(found, 1.0)


def coverage(seeds, share):
    """How often the 95 % interval by group and by row covers 1, with 100 groups of 20 rows."""
    by_group = by_row = 0
    for seed in range(seeds):
        random = np.random.default_rng([5, seed])
        of_group = random.normal(0, math.sqrt(share), (100, 1))
        squares = (of_group + random.normal(0, math.sqrt(1 - share), (100, 20))).reshape(1, -1) ** 2
        low, high = sums_of(squares, groups=np.repeat(np.arange(100), 20)).resampled(200, seed).interval(0, 0.05)
        by_group += low <= 1 <= high
        low, high = sums_of(squares).resampled(200, seed).interval(0, 0.05)
        by_row += low <= 1 <= high
    return by_group / seeds, by_row / seeds


def test_interval_by_group_covers_what_new_groups_see_and_that_by_row_does_not():
    by_group, by_row = coverage(60, 0.5)
    assert by_group > 0.85
    assert by_row < 0.8
