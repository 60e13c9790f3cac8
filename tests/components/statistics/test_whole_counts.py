import itertools
from collections import Counter

import numpy as np
import pytest

from crossnet.components.statistics.sketches import first_of_each
from crossnet.components.statistics.whole_counts import WholeCounts


def counted(*batches, capacity=100_000):
    counts = WholeCounts(capacity)
    for batch in batches:
        ordered = np.sort(np.array(batch, np.int64))
        counts.update(ordered, first_of_each(ordered))
    return counts


def common(counts, number):
    values, rows = counts.most_common(number)
    return list(zip(values.tolist(), rows.tolist(), strict=True))


def test_most_frequent_numbers_come_first_and_ties_ascend():
    counts = counted([3, 1, 3], [], [-2, 1, 9])
    assert counts.unique == 4
    assert common(counts, 3) == [(1, 2), (3, 2), (-2, 1)]


def test_few_of_many_numbers_are_the_first_of_all():
    counts = counted(np.random.default_rng(0).integers(0, 50, 300))
    assert common(counts, 7) == common(counts, 50)[:7]


@pytest.mark.parametrize("step", [1, 3, 1000, 2**40])
def test_numbers_near_each_other_and_far_apart_are_counted_alike(step):
    batches = [(np.random.default_rng(seed).integers(-40, 40, 50) * step).tolist() for seed in range(5)]
    expected = Counter(itertools.chain.from_iterable(batches))
    counts = counted(*batches, [batches[0][0]])
    expected[batches[0][0]] += 1
    assert dict(common(counts, 99)) == expected
    assert counted(*batches, capacity=len(expected)).unique == len(expected)
    assert counted(*batches, capacity=len(expected) - 1).unique is None


def test_extremes_of_64_bits_are_exact():
    extremes = [-(2**63), 2**63 - 1, 2**63 - 2]
    assert common(counted(extremes, [2**63 - 1]), 9) == [(2**63 - 1, 2), (-(2**63), 1), (2**63 - 2, 1)]


def test_parts_are_merged_in_any_order_and_too_many_stay_too_many():
    parts = [[1, 1, 2], [3], [2, 4, 4, 4]]
    for order in itertools.permutations(parts):
        for capacity, expected in ((4, [(4, 3), (1, 2), (2, 2), (3, 1)]), (3, [])):
            whole, merged = counted(*order, capacity=capacity), counted(capacity=capacity)
            for part in order:
                merged.merge(counted(part, capacity=capacity))
            assert common(whole, 9) == common(merged, 9) == expected
            assert whole.unique == merged.unique == (4 if capacity == 4 else None)
