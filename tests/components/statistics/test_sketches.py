from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.components.statistics.sketches import (
    QuantileSketch,
    UniqueSketch,
    first_of_each,
    hash_numbers,
)


def quantile_sketch(values, batch_rows=65_536, size=4096):
    sketch = QuantileSketch(size)
    for start in range(0, len(values), batch_rows):
        ordered = np.sort(values[start : start + batch_rows])
        sketch.update(ordered, first_of_each(ordered))
    return sketch


def worst_rank_error(points, values):
    """The largest difference, in rows, between the rank of a distinct value read from the points and its true rank."""
    ordered = np.sort(values).astype(np.float64)
    at = np.unique(np.concatenate([ordered, points.values]))
    return np.abs(points.ranks(at) - np.searchsorted(ordered, at, side="right")).max()


def test_quantile_sketch_is_exact_on_four_rows():
    points = quantile_sketch(np.array([3.0, 1.0, 2.0, 2.0])).points()
    assert points.values.tolist() == [1.0, 2.0, 3.0]
    assert points.weights.tolist() == [1.0, 2.0, 1.0]
    assert points.ranks(np.array([0.0, 1.0, 2.5, 9.0])).tolist() == [0.0, 1.0, 3.0, 4.0]
    assert points.quantiles(np.array([0.0, 0.25, 0.5, 0.76, 1.0])).tolist() == [1.0, 1.0, 2.0, 3.0, 3.0]


def test_quantile_sketch_is_exact_while_distinct_values_are_few():
    values = np.random.default_rng(0).integers(0, 200, 300_000)
    points = quantile_sketch(values, batch_rows=10_000).points()
    assert points.rank_error == 0
    assert points.weights.tolist() == np.bincount(values).tolist()


@pytest.mark.parametrize("kind", ["normal", "ascending", "descending", "lognormal", "half_zero"])
@pytest.mark.parametrize("batch_rows", [777, 65_536])
def test_quantile_sketch_keeps_its_stated_bound(kind, batch_rows):
    rng = np.random.default_rng(1)
    values = {
        "normal": rng.normal(size=300_000),
        "ascending": np.arange(300_000.0),
        "descending": -np.arange(300_000.0),
        "lognormal": rng.lognormal(sigma=4, size=300_000),
        "half_zero": np.where(rng.random(300_000) < 0.5, 0, rng.normal(size=300_000)),
    }[kind].astype(np.float32)
    points = quantile_sketch(values, batch_rows, size=1024).points()
    batches = -(-len(values) // batch_rows)
    assert points.rank_error <= len(values) * (1 + np.log2(batches)) / (2 * 1024)
    assert 0 < worst_rank_error(points, values) <= points.rank_error


def test_quantile_sketch_of_ten_million_rows_would_be_within_0_11_percent():
    batches = 10_000_000 / 65_536
    assert (1 + np.log2(batches)) / (2 * QuantileSketch().size) < 0.0011


def test_quantile_sketch_bounds_its_memory():
    sketch = quantile_sketch(np.random.default_rng(2).normal(size=1_000_000), batch_rows=2000, size=256)
    held = [points for points in sketch._levels if points is not None]
    assert len(held) <= 10
    assert all(len(points.values) <= 256 for points in held)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), max_size=200), st.lists(st.floats(-1e6, 1e6, width=32), max_size=200))
def test_quantile_sketch_merge_equals_whole(a, b):
    one, other = quantile_sketch(np.array(a), 16, size=400), quantile_sketch(np.array(b), 16, size=400)
    one.merge(other)
    whole = quantile_sketch(np.array(a + b), 16, size=400)
    for merged, expected in zip(one.points()[:3], whole.points()[:3], strict=True):
        np.testing.assert_array_equal(merged, expected)


def test_quantile_sketch_merge_of_many_rows_keeps_the_bound():
    values = np.random.default_rng(3).normal(size=400_000)
    shards = [quantile_sketch(part, 9999, size=512) for part in np.array_split(values, 7)]
    for shard in shards[1:]:
        shards[0].merge(shard)
    points = shards[0].points()
    assert points.total == pytest.approx(400_000)
    assert worst_rank_error(points, values) <= points.rank_error <= 400_000 * (1 + np.log2(41) + 1) / (2 * 512)


def test_unique_sketch_is_exact_when_few_and_near_when_many():
    few, many = UniqueSketch(), UniqueSketch()
    for start in range(0, 200_000, 20_000):
        values = np.arange(start, start + 20_000)
        few.update(hash_numbers(values % 1000))
        many.update(hash_numbers(values))
    assert few.estimate == 1000
    assert many.estimate == pytest.approx(200_000, rel=4 / np.sqrt(4094))


def test_unique_sketch_merge_equals_whole():
    values = np.random.default_rng(4).integers(0, 30_000, 100_000)
    one, other, whole = UniqueSketch(), UniqueSketch(), UniqueSketch()
    one.update(hash_numbers(values[:60_000]))
    other.update(hash_numbers(values[60_000:]))
    one.merge(other)
    whole.update(hash_numbers(values))
    assert one.estimate == whole.estimate


@pytest.mark.parametrize("distinct", [100, 500, 512, 700, 5000, 100_000])
def test_unique_sketch_keeps_the_smallest_distinct_hashes_however_many_repeat(distinct):
    values = np.random.default_rng(distinct).integers(0, distinct, 60_000)
    sketch = UniqueSketch(512)
    for part in np.array_split(hash_numbers(values), 7):
        sketch.update(part)
    expected = np.array(sorted(set(hash_numbers(values).tolist()))[:512], np.uint64)
    np.testing.assert_array_equal(sketch._smallest, expected)


def test_hash_of_zero_is_one_for_both_signs():
    assert len(set(hash_numbers(np.array([0.0, -0.0], np.float32)).tolist())) == 1


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), max_size=60), min_size=1, max_size=4), st.booleans())
def test_unique_sketch_holds_the_smallest_distinct_hashes(batches, merged):
    total = UniqueSketch(size=8)
    for batch in batches:
        hashes = hash_numbers(np.array(batch, np.int64))
        if merged:
            part = UniqueSketch(size=8)
            part.update(hashes)
            total.merge(part)
        else:
            total.update(hashes)
    every = np.unique(hash_numbers(np.array([n for batch in batches for n in batch], np.int64)))
    np.testing.assert_array_equal(total._smallest, every[:8])


def test_a_sketch_that_was_merged_into_another_keeps_its_values():
    first, second = UniqueSketch(size=4), UniqueSketch(size=4)
    second.update(hash_numbers(np.arange(3)))
    first.merge(second)
    first.update(hash_numbers(np.arange(9)))
    assert (second.estimate, len(first._smallest)) == (3, 4)


def test_a_batch_of_many_values_is_thinned_to_even_ranks():
    points = quantile_sketch(np.arange(10_000.0), size=100).points()
    assert points.values.tolist() == list(range(49, 10_000, 100))
    assert points.weights.tolist() == [100.0] * 100
    repeated = quantile_sketch(np.concatenate([np.zeros(5_000), np.arange(5_000.0)]), size=100).points()
    assert repeated.weights[0] == 5_000
    assert repeated.total == 10_000


@pytest.mark.parametrize("rows", [700, 4096, 10_000])
def test_points_of_even_weights_are_read_as_those_of_any(rows):
    sketch = quantile_sketch(np.random.default_rng(5).normal(size=rows))
    even = sketch.points()
    assert even.even == rows
    plain = even._replace(even=0)
    for one, other in ((even, plain), (even.thin(100), plain.thin(100))):
        assert [part.tolist() for part in one[:2]] == [part.tolist() for part in other[:2]]
        assert one.rank_error == other.rank_error
        at = np.linspace(-3, 3, 50)
        assert one.ranks(at).tolist() == other.ranks(at).tolist()
        assert one.quantiles(at / 6 + 0.5).tolist() == other.quantiles(at / 6 + 0.5).tolist()
