"""Counts how often each whole number of a column occurs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossnet.components.statistics.sketches import first_of_each

Whole = NDArray[np.int64]
_SPREAD = 4  # as often are all numbers between the least and the most as those that occur


class WholeCounts:
    """Counts each whole number exactly, up to `capacity` distinct ones; of a column with more it counts none.

    So what is counted does not depend on how the column comes in parts.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        self.capacity = capacity
        self._values: Whole | None = np.empty(0, np.int64)  # ascending; None: there are too many
        self._counts: Whole = np.empty(0, np.int64)

    def update(self, ordered: NDArray[Any], first: NDArray[np.bool_]) -> None:
        """Adds whole numbers, sorted (rows,), with what `first_of_each` returns for them."""
        if self._values is not None and len(ordered):
            starts = np.flatnonzero(first)
            self._add(ordered[starts].astype(np.int64), np.diff(starts, append=len(ordered)))

    def merge(self, other: WholeCounts) -> None:
        """Adds the numbers of `other`."""
        if other._values is None:
            self._values = None
        elif len(other._values):
            self._add(other._values, other._counts)

    def _add(self, values: Whole, counts: Whole) -> None:
        if self._values is None or not len(values):
            return
        both = np.concatenate([self._values, values])
        low = int(both.min())
        if int(both.max()) - low < _SPREAD * len(both):  # to count by place takes a tenth of the time of a sort
            places = np.zeros(int(both.max()) - low + 1, np.int64)
            places[self._values - low] = self._counts
            places[values - low] += counts
            found = np.flatnonzero(places)
            merged, counts = found + low, places[found]
        else:
            order = np.argsort(both, kind="stable")
            both = both[order]
            starts = np.flatnonzero(first_of_each(both))
            merged, counts = both[starts], np.add.reduceat(np.concatenate([self._counts, counts])[order], starts)
        self._values, self._counts = (None, counts) if len(merged) > self.capacity else (merged, counts)

    @property
    def unique(self) -> int | None:
        """Distinct numbers; None where they are more than `capacity`."""
        return None if self._values is None else len(self._values)

    def most_common(self, number: int) -> tuple[Whole, Whole]:
        """Returns the most frequent numbers and their counts, most frequent first, ties in ascending order."""
        if self._values is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        counts, often = self._counts, np.arange(len(self._counts))
        if len(counts) > number:  # to sort few takes less time
            often = np.flatnonzero(counts >= np.partition(counts, -number)[-number])
        order = often[np.argsort(-counts[often], kind="stable")[:number]]
        return self._values[order], counts[order]
