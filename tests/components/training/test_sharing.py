from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.training.sharing import BLOCKS, MAX_BLOCK_ROWS, Sharing
from support.meetings import sharing, together


def test_sums_are_added_up_to_the_same_bits_on_all_workers() -> None:
    sums = np.array([0.1, 1e17, -3.0])
    found = sharing(3, lambda workers: workers.total(sums * (workers.index + 1)))
    expected = np.zeros(3)
    for i in range(3):
        expected += sums * (i + 1)
    assert [part.tobytes() for part in found] == [expected.tobytes()] * 3


def test_values_are_joined_in_the_order_of_the_workers() -> None:
    found = sharing(3, lambda workers: workers.joined(np.arange(workers.index, dtype=np.uint64) + 2**63))
    assert [part.tolist() for part in found] == [[2**63, 2**63, 2**63 + 1]] * 3
    assert found[0].dtype == np.uint64


def test_values_go_to_the_chief() -> None:
    dtype = [("row", np.int64), ("parts", np.float64, (2,))]
    given = np.array([(1, (0.5, 2.0))], dtype)
    taken, _ = together(lambda m: Sharing(m).take(1, dtype), lambda m: Sharing(m).give(given))
    assert taken["row"].tolist() == [1]
    assert taken["parts"].tolist() == [[0.5, 2.0]]


@pytest.mark.parametrize("rows", [2, 3, 17, 1000, 40_000_001, 10**10])
@pytest.mark.parametrize("count", [2, 3, 7])
def test_shares_are_nearly_equal_and_of_some_blocks_each(count: int, rows: int) -> None:
    class Meeting:
        class cluster:
            addresses = ("a:1",) * count

    shares = []
    for index in range(count):
        Meeting.cluster.index = index  # type: ignore[attr-defined]
        blocks = Sharing(Meeting()).blocks(rows)  # type: ignore[arg-type]
        shares.append(blocks.count(rows))
        assert blocks.size <= MAX_BLOCK_ROWS
        assert rows < BLOCKS * count or shares[-1] >= (BLOCKS - 1) * blocks.size
    assert sum(shares) == rows
    assert max(shares) - min(shares) <= blocks.size
