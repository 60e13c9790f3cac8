"""Orders: every row once, by seed and epoch, from many places, known without the orders before."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.training.order import BLOCKS, WindowedOrder, epoch_order


def test_an_order_of_few_rows_is_a_permutation_of_all() -> None:
    expected = np.random.default_rng([7, 3]).permutation(100)
    np.testing.assert_array_equal(epoch_order(100, 100, seed=7, epoch=3), expected)


@pytest.mark.parametrize("rows", [129, 1000, 1279, 1280, 1281])
@pytest.mark.parametrize("window", [1, 64, 128])
def test_a_windowed_order_has_every_row_once(rows: int, window: int) -> None:
    order = epoch_order(rows, window, seed=1, epoch=0)
    assert isinstance(order, WindowedOrder)
    assert len(order) == rows
    whole = order[:]
    np.testing.assert_array_equal(np.sort(whole), np.arange(rows))
    parts = [order[first : first + 37] for first in range(0, rows, 37)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    again = epoch_order(rows, window, seed=1, epoch=0)  # begun in the middle
    np.testing.assert_array_equal(again[rows // 2 :], whole[rows // 2 :])


def test_a_windowed_order_follows_from_seed_and_epoch() -> None:
    orders = [tuple(epoch_order(1000, 128, seed, epoch)[:]) for seed in (1, 2) for epoch in (0, 1)]
    assert len(set(orders)) == 4


def test_a_window_takes_rows_from_all_over_the_table() -> None:
    rows = 100_000
    order = epoch_order(rows, 6400, seed=1, epoch=0)
    for first in range(0, rows - 6400, 6400):
        part = np.sort(order[first : first + 6400])
        assert part[0] < rows * 0.15
        assert part[-1] > rows * 0.85
        assert np.diff(part).max() < rows * 0.15
        assert len(np.unique(part // (6400 // BLOCKS))) == BLOCKS
