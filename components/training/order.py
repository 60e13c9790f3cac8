"""Orders the rows of an epoch, all at once or in windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

# A window holds rows of so many places of the table, so that neighbours in a sorted table come apart.
BLOCKS = 64


class Piece(NamedTuple):
    """Some rows that follow each other in an order and are of one window.

    Attributes:
      window: Its number.
      blocks: The rows that the window holds: first and last (not included) of each run of rows, in turn.
      places: int32 or int64 (rows,): the piece's rows, as places in these runs.
    """

    window: int
    blocks: list[tuple[int, int]]
    places: npt.NDArray[Any]


class WindowedOrder:
    """An order of rows that is known window by window, so that memory does not grow with the rows.

    The table is cut into blocks of equal length, and these are put into a random order. `BLOCKS` of them at a time are
    a window, whose rows are put into a random order. All of it follows from the arguments.

    Args:
      rows: How many.
      window: How many a window holds, about.
      seed: Of the randomness.
    """

    def __init__(self, rows: int, window: int, seed: list[int]) -> None:
        self._rows, self._seed = rows, seed
        self._block = max(1, window // BLOCKS)
        self._blocks = np.random.default_rng(seed).permutation(-(-rows // self._block))
        # The table's last block may be shorter: from where it stands on, rows come earlier.
        self._short_at = int(np.argmax(self._blocks))
        self._missing = len(self._blocks) * self._block - rows
        self._known: Piece | None = None

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, part: slice) -> npt.NDArray[np.int64]:
        """Returns the rows at some consecutive positions of the order, int64 (positions,)."""
        first, last, _ = part.indices(self._rows)
        found = [np.zeros(0, np.int64)]
        for piece in self.pieces(first, last):
            starts = np.array([start for start, _ in piece.blocks])
            ends = np.cumsum([end - start for start, end in piece.blocks])
            block = np.searchsorted(ends, piece.places, side="right")
            found.append(piece.places - np.concatenate([[0], ends[:-1]])[block] + starts[block])
        return np.concatenate(found)

    def pieces(self, first: int, last: int) -> Iterator[Piece]:
        """Yields the positions `first` to `last - 1` window by window."""
        window = first // (BLOCKS * self._block)
        while first < last:
            start, end = self._start(window), self._start(window + 1)
            if first < end:
                whole = self._window(window)
                yield whole._replace(places=whole.places[first - start : last - start])
                first = min(last, end)
            window += 1

    def _start(self, window: int) -> int:
        """Returns the first position of a window."""
        block = window * BLOCKS
        return min(self._rows, block * self._block - (self._missing if block > self._short_at else 0))

    def _window(self, number: int) -> Piece:
        known = self._known
        if known is None or known.window != number:
            numbers = self._blocks[number * BLOCKS : (number + 1) * BLOCKS].tolist()
            blocks = [(i * self._block, min(self._rows, (i + 1) * self._block)) for i in numbers]
            places = _permutation(self._start(number + 1) - self._start(number), [*self._seed, number])
            known = self._known = Piece(number, blocks, places)
        return known


Order = npt.NDArray[np.int64] | WindowedOrder


def epoch_order(rows: int, window: int, seed: int, epoch: int, worker: int | None = None) -> Order:
    """Returns a random order of rows for an epoch: of all of them where a window holds them, else by windows.

    Args:
      rows: How many.
      window: How many rows are put into order at once.
      seed: Of the training.
      epoch: Counted from 0.
      worker: Whose rows they are; None: all of them.
    """
    seeds = [seed, epoch] if worker is None else [seed, epoch, worker]
    return WindowedOrder(rows, window, seeds) if rows > window else _permutation(rows, seeds)


def _permutation(count: int, seed: list[int]) -> npt.NDArray[Any]:
    """Returns a permutation; int32, where that holds it, takes half the memory of int64 and is in the same order."""
    numbers = np.arange(count, dtype=np.int32 if count < 1 << 31 else np.int64)
    return np.random.default_rng(seed).permutation(numbers)
