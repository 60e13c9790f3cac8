from __future__ import annotations

import itertools

import numpy as np
import pytest

from crossnet.components.records.row_blocks import RowBlocks


@pytest.mark.parametrize(
    ("rows", "step", "size"), [(0, 2, 3), (1, 2, 3), (7, 2, 3), (20, 3, 1), (24, 2, 4), (25, 4, 6)]
)
def test_each_row_is_in_the_blocks_of_one_reader(rows: int, step: int, size: int) -> None:
    found = []
    for first in range(step):
        blocks = RowBlocks(first, step, size)
        own = [place for start, stop in blocks.parts(0, rows) for place in range(start, stop)]
        assert len(own) == blocks.count(rows)
        assert blocks.places(np.arange(len(own))).tolist() == own
        assert all(place // size % step == first for place in own)
        found += own
    assert sorted(found) == list(range(rows))


@pytest.mark.parametrize("ends", [(0, 5, 5, 13, 20), (0, 20), (0, *range(1, 21))])
def test_parts_of_batches_are_those_of_all_rows(ends: tuple[int, ...]) -> None:
    blocks = RowBlocks(1, 2, 3)
    expected = [place for start, stop in blocks.parts(0, 20) for place in range(start, stop)]
    found = []
    for first, last in itertools.pairwise(ends):
        parts = list(blocks.parts(first, last))
        assert all(0 <= start < stop <= last - first for start, stop in parts)
        found += [first + place for start, stop in parts for place in range(start, stop)]
    assert found == expected == [3, 4, 5, 9, 10, 11, 15, 16, 17]
