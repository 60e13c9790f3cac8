"""Gives a worker its part of every batch from its own rows.

A pass over all rows has as many updates as on one device. Each takes of every worker as many rows as bring all of them
to their last row with the last update, also those of unequal shares. So each row is seen once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from crossnet.components.errors import TrainingError
from crossnet.components.formats import counted
from crossnet.components.hashing import Hashes
from crossnet.components.records.row_blocks import RowBlocks
from crossnet.components.training.disk_array import MANY_ROWS
from crossnet.components.training.order import Order, epoch_order
from crossnet.components.training.rows import Rows, Values, slices_of
from crossnet.components.training.sharing import Floats, Sharing


@dataclass
class SharedRows(Rows):
    """The rows of a split that one of several workers has.

    Make it on all workers at the same time, as they then call what they have to call together: `hold_out`, `total`,
    `joined` and `union`.

    Attributes:
      sharing: The workers.
      split_rows: How many rows the split has, those of weight 0 too.
      counts: int64 (workers,): how many rows each worker has.
    """

    sharing: Sharing = field(kw_only=True)
    split_rows: int = field(kw_only=True)

    def __post_init__(self) -> None:
        own, weight = self._of_own_blocks(), Rows.total_weight.fget(self)  # type: ignore[attr-defined]
        blocks = -(-self.split_rows // self._own.size)
        of_blocks = np.zeros(blocks + 1)
        of_blocks[self._own.first : blocks : self._own.step] = own
        of_blocks[-1] = weight
        *found, self._weight = self.sharing.total(of_blocks).tolist()
        sizes = np.array(found, np.int64)
        self.counts = np.array([sizes[i :: self._own.step].sum() for i in range(self._own.step)], np.int64)
        # Where each of the own blocks begins: among the own rows, and among all.
        self._begins = np.cumsum([0, *own])
        self._ranks = (np.cumsum(sizes) - sizes)[self._own.first :: self._own.step]
        self.chunk = int(self.sharing.joined(np.array([self.chunk])).min())  # so that all make as many updates at once
        self._fold_weights = np.zeros(0)

    @property
    def _own(self) -> RowBlocks:
        assert self.blocks is not None
        return self.blocks

    def _of_own_blocks(self) -> list[int]:
        """Returns how many rows there are of each own block, without those of weight 0."""
        read, size = self._own.count(self.split_rows), self._own.size
        ends = [min(read, first + size) for first in range(0, read, size)]
        if self.place is None:
            return np.diff([0, *ends]).tolist()
        found = np.zeros(len(ends), np.int64)
        for _, part in slices_of(self.place):
            found += np.bincount(part // size, minlength=len(ends))
        return found.tolist()

    @property
    def whole(self) -> int:
        """How many rows all workers have."""
        return int(self.counts.sum())

    def check(self) -> None:
        """Checks that each worker has rows to learn from.

        Raises:
          TrainingError: One has none.
        """
        if not self.counts.all():
            raise TrainingError(
                f"`trainer.worker_rows` is share, and of the {counted(self.split_rows, 'row')} of train worker "
                f"{int(np.argmin(self.counts))} would get none whose weight is above 0. Set `trainer.worker_rows` to "
                "all, or train on fewer workers."
            )

    def edges(self, batch_size: int) -> npt.NDArray[np.int64]:
        """Returns the positions in a pass's order at which batches begin, and the last ends: int64 (updates + 1,)."""
        updates = self.updates(batch_size)
        return np.arange(updates + 1, dtype=np.int64) * len(self) // updates

    def batch(self, number: int, batch_size: int) -> tuple[int, int]:
        """Returns the positions of this worker's part of a batch: at least one row, which may count for nothing."""
        first, last = self.edges(batch_size)[number : number + 2].tolist()
        first = min(first, len(self) - 1)
        return first, max(last, first + 1)

    def widest(self, batch_size: int) -> int:
        """Returns how many rows the largest part of a batch has on the worker that has most rows."""
        return max(1, -(-int(self.counts.max()) // self.updates(batch_size)))

    def order(self, window: int, seed: int, epoch: int) -> Order:
        """Returns an epoch's random order of this worker's rows."""
        return epoch_order(len(self), window, seed, epoch, self.sharing.index)

    @property
    def total_weight(self) -> float:
        """The weight of the rows of all workers."""
        return float(self._weight)

    def batch_weights(self, batch_size: int, order: Order | None = None) -> npt.NDArray[np.float64]:
        """Returns the weight of this worker's part of each batch."""
        edges = self.edges(batch_size)
        if self.weight is None:
            return np.diff(edges).astype(np.float64)
        total = np.zeros(len(edges) - 1)
        for first in range(0, len(self), MANY_ROWS):
            last = min(first + MANY_ROWS, len(self))
            weight = self.weight[slice(first, last) if order is None else order[first:last]]
            batch = np.searchsorted(edges, np.arange(first, last), side="right") - 1
            total += np.bincount(batch, weight, minlength=len(total))
        return total

    def hold_out(self, fold: Values, count: int) -> None:
        """Takes the fold of each row, and adds up over the workers what the rows of each of `count` folds weigh."""
        self.fold = fold
        own = super().fold_weights()
        self._fold_weights = self.sharing.total(np.pad(own, (0, count - len(own))))

    def fold_weights(self) -> Floats:
        """Returns the weight of the rows of each fold, of all workers, (folds,)."""
        return self._fold_weights

    def total(self, sums: Floats) -> Floats:
        """Returns the sums over all workers of sums over their rows."""
        return self.sharing.total(sums)

    def joined(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns what all workers have of their rows, one worker's after the other's."""
        return self.sharing.joined(values)

    def own_part(self, joined: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns of what was made of `joined` values of all rows those of this worker's rows."""
        first = int(self.counts[: self.sharing.index].sum())
        return joined[first : first + len(self)]

    def union(self, known: Hashes | None, most: int) -> Hashes | None:
        """Returns the different units of all workers, ascending; None where one knows of too many, or all do."""
        if self.sharing.total(np.array([float(known is None)]))[0]:
            return None
        found = np.unique(self.sharing.joined(np.zeros(0, np.uint64) if known is None else known))
        return found if len(found) <= most else None

    def ranks(self, first: int, last: int) -> npt.NDArray[np.int64]:
        """Returns the places of the own rows `first` to `last - 1` among the rows of all workers, int64 (rows,)."""
        rows = np.arange(first, last)
        block = np.searchsorted(self._begins, rows, side="right") - 1
        return np.asarray(rows - self._begins[block] + self._ranks[block])

    def workers_of_blocks(self) -> Iterator[int]:
        """Yields which worker has each block of the split, in its order."""
        return (block % self._own.step for block in range(-(-self.split_rows // self._own.size)))

    def by_block(self, rows: Values) -> list[tuple[int, int]]:
        """Returns which of some own rows, ascending, are in each own block: first place, and the one after the last."""
        found = np.zeros(len(self._begins) - 1, np.int64)
        for _, part in slices_of(rows):
            block = np.searchsorted(self._begins, part, side="right") - 1
            found += np.bincount(block, minlength=len(found))
        return list(itertools.pairwise([0, *np.cumsum(found).tolist()]))


def shared(rows: Rows, sharing: Sharing | None, split_rows: int) -> Rows:
    """Returns the rows that a worker has read, as its share of all; as they are, where it has read all.

    Args:
      rows: The rows.
      sharing: The workers; None: this process has read all.
      split_rows: How many rows the split has.
    """
    if sharing is None:
        return rows
    return SharedRows(
        rows.inputs,
        rows.label,
        rows.chunk,
        rows.fold,
        rows.weight,
        rows.place,
        rows.folder,
        rows.blocks,
        rows.units,
        sharing=sharing,
        split_rows=split_rows,
    )


def first_found(rows: Rows, found: Sequence[int] | None) -> Sequence[int] | None:
    """Returns what the first worker has found that has found something; all of them ask."""
    if not isinstance(rows, SharedRows):
        return found
    all_found = rows.joined(np.array([-1, -1] if found is None else found, np.int64)).reshape(-1, 2).tolist()
    return next((one for one in all_found if one[0] >= 0), None)
