"""Rows in chunks: whole batches, in any order, and read ahead where they do not fit in memory."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossnet.components.training import rows as module
from crossnet.components.training.disk_array import DiskArray
from crossnet.components.training.order import epoch_order
from crossnet.components.training.rows import Rows


class Recorded(np.ndarray):
    """An array that notes which rows are taken from it, and in which thread."""

    taken: list[tuple[int, str]]
    noted: threading.Condition

    def __getitem__(self, rows: Any) -> Any:
        first = rows.start if isinstance(rows, slice) else rows[0]
        with self.noted:
            self.taken.append((int(first), threading.current_thread().name))
            self.noted.notify_all()
        return np.asarray(self)[rows]

    def waits_for(self, chunks: int) -> bool:
        with self.noted:
            return self.noted.wait_for(lambda: len(self.taken) >= chunks, timeout=10)


def recorded(count: int) -> Recorded:
    array = np.arange(count, dtype=np.float32)[:, None].view(Recorded)
    array.taken, array.noted = [], threading.Condition()
    return array


def label(count: int) -> np.ndarray[Any, Any]:
    return np.arange(count, dtype=np.float32)


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_next_chunk_is_read_while_this_one_is_used(shuffled: bool) -> None:
    array = recorded(10)
    chunks = Rows((array,), label(10), chunk=5).chunks(2, np.arange(10) if shuffled else None)
    assert next(chunks)[0] == 0
    assert array.waits_for(2)  # and nobody has asked for it
    assert [first for first, _ in array.taken] == [0, 4]  # one ahead, no more
    assert [chunk.first for chunk in chunks] == [4, 8]
    assert [first for first, _ in array.taken] == [0, 4, 8]
    assert threading.current_thread().name not in {thread for _, thread in array.taken}


def test_rows_in_memory_are_handed_over_as_they_are() -> None:
    array = recorded(10)
    ((first, (inputs,), *_),) = Rows((array,), label(10), chunk=10).chunks(5)
    assert first == 0
    assert np.shares_memory(inputs, array)
    assert array.taken == [(0, threading.current_thread().name)]


def on_disk(rows: Rows, folder: Path) -> Rows:
    """The same rows in files."""
    parts = []
    for i, part in enumerate((*rows.inputs, rows.label, rows.weight, rows.place)):
        parts.append(DiskArray(folder / f"{i}.bin", part.shape[1:], part.dtype))
        parts[-1].append(part[:])
    *inputs, labels, weight, place = parts
    return Rows(tuple(inputs), labels, rows.chunk, rows.fold, weight, place)


@pytest.mark.parametrize("order", [None, "all", "windows"])
@pytest.mark.parametrize("first", [0, 60])
def test_rows_on_disk_come_as_those_in_memory(
    first: int, order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MANY_ROWS", 130)  # weights are summed by so many
    x, ids = np.random.default_rng(0).random((1000, 2), np.float32), np.arange(2000).reshape(1000, 2)
    fold, place = np.arange(1000, dtype=np.int32) % 3, np.arange(1000) * 2
    rows = Rows((x, ids), label(1000), 70, fold=fold, weight=label(1000) + 1, place=place)
    places = order and epoch_order(1000, 1000 if order == "all" else 128, seed=3, epoch=1)
    expected = np.arange(1000) if order is None else np.array(places[:])
    for some in (rows, on_disk(rows, tmp_path)):
        parts = list(some.chunks(20, places, first=first))
        assert [part.first for part in parts] == list(range(first, 1000, 60))
        found = [np.concatenate(columns) for columns in zip(*(part.inputs for part in parts), strict=True)]
        np.testing.assert_array_equal(found[0], x[expected[first:]])
        np.testing.assert_array_equal(found[1], ids[expected[first:]])
        assert np.concatenate([part.label for part in parts]).tolist() == expected[first:].tolist()
        assert np.concatenate([part.fold for part in parts]).tolist() == (expected[first:] % 3).tolist()
        sums = some.batch_weights(20, places)
        assert sums.tolist() == [np.sum(expected[i : i + 20] + 1) for i in range(0, 1000, 20)]
        assert some.total_weight == sum(range(1, 1001))
        assert some.places(np.array([0, 999])).tolist() == [0, 1998]


@pytest.mark.parametrize("chunk", [1, 3, 5, 7, 10])
@pytest.mark.parametrize("batch", [1, 3, 10, 20])
def test_chunks_are_whole_batches_of_all_rows(chunk: int, batch: int) -> None:
    order = np.random.default_rng(0).permutation(10)
    x = np.arange(10, dtype=np.float32)[:, None]
    parts = list(Rows((x,), label(10), chunk).chunks(batch, order))
    assert all(len(values) % batch == 0 for _, _, values, *_ in parts[:-1])
    np.testing.assert_array_equal(np.concatenate([values for _, _, values, *_ in parts]), order)
    np.testing.assert_array_equal(np.concatenate([inputs for _, (inputs,), *_ in parts])[:, 0], order)
    assert [part.first for part in parts] == list(np.cumsum([0, *(len(values) for _, _, values, *_ in parts[:-1])]))


def test_a_reader_that_is_left_early_ends() -> None:
    before = threading.active_count()
    chunks = Rows((label(10)[:, None],), label(10), chunk=2).chunks(1)
    next(chunks)
    assert threading.active_count() == before + 1
    chunks.close()
    assert threading.active_count() == before


def test_an_error_of_the_reader_reaches_the_caller() -> None:
    with pytest.raises(IndexError):
        list(Rows((label(10)[:, None],), label(10), chunk=2).chunks(1, np.full(10, 99)))


def test_a_chunk_is_one_batch_where_sums_are_taken() -> None:
    chunks = Rows((label(10)[:, None],), label(10), chunk=10).chunks(4, single=True)
    assert [(chunk.first, len(chunk.label)) for chunk in chunks] == [(0, 4), (4, 4), (8, 2)]


@pytest.mark.parametrize("chunk", [3, 10])
def test_rows_of_some_folds_come_alone_and_in_their_order(chunk: int) -> None:
    x = np.arange(10, dtype=np.float32)[:, None]
    rows = Rows((x,), label(10), chunk, fold=np.arange(10, dtype=np.int32) % 5)
    order = rows.places_in([3, 1, 3])
    assert order is not None
    assert order.tolist() == [1, 3, 6, 8]
    parts = list(rows.chunks(2, order))
    assert np.concatenate([part.inputs[0] for part in parts])[:, 0].tolist() == [1, 3, 6, 8]
    assert np.concatenate([part.fold for part in parts]).tolist() == [1, 3, 1, 3]
    assert rows.places_in(range(5)) is None


def test_of_many_rows_those_of_some_folds_are_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY_ROWS", 4)
    x, fold = np.arange(10, dtype=np.float32)[:, None], np.arange(10, dtype=np.int32) % 5
    rows = Rows((x,), label(10), 3, fold=fold, weight=label(10), folder=tmp_path)
    order, others = rows.places_in([3, 1]), rows.places_in([0])
    assert isinstance(order, DiskArray)
    assert (order[:].tolist(), others[:].tolist()) == ([1, 3, 6, 8], [0, 5])
    assert rows.places_in((1, 3)) is order
    parts = list(rows.chunks(2, order))
    assert np.concatenate([part.inputs[0] for part in parts])[:, 0].tolist() == [1, 3, 6, 8]
    assert rows.fold_weights().tolist() == [5.0, 7.0, 9.0, 11.0, 13.0]
    rows.weight, rows.fold = None, np.repeat([2, 0], 5)
    assert rows.fold_weights().tolist() == [5.0, 0.0, 5.0]
    assert rows.places_in([0])[:].tolist() == [5, 6, 7, 8, 9]
    assert rows.file_for("a") == tmp_path / "a.bin"
    monkeypatch.undo()
    assert rows.file_for("a") is None
