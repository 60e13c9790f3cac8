"""Counts how often each text of a column occurs, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.hashing import Hashes, hash_texts
from crossnet.components.records.texts import as_texts, chosen, joined, text_buffers
from crossnet.components.statistics.sketches import UniqueSketch, first_of_each

Counts = NDArray[np.int64]
_MANY = 1 << 14  # values that are added without joining the parts


@dataclass
class ValueCounts:
    """Counts how often each text occurs: exactly for up to `2 * capacity` distinct values.

    Where there are more, the rare ones are forgotten, until at most `capacity` are left. From then on a count may
    be too low, by at most `count_error`; it is never too high.

    Batches are kept as they come until their distinct values are twice as many as those counted before; so each value
    is counted again a few times at most, however many batches there are.

    Attributes:
      capacity: Values that are left after the rare ones are forgotten.
      count_error: Rows that a count may be too low; 0 while nothing was forgotten.
    """

    capacity: int = 100_000
    count_error: int = 0
    _parts: list[tuple[pa.Array, Counts]] = field(default_factory=list)  # distinct in each; in all where there is one
    _forgotten: UniqueSketch = field(default_factory=UniqueSketch)

    def add(self, values: pa.Array, counts: Counts) -> None:
        """Adds distinct texts and how often each occurs, int64."""
        if not len(values):
            return
        self._parts.append((values, counts))
        first, *others = (len(values) for values, _ in self._parts)
        most = first + sum(others)
        if most > 2 * self.capacity or sum(others) > 2 * max(first, _MANY):
            self._join()
            if len(self._parts[0][0]) > 2 * self.capacity:
                self._forget()

    def merge(self, other: ValueCounts) -> None:
        """Adds the values of `other`."""
        self.count_error += other.count_error
        self._forgotten.merge(other._forgotten)
        self.add(*other.counts())

    def counts(self) -> tuple[pa.Array, Counts]:
        """Returns the distinct texts, in any order, and how often each occurs, int64."""
        self._join()
        return self._parts[0] if self._parts else (as_texts([]), np.empty(0, np.int64))

    def _join(self) -> None:
        if len(self._parts) > 1:
            values = joined([values for values, _ in self._parts])
            counts = np.concatenate([counts for _, counts in self._parts])
            if (counts == 1).all() and _all_differ(values):
                self._parts = [(values, counts)]
                return
            encoded = values.dictionary_encode()
            sums = np.bincount(encoded.indices.to_numpy(), counts).astype(np.int64)  # exact below 2 ** 53
            self._parts = [(encoded.dictionary, sums)]

    def _forget(self) -> None:
        """Drops every value that is not more frequent than the first one beyond `capacity`."""
        ((values, counts),) = self._parts
        limit = int(np.partition(counts, -self.capacity - 1)[-self.capacity - 1])
        self._forgotten.update(_hashes(chosen(values, counts <= limit)))
        left = counts > limit
        self._parts = [(chosen(values, left), counts[left])] if left.any() else []
        self.count_error += limit

    @property
    def unique(self) -> int:
        """Distinct values; an estimate where `count_error` is not 0."""
        values, _ = self.counts()
        if not self.count_error:
            return len(values)
        everything = UniqueSketch(self._forgotten.size)
        everything.merge(self._forgotten)
        everything.update(_hashes(values))
        return everything.estimate

    def most_common(self, number: int) -> tuple[pa.Array, Counts]:
        """Returns the most frequent values and how often each occurs, most frequent first, ties in byte order."""
        values, counts = self.counts()
        if len(counts) > number:
            often = counts >= np.partition(counts, -number)[-number]
            values, counts = chosen(values, often), counts[often]
        table = pa.table({"value": values, "count": counts})
        order = pc.select_k_unstable(table, number, [("count", "descending"), ("value", "ascending")])
        return values.take(order), counts[order.to_numpy()]


def count_texts(values: pa.Array, *, may_differ: bool) -> tuple[pa.Array, Counts]:
    """Returns the distinct texts, in the order in which they first occur, and how often each does, int64.

    Args:
      values: The texts.
      may_differ: Whether all of them may well differ, as those before them did: that shows in half of the time.
    """
    if may_differ and _all_differ(values):
        return values, np.ones(len(values), np.int64)
    counted = values.value_counts()
    return counted.field("values"), counted.field("counts").to_numpy()


def _all_differ(values: pa.Array) -> bool:
    """Returns whether no text occurs again: certain where their hashes differ, else not looked at further."""
    return bool(first_of_each(np.sort(_hashes(values))).all())


def _hashes(values: pa.Array) -> Hashes:
    return hash_texts(*text_buffers(values))
