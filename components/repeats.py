"""Which rows occur more than once, within a split or in several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.sketches import Hashes, first_of_each

CHUNK_ROWS = 1 << 20


class Repeats(NamedTuple):
    """How many rows were there before.

    Attributes:
      rows: Rows that do so.
      first: Split and record number of the first of them; None where there is none.
    """

    rows: int
    first: tuple[str, int] | None


def find_repeats(hashes: Mapping[str, Hashes]) -> tuple[Repeats, dict[str, Repeats]]:
    """Finds repeated rows by their hashes. Takes 8 more bytes per row while it sorts.

    Args:
      hashes: For each split, train first, uint64 (rows,).

    Returns:
      Rows of the whole table, split after split, that repeat an earlier row: all rows less the distinct ones. And for
      each split but the first, the rows that also occur in the first.
    """
    ordered = np.concatenate(list(hashes.values()))
    ordered.sort()
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    number = len(repeated)
    twice = repeated[first_of_each(repeated)]
    del ordered, repeated
    found = {split: _positions(values, twice) for split, values in hashes.items()}
    leaked = find_leaked({split: values[found[split]] for split, values in hashes.items()})
    for split, leak in leaked.items():
        if leak.first is not None:
            leaked[split] = leak._replace(first=(split, int(found[split][leak.first[1]])))
    return Repeats(number, _first_repeat(hashes, found)), leaked


def find_leaked(hashes: Mapping[str, Hashes]) -> dict[str, Repeats]:
    """Returns, for each split but the first, the rows whose hash also occurs in the first split."""
    train, *others = hashes
    leaked = {}
    for split in others:
        places = np.flatnonzero(np.isin(hashes[split], hashes[train]))
        leaked[split] = Repeats(len(places), (split, int(places[0])) if len(places) else None)
    return leaked


def _positions(hashes: Hashes, wanted: Hashes) -> NDArray[np.int64]:
    """Returns where one of the `wanted` hashes, which are sorted, stands."""
    if not len(wanted):
        return np.empty(0, np.int64)

    def pieces() -> Iterator[NDArray[np.int64]]:
        for start in range(0, len(hashes), CHUNK_ROWS):
            chunk = hashes[start : start + CHUNK_ROWS]
            place = np.minimum(np.searchsorted(wanted, chunk), len(wanted) - 1)
            yield np.flatnonzero(wanted[place] == chunk) + start

    return np.concatenate([np.empty(0, np.int64), *pieces()])


def _first_repeat(hashes: Mapping[str, Hashes], found: Mapping[str, NDArray[np.int64]]) -> tuple[str, int] | None:
    """Returns the first row, split after split, whose hash was there before."""
    before = np.empty(0, np.uint64)
    for split, places in found.items():
        values = hashes[split][places]
        again = np.isin(values, before)
        again |= ~np.isin(np.arange(len(values)), np.unique(values, return_index=True)[1])
        if again.any():
            return split, int(places[again.argmax()])
        before = np.concatenate([before, values])
    return None
