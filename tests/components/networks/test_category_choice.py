from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.networks.category_choice import embedding_width, is_key, least_count, neighbour_correlation


def test_least_count_grows_by_one_at_a_time() -> None:
    counts = [least_count(rows) for rows in range(1, 400_000, 100)]
    assert set(np.diff(counts)) == {0, 1}
    assert [least_count(rows) for rows in (1, 3000, 20_000, 100_000, 300_000)] == [2, 2, 3, 4, 5]


def test_embedding_width_grows_as_the_root() -> None:
    assert [embedding_width(size, None, 16) for size in (1, 2, 9, 100, 10_000)] == [1, 2, 4, 11, 16]
    assert embedding_width(9, 5, 16) == 5


def test_counts_of_neighbours_correlate_as_on_paper() -> None:
    # logarithms to base 2 in order: 2, 1, 0, 3
    assert neighbour_correlation([(3, 1), (1, 4), (2, 2), (4, 8)]) == pytest.approx(-2 / (28 / 3) ** 0.5)
    assert neighbour_correlation([(1, 5), (2, 5), (3, 5)]) == 1.0


def test_keys_have_many_values_that_repeat_by_chance() -> None:
    random = np.random.default_rng(3)
    frequent = sorted(random.integers(1, 100, 1000).tolist(), reverse=True)
    by_chance = list(zip(random.permutation(1000).tolist(), frequent, strict=True))
    smooth = [(i, 100 - i // 10) for i in range(1000)]
    rows = sum(frequent)
    assert is_key(by_chance, 1000, rows)
    assert not is_key(smooth, 1000, rows)
    assert not is_key(by_chance, 1000, 7999 + frequent[0])
    assert not is_key([(-1, rows), *by_chance], 1000, rows + 7999)  # zeros, and measurements that repeat now and then
    assert not is_key(by_chance[:200], 200, rows)
