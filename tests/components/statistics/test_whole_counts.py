import itertools

import numpy as np

from crossnet.components.statistics.sketches import first_of_each
from crossnet.components.statistics.whole_counts import WholeCounts


def counted(*batches, capacity=100_000):
    counts = WholeCounts(capacity)
    for batch in batches:
        ordered = np.sort(np.array(batch, np.int64))
        counts.update(ordered, first_of_each(ordered))
    return counts


def test_most_frequent_numbers_come_first_and_ties_ascend():
    counts = counted([3, 1, 3], [], [-2, 1, 9])
    assert counts.unique == 4
    assert counts.most_common(3) == [(1, 2), (3, 2), (-2, 1)]


def test_extremes_of_64_bits_are_exact():
    extremes = [-(2**63), 2**63 - 1, 2**63 - 2]
    assert counted(extremes, [2**63 - 1]).most_common(9) == [(2**63 - 1, 2), (-(2**63), 1), (2**63 - 2, 1)]


def test_parts_are_merged_in_any_order_and_too_many_stay_too_many():
    parts = [[1, 1, 2], [3], [2, 4, 4, 4]]
    for order in itertools.permutations(parts):
        for capacity, expected in ((4, [(4, 3), (1, 2), (2, 2), (3, 1)]), (3, [])):
            whole, merged = counted(*order, capacity=capacity), counted(capacity=capacity)
            for part in order:
                merged.merge(counted(part, capacity=capacity))
            assert whole.most_common(9) == merged.most_common(9) == expected
            assert whole.unique == merged.unique == (4 if capacity == 4 else None)
