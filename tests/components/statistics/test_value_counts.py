from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.components.records.texts import as_texts
from crossnet.components.statistics.value_counts import ValueCounts, count_texts


def count(counts: ValueCounts, texts: list[bytes]) -> None:
    counted = as_texts(texts).value_counts()
    counts.add(counted.field("values"), counted.field("counts").to_numpy())


def common(counts: ValueCounts, number: int) -> list[tuple[bytes, int]]:
    values, rows = counts.most_common(number)
    return list(zip(values.to_pylist(), rows.tolist(), strict=True))


def test_value_counts_are_exact_up_to_twice_their_capacity():
    counts = ValueCounts(capacity=3)
    count(counts, [b"a", b"b", b"c", b"d", b"e", b"f", b"a"])
    assert (counts.unique, counts.count_error) == (6, 0)
    assert common(counts, 3) == [(b"a", 2), (b"b", 1), (b"c", 1)]


def test_value_counts_forget_the_rare_and_say_how_wrong_they_may_be():
    rng = np.random.default_rng(5)
    texts = [b"%d" % value for value in np.minimum(rng.zipf(1.3, 50_000), 10**9)]
    counts = ValueCounts(capacity=500)
    for start in range(0, len(texts), 1000):
        count(counts, texts[start : start + 1000])
        assert len(counts.counts()[0]) <= 1000
    true = ValueCounts(capacity=10**6)
    count(true, texts)
    assert counts.count_error > 0
    assert counts.unique == pytest.approx(true.unique, rel=4 / np.sqrt(4094))
    found = dict(common(counts, 1000))
    for value, rows in common(true, 50):
        assert rows - counts.count_error <= found[value] <= rows


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=3), max_size=60), st.lists(st.binary(max_size=3), max_size=60))
def test_value_counts_merge_equals_whole(a, b):
    one, other, whole = ValueCounts(), ValueCounts(), ValueCounts()
    count(one, a)
    count(other, b)
    count(whole, a + b)
    one.merge(other)
    assert (one.unique, common(one, 9)) == (whole.unique, common(whole, 9))


@pytest.mark.parametrize("texts", [[], [b"b", b"a", b""], [b"b", b"a", b"b"], [b"x%d" % n for n in range(999)]])
def test_texts_are_counted_alike_whether_all_may_differ_or_not(texts: list[bytes]) -> None:
    expected = Counter(texts)
    for may_differ in (False, True):
        values, rows = count_texts(as_texts(texts), may_differ=may_differ)
        assert (values.to_pylist(), rows.tolist()) == ([*expected], [*expected.values()])


@pytest.mark.parametrize("again", [[], [b"7", b"123"]])
def test_texts_that_occur_once_in_each_part_are_joined(again: list[bytes]) -> None:
    counts, parts = ValueCounts(), [[b"%d" % n for n in range(start, start + 100)] for start in (0, 100)]
    for part in (*parts, again):
        count(counts, part)
    values, rows = counts.counts()
    assert dict(zip(values.to_pylist(), rows.tolist(), strict=True)) == Counter([*parts[0], *parts[1], *again])


@pytest.mark.parametrize("batch", [7, 1000, 20_000])
def test_value_counts_of_batches_of_any_size_are_those_of_a_counter(batch: int) -> None:
    texts = [b"%d" % value for value in np.random.default_rng(1).integers(0, 30_000, 50_000)]
    counts, expected = ValueCounts(), Counter(texts)
    for start in range(0, len(texts) if batch > 7 else 5000, batch):
        count(counts, texts[start : start + batch])
    if batch == 7:
        expected = Counter(texts[:5005])
    values, rows = counts.counts()
    assert dict(zip(values.to_pylist(), rows.tolist(), strict=True)) == expected
    assert common(counts, 100) == sorted(expected.items(), key=lambda item: (-item[1], item[0]))[:100]


def test_value_counts_forget_after_the_batch_that_has_too_many() -> None:
    """As if each batch were counted at once: what is forgotten does not depend on when parts are joined."""
    rng = np.random.default_rng(2)
    counts, expected, error = ValueCounts(capacity=50), Counter[bytes](), 0
    for _ in range(200):
        texts = [b"%d" % value for value in np.minimum(rng.zipf(1.5, 20), 10**6)]
        count(counts, texts)
        expected.update(texts)
        if len(expected) > 100:
            limit = sorted(expected.values())[-51]
            expected = Counter({value: rows for value, rows in expected.items() if rows > limit})
            error += limit
    values, rows = counts.counts()
    assert dict(zip(values.to_pylist(), rows.tolist(), strict=True)) == expected
    assert counts.count_error == error > 0
