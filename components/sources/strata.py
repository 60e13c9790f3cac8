"""Splits rows evenly in each range of the label.

The label's deciles, and in each the hash below which a row is eval, come from one pass over the rows. Hashes and labels
are spooled to a file, so memory does not grow with rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossnet.components.hashing import Hashes

BINS = 10
_ROW = np.dtype([("hash", "<u8"), ("label", "<f8")])
_SAMPLE_ROWS = 100_000  # those with the lowest hashes show where the deciles are
_CHUNK_ROWS = 1 << 17
_DIGIT_BITS = 16
_LAST = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class Strata:
    """Ranges of the label, and where each is cut.

    Attributes:
      label: The label's name in the batches.
      edges: float64 (bins - 1,): a row's bin is the number of edges that are not above its label.
      bounds: uint64 (fractions, bins): for each share of rows, the hash below which they are.
    """

    label: str
    edges: NDArray[np.float64]
    bounds: NDArray[np.uint64]

    def bounds_of(self, labels: NDArray[Any]) -> NDArray[np.uint64]:
        """Returns the bounds of each row, uint64 (fractions, rows); labels are (rows,)."""
        return self.bounds[:, _bins(self.edges, labels)]


def plan_strata(
    batches: Iterable[tuple[Hashes, NDArray[Any]]], fractions: tuple[float, ...], label: str, spool: Path
) -> Strata:
    """Returns strata such that each share of rows is that share of every bin, to the row.

    Rows with equal hashes stay together. Where a share of a bin is not a whole number of rows, the rest counts in the
    next bin, so that the shares of all rows are met too.

    Args:
      batches: Hashes and labels of the rows, batch by batch.
      fractions: Shares of rows with the lowest hashes, each at most 1.
      label: The label's name.
      spool: Path of a temporary file to write.
    """
    sample = np.zeros(0, _ROW)
    with spool.open("wb") as stream:
        for hashes, labels in batches:
            rows = np.empty(len(hashes), _ROW)
            rows["hash"], rows["label"] = hashes, labels
            stream.write(rows.tobytes())
            sample = _lowest(np.concatenate([sample, rows]))
    levels = np.quantile(sample["label"], np.arange(1, BINS) / BINS) if len(sample) else np.zeros(0)
    edges = np.unique(levels)
    counts = np.zeros((len(edges) + 1, 1 << _DIGIT_BITS), np.int64)
    for bins, hashes in _chunks(spool, edges):
        places = bins << _DIGIT_BITS | _digits(hashes)
        counts += np.bincount(places, minlength=counts.size).reshape(counts.shape)
    ends = np.cumsum(counts.sum(axis=1))
    bounds = np.full((len(fractions), len(counts)), _LAST)
    for index, fraction in enumerate(fractions):
        taken = np.round(ends * fraction).astype(np.int64)
        ranks = taken - np.concatenate([[0], taken[:-1]])
        bounds[index] = _bounds(ranks, counts, spool, edges)
    return Strata(label, edges, bounds)


def _bounds(
    ranks: NDArray[np.int64], counts: NDArray[np.int64], spool: Path, edges: NDArray[np.float64]
) -> NDArray[np.uint64]:
    """Returns for each bin its hash number `rank`, counted from 0 and the lowest; the largest number beyond the end."""
    totals = np.cumsum(counts, axis=1)
    digits = np.array([np.searchsorted(row, rank, side="right") for row, rank in zip(totals, ranks, strict=True)])
    found: list[list[Hashes]] = [[] for _ in ranks]
    for bins, hashes in _chunks(spool, edges):
        near = _digits(hashes) == digits[bins]
        for number in np.unique(bins[near]).tolist():
            found[number].append(hashes[near & (bins == number)])
    bounds = np.full(len(ranks), _LAST)
    for number, (digit, rank) in enumerate(zip(digits.tolist(), ranks.tolist(), strict=True)):
        if found[number]:
            below = int(totals[number, digit - 1]) if digit else 0
            bounds[number] = np.sort(np.concatenate(found[number]))[rank - below]
    return bounds


def _lowest(rows: NDArray[Any]) -> NDArray[Any]:
    """Returns the rows with the lowest hashes, at most `_SAMPLE_ROWS`."""
    if len(rows) <= _SAMPLE_ROWS:
        return rows
    return rows[np.argpartition(rows["hash"], _SAMPLE_ROWS)[:_SAMPLE_ROWS]]


def _chunks(spool: Path, edges: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.int64], Hashes]]:
    """Yields the bins and the hashes of all rows, chunk by chunk."""
    with spool.open("rb") as stream:
        while data := stream.read(_CHUNK_ROWS * _ROW.itemsize):
            rows = np.frombuffer(data, _ROW)
            yield _bins(edges, rows["label"]), rows["hash"].astype(np.uint64)


def _bins(edges: NDArray[np.float64], labels: NDArray[Any]) -> NDArray[np.int64]:
    return np.searchsorted(edges, labels.astype(np.float64), side="right").astype(np.int64)


def _digits(hashes: Hashes) -> NDArray[np.int64]:
    return (hashes >> np.uint64(64 - _DIGIT_BITS)).astype(np.int64)
