"""The shares of several workers together: what one process would have of all rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from crossnet.components.errors import TrainingError
from crossnet.components.training import shared_rows as module
from crossnet.components.training.order import epoch_order
from crossnet.components.training.rows import Rows
from crossnet.components.training.shared_rows import SharedRows, first_found, shared
from crossnet.components.training.sharing import Sharing
from support.meetings import share_of, sharing

ROWS = 101


def rows(count: int = ROWS, weight: npt.NDArray[Any] | None = None, **more: Any) -> Rows:
    x = np.arange(count, dtype=np.float32)
    return Rows((x[:, None],), x, 20, weight=weight, **more)


def weights(count: int = ROWS) -> npt.NDArray[np.float32]:
    """Of the first third of the rows half weigh nothing."""
    found = np.arange(count) % 5 + 1.0
    found[: count // 3 : 2] = 0
    return found.astype(np.float32)


def shares(count: int, whole: Rows, work: Callable[[SharedRows], Any]) -> Any:
    return sharing(count, lambda workers: work(share_of(whole, workers)))


@pytest.mark.parametrize("weight", [None, weights()])
@pytest.mark.parametrize("count", [2, 3])
def test_workers_know_of_all_rows_and_of_the_places_of_their_own(count: int, weight: Any) -> None:
    def work(own: SharedRows) -> Any:
        ranks = [own.ranks(0, 5), own.ranks(5, len(own))]
        return own.whole, own.total_weight, own.counts.tolist(), own.places(np.arange(len(own))), np.concatenate(ranks)

    found = shares(count, rows(weight=weight), work)
    kept = np.arange(ROWS) if weight is None else np.flatnonzero(weight > 0)
    places = np.concatenate([part[3] for part in found])
    assert sorted(places.tolist()) == kept.tolist()
    for whole, total, counts, own, ranks in found:
        assert whole == len(kept)
        assert total == (len(kept) if weight is None else weight.sum())
        assert counts == [len(part[3]) for part in found]
        assert kept[ranks].tolist() == own.tolist()


@pytest.mark.parametrize("weight", [None, weights()])
@pytest.mark.parametrize("batch_size", [1, 7, 50, 1000])
def test_batches_of_all_workers_have_all_rows_once(batch_size: int, weight: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MANY_ROWS", 10)

    def work(own: SharedRows) -> Any:
        order = own.order(16, 1, 2)
        edges = own.edges(batch_size)
        assert own.updates(batch_size) == -(-own.whole // batch_size)
        assert np.diff(edges).max() <= own.widest(batch_size)
        parts = [order[first:last] for first, last in itertools.pairwise(edges)]
        sums = [len(part) if own.weight is None else own.weight[part].sum() for part in parts]
        np.testing.assert_allclose(own.batch_weights(batch_size, order), sums)
        for i, part in enumerate(parts):
            first, last = own.batch(i, batch_size)
            assert set(part) <= set(order[first:last])
            assert last - first == max(1, len(part))
        return [own.places(part) for part in parts], own.widest(batch_size)

    found = shares(3, rows(weight=weight), work)
    kept = np.arange(ROWS) if weight is None else np.flatnonzero(weight > 0)
    assert sorted(np.concatenate([np.concatenate(parts) for parts, _ in found]).tolist()) == kept.tolist()
    sizes = [sum(map(len, parts)) for parts in zip(*(parts for parts, _ in found), strict=True)]
    assert max(sizes) - min(sizes) <= 3
    assert len({widest for _, widest in found}) == 1


def test_each_worker_has_an_order_of_its_own_and_another_in_each_epoch() -> None:
    found = shares(2, rows(96), lambda own: [own.order(1000, 7, epoch).tolist() for epoch in (0, 1)])
    orders = [tuple(order) for both in found for order in both]
    assert len(set(orders)) == 4
    assert all(sorted(order) == list(range(48)) for order in orders)
    assert orders[2] == tuple(epoch_order(48, 1000, 7, 0, 1)[:])


def test_folds_weigh_what_they_weigh_in_all_rows() -> None:
    def work(own: SharedRows) -> Any:
        assert own.fold is not None
        own.hold_out(own.fold, 5)
        return own.fold_weights().tolist()

    whole = rows(weight=weights(), fold=(np.arange(ROWS) // 10 % 4).astype(np.int32))
    expected = np.bincount(np.arange(ROWS) // 10 % 4, weights(), minlength=5).tolist()
    assert shares(3, whole, work) == [expected] * 3


def test_joined_values_can_be_taken_apart_again() -> None:
    def work(own: SharedRows) -> Any:
        joined = own.joined(own.label)
        return sorted(joined.tolist()), own.own_part(joined).tolist() == own.label.tolist()

    assert shares(3, rows(), work) == [([float(i) for i in range(ROWS)], True)] * 3


def test_units_of_all_workers_are_told_apart_up_to_a_number() -> None:
    def work(own: SharedRows) -> Any:
        known = np.array([1, 5 + own.sharing.index], np.uint64)
        few, many = own.union(known, 3), own.union(known, 2)
        return few.tolist() if few is not None else None, many, own.union(None if own.sharing.index else known, 9)

    assert shares(2, rows(), work) == [([1, 5, 6], None, None)] * 2


def test_rows_are_told_apart_by_block() -> None:
    def work(own: SharedRows) -> Any:
        some = np.arange(0, len(own), 3)
        workers = list(own.workers_of_blocks())
        return workers, [own.places(some[first:last]).tolist() for first, last in own.by_block(some)]

    found = shares(2, rows(), work)
    (workers, _), _ = found
    taken = {index: iter(parts) for index, (_, parts) in enumerate(found)}
    in_order = [place for worker in workers for place in next(taken[worker])]
    assert in_order == sorted(in_order)
    assert len(in_order) > ROWS // 3 - 2


def test_all_make_as_many_updates_at_once() -> None:
    def work(workers: Sharing) -> Any:
        whole = rows()
        whole.chunk = 20 + workers.index
        return share_of(whole, workers).chunk

    assert sharing(3, work) == [20, 20, 20]


@pytest.mark.parametrize(("count", "weight"), [(1, None), (40, np.arange(40) % 4 // 2)])
def test_a_worker_without_rows_is_refused(count: int, weight: Any) -> None:
    def work(own: SharedRows) -> str:
        with pytest.raises(TrainingError) as error:
            own.check()
        return str(error.value)

    if weight is not None:  # blocks of two rows: those of worker 0 weigh nothing
        weight = weight.astype(np.float32)
    sentence = (
        f"`trainer.worker_rows` is share, and of the {'1 row' if count == 1 else '40 rows'} of train worker "
        f"{0 if weight is not None else 1} would get none whose weight is above 0. Set `trainer.worker_rows` to all, "
        "or train on fewer workers."
    )
    assert shares(2, rows(count, weight), work) == [sentence] * 2


def test_rows_that_are_not_shared_stay_as_they_are(tmp_path: Path) -> None:
    whole = rows()
    assert shared(whole, None, ROWS) is whole
    assert first_found(whole, (3, 1)) == (3, 1)
    assert first_found(whole, None) is None


def test_what_one_worker_has_found_all_know() -> None:
    def work(own: SharedRows) -> Any:
        index = own.sharing.index
        return first_found(own, None), first_found(own, (index, 7) if index else None)

    assert shares(3, rows(), work) == [(None, [1, 7])] * 3
