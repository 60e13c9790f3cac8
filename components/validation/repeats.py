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

Places = NDArray[np.int64]


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
        for index in range(self._num_ranges):
            again, leaders = _repeated(*self._range(index))
            repeated += len(again)
            if len(again):
                first = min(int(again.min()), int(ends[-1]) if first is None else first)
            leaking = again[(leaders < ends[0]) & (again >= ends[0])]
            places = np.searchsorted(ends, leaking, side="right")
            for place_of, split in enumerate(splits[1:], 1):
                own = leaking[places == place_of]
                if len(own):
                    leaked[split] += len(own)
                    leaks[split] = min(int(own.min()), leaks.get(split, int(ends[-1])))
            del again, leaders, leaking, places  # before the next range is read

        def place(row: int) -> tuple[str, int]:
            index = int(np.searchsorted(ends, row, side="right"))
            return splits[index], row - int(ends[index]) + self.counts[splits[index]]

        found = Repeats(repeated, None if first is None else place(first))
        return found, {split: Repeats(n, place(leaks[split]) if n else None) for split, n in leaked.items()}

    def shared(self, most: int) -> Hashes | None:
        """Returns the hashes that several rows have, uint64, ascending; None where more than `most` rows repeat."""
        found, left = [np.empty(0, np.uint64)], most
        for index in range(self._num_ranges):
            ordered = np.sort(self._range(index)[0])
            again = ordered[~first_of_each(ordered)]
            left -= len(again)
            if left < 0:
                return None
            found.append(again[first_of_each(again)])
        return np.concatenate(found)

    @property
    def _num_ranges(self) -> int:
        return min(MAX_RANGES, -(-sum(self.counts.values()) // RANGE_ROWS))

    def _range(self, index: int) -> tuple[Hashes, Places]:
        """Returns hashes and row numbers of one of the ranges of hashes; equal hashes are in the same."""
        number = self._num_ranges
        low, high = (index << 64) // number, ((index + 1) << 64) // number - 1
        room = sum(self.counts.values()) // number * 9 // 8 + 1  # equal rows may need more
        hashes, places = np.empty(room, np.uint64), np.empty(room, np.int64)
        start = size = 0
        for chunk in self._chunks():
            chosen = np.flatnonzero((chunk >= np.uint64(low)) & (chunk <= np.uint64(high)))
            while size + len(chosen) > len(hashes):
                hashes, places = np.append(hashes, np.empty_like(hashes)), np.append(places, np.empty_like(places))
            hashes[size : size + len(chosen)] = chunk[chosen]
            places[size : size + len(chosen)] = chosen + start
            start, size = start + len(chunk), size + len(chosen)
        return hashes[:size], places[:size]

    def _chunks(self) -> Iterator[Hashes]:
        for file in self.files:
            with file.open("rb") as stream:
                while len(chunk := np.fromfile(stream, np.uint64, CHUNK_ROWS)):
                    yield chunk


def _repeated(hashes: Hashes, places: Places) -> tuple[Places, Places]:
    """Returns the rows whose hash an earlier row has, and for each the first row that has it, int64 (rows,)."""
    order = np.argsort(hashes)
    starts = first_of_each(hashes[order])
    if starts.all():
        return places[:0], places[:0]
    places = places[order]
    leaders = np.minimum.reduceat(places, np.flatnonzero(starts))[np.cumsum(starts) - 1]
    again = places != leaders
    return places[again], leaders[again]
