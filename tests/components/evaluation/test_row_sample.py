from __future__ import annotations

import itertools
import weakref

import numpy as np
import pytest

from crossnet.components.evaluation.row_sample import RowSample


def add(sample, first, count, **more):
    rows = np.arange(first, first + count, dtype=float)
    sample.add({"x": rows, "unused": rows}, 10 * rows, np.stack([rows, -rows]), **more)


def test_a_small_split_is_kept_whole():
    sample = RowSample(["x"])
    for first in (0, 3, 6):
        add(sample, first, 3, weights=np.ones(3), groups=np.array([b"a", b"b", b"a"], object))
    assert (sample.rows, sample.stride) == (9, 1)
    assert sample.column("x").tolist() == [*range(9)]
    assert sample.predictions(1).tolist() == [-row for row in range(9)]
    assert (sample.weights.tolist(), sample.groups.tolist()) == ([1] * 9, [b"a", b"b", b"a"] * 3)


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_of_a_large_split_every_kth_row_is_kept_whatever_the_batches(batch):
    sample = RowSample(["x"], limit=20)
    for first in range(0, 100, batch):
        add(sample, first, min(batch, 100 - first))
    assert sample.stride == 8
    assert sample.column("x").tolist() == [*range(0, 100, 8)]
    assert sample.labels.tolist() == [10 * row for row in range(0, 100, 8)]


@pytest.mark.parametrize("bounds", [(0, 100), (0, 3, 50, 100), (0, 1, 2, 99, 100)])
def test_samples_of_parts_are_that_of_the_whole(bounds):
    whole, total = RowSample(["x"], limit=20), RowSample(["x"], limit=20)
    add(whole, 0, 100)
    for first, stop in itertools.pairwise(bounds):
        part = total.part(first, 100)
        for start in range(first, stop, 7):
            add(part, start, min(7, stop - start))
        total.merge(part)
    assert (total.rows, total.stride) == (whole.rows, whole.stride) == (13, 8)
    assert total.column("x").tolist() == whole.column("x").tolist()
    assert total.predictions(1).tolist() == whole.predictions(1).tolist()


def test_batches_are_not_kept():
    sample, batches = RowSample(["x"], limit=20), []
    for first in range(0, 1000, 50):
        rows = np.arange(first, first + 50, dtype=float)
        batches.append(weakref.ref(rows))
        sample.add({"x": rows}, rows, rows[None])
    del rows
    assert [batch() for batch in batches] == [None] * 20


def test_without_rows_there_is_nothing():
    sample = RowSample(["x"])
    assert (sample.rows, sample.weights, sample.groups) == (0, None, None)
