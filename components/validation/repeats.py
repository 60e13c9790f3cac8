"""Finds rows that repeat earlier rows, by their hashes.

The hashes are kept on disk, 8 bytes per row, and compared range by range. Each range takes one pass over the file and
holds about `RANGE_ROWS` rows: more where the table has more than `MAX_RANGES` times that, or where more rows than that
are equal, since equal rows are compared in one range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossnet.components.hashing import Hashes
from crossnet.components.statistics.sketches import first_of_each

RANGE_ROWS = 1 << 20
MAX_RANGES = 64
CHUNK_ROWS = 1 << 18


class Repeats(NamedTuple):
    """Rows that repeat earlier ones.

    Attributes:
      rows: Their number.
      first: Split and record of the first of them; None where there are none.
    """

    rows: int = 0
    first: tuple[str, int] | None = None


class RowHashes:
    """Hashes of the rows of all splits, train first.

    Args:
      files: The files that hold them, one after the other: uint64, equal for equal rows.
      counts: Rows by split, in their order.
    """

    def __init__(self, files: Sequence[Path], counts: Mapping[str, int]) -> None:
        self.files, self.counts = files, counts

    def find_repeats(self) -> tuple[Repeats, dict[str, Repeats]]:
        """Returns the rows of the table that equal an earlier one, and by split those that also occur in train.

        The former are all rows minus the distinct ones; the latter are counted for every split except train.
        """
        splits = list(self.counts)
        ends = np.cumsum(list(self.counts.values()))
        repeated, first = 0, None
        leaked = dict.fromkeys(splits[1:], 0)
        leaks: dict[str, int] = {}
        for hashes, places in self._ranges(int(ends[-1])):
            order = np.argsort(hashes)
            starts = first_of_each(hashes[order])
            if starts.all():
                continue
            places = places[order]
            leaders = np.minimum.reduceat(places, np.flatnonzero(starts))
            leader = leaders[np.cumsum(starts) - 1]  # for each row, the first row that equals it
            again = places[places != leader]
            repeated += len(again)
            first = min(int(again.min()), int(ends[-1]) if first is None else first)
            leaking = places[(leader < ends[0]) & (places >= ends[0])]
            number = np.searchsorted(ends, leaking, side="right")
            for index, split in enumerate(splits[1:], 1):
                own = leaking[number == index]
                if len(own):
                    leaked[split] += len(own)
                    leaks[split] = min(int(own.min()), leaks.get(split, int(ends[-1])))

        def place(row: int) -> tuple[str, int]:
            index = int(np.searchsorted(ends, row, side="right"))
            return splits[index], row - int(ends[index]) + self.counts[splits[index]]

        found = Repeats(repeated, None if first is None else place(first))
        return found, {split: Repeats(n, place(leaks[split]) if n else None) for split, n in leaked.items()}

    def _ranges(self, rows: int) -> Iterator[tuple[Hashes, NDArray[np.int64]]]:
        """Yields hashes and row numbers of about `RANGE_ROWS` rows at a time; equal hashes come together."""
        number = min(MAX_RANGES, -(-rows // RANGE_ROWS))
        for index in range(number):
            low, high = (index << 64) // number, ((index + 1) << 64) // number - 1
            hashes, places, start = [], [], 0
            for chunk in self._chunks():
                chosen = np.flatnonzero((chunk >= np.uint64(low)) & (chunk <= np.uint64(high)))
                hashes.append(chunk[chosen])
                places.append(chosen + start)
                start += len(chunk)
            yield np.concatenate(hashes), np.concatenate(places)

    def _chunks(self) -> Iterator[Hashes]:
        for file in self.files:
            with file.open("rb") as stream:
                while len(chunk := np.fromfile(stream, np.uint64, CHUNK_ROWS)):
                    yield chunk
