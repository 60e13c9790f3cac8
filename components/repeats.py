"""Which rows were there before, told by their hashes: 8 bytes per row, and as many again while they are sorted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.sketches import Hashes, first_of_each

CHUNK_ROWS = 1 << 20


class Repeats(NamedTuple):
    """Rows that were there before.

    Attributes:
      rows: How many.
      first: Number of the first of them; None where there is none.
    """

    rows: int
    first: int | None


def find_repeats(hashes: Hashes) -> Repeats:
    """Finds the rows that equal an earlier one: all rows less the distinct ones.

    Args:
      hashes: uint64 (rows,), equal for equal rows.
    """
    repeated = len(_repeated(hashes))
    return Repeats(repeated, _first_repeat(hashes) if repeated else None)


def find_leaked(hashes: Hashes, train: Hashes) -> Repeats:
    """Finds the rows that also occur in train.

    Args:
      hashes, train: uint64 (rows,) of a split and of train.
    """
    known = np.sort(train)
    rows, first = 0, None
    for start in range(0, len(hashes), CHUNK_ROWS):
        places = _positions(hashes[start : start + CHUNK_ROWS], known)
        if first is None and len(places):
            first = start + int(places[0])
        rows += len(places)
    return Repeats(rows, first)


def _repeated(hashes: Hashes) -> Hashes:
    """Returns, sorted, one hash for each row that repeats another."""
    ordered = np.sort(hashes)
    return ordered[1:][ordered[1:] == ordered[:-1]]


def _first_repeat(hashes: Hashes) -> int:
    """Returns the number of the first row that was there before; there is one."""
    # Where repeats are frequent the first of them comes soon: look at ever longer beginnings.
    rows = min(CHUNK_ROWS, len(hashes))
    while not len(repeated := _repeated(hashes[:rows])):
        rows = min(2 * rows, len(hashes))
    places = _positions(hashes[:rows], repeated[first_of_each(repeated)])
    order = np.argsort(hashes[places], kind="stable")
    again = ~first_of_each(hashes[places][order])
    return int(places[order[again].min()])


def _positions(hashes: Hashes, known: Hashes) -> NDArray[np.int64]:
    """Returns where one of the `known` hashes, which are sorted, stands."""
    if not len(known):
        return np.empty(0, np.int64)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return np.flatnonzero(known[places] == hashes)
