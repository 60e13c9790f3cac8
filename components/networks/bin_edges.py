"""Chooses the bins of a number's embedding, and how it is scaled."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# The linear member of a blend sees numbers up to twice as far, so that eval may have some beyond train's.
MAX_SCALES = 50.0
# Beyond this share of rows on either side is a tail; a value this many times as far as where it begins is an error.
TAIL, MAX_OF_TAIL = 0.005, 10.0


def bins_by_rows(rows: int) -> int:
    """Returns how many bins a number gets: 8 up to 1,000 rows, 16 from 8,000, between them by the logarithm."""
    return round(8 + 8 * _growth(rows))


def width_by_rows(rows: int) -> int:
    """Returns the width of a number's embedding: 2 up to 1,000 rows, 4 from 8,000."""
    return round(2 + 2 * _growth(rows))


def _growth(rows: int) -> float:
    return min(1.0, max(0.0, math.log(max(rows, 1) / 1000, 8)))


def quantiles(values: Floats, weights: Floats, fractions: Floats) -> Floats:
    """Returns the lowest of ascending `values` that at least these fractions of the rows do not exceed."""
    ranks = np.cumsum(weights)
    return values[np.minimum(np.searchsorted(ranks, fractions * ranks[-1], side="left"), len(values) - 1)]


def robust_scaling(values: Floats, weights: Floats) -> tuple[float, float]:
    """Returns the median, and the distance of the quartiles: few extreme values change nothing.

    Where half of the rows have one value, the scale is half the range; of a constant, 1. Where a tail is so long that
    `smooth_clip` in float32 would make one number of its values, the scale is larger: train is within `MAX_SCALES`.

    References:
      Holzmüller et al., 2024, Better by Default (RealMLP), https://arxiv.org/abs/2407.04491.
    """
    low, median, high = quantiles(values, weights, np.array([0.25, 0.5, 0.75])).tolist()
    scale = (high - low) or (values[-1] - values[0]) / 2 or 1.0
    return median, float(max(scale, _furthest(values, weights, median) / MAX_SCALES))


def _furthest(values: Floats, weights: Floats, median: float) -> float:
    """Returns the largest distance from the median, of a tail; a value far beyond a tail is not one of it."""
    beyond = max(TAIL, 1.5 / weights.sum())  # at least one row
    ends = quantiles(values, weights, np.array([beyond, 1 - beyond]))
    tails = np.abs(ends - median) * MAX_OF_TAIL
    return float(np.minimum(np.abs(values[[0, -1]] - median), tails).max())


def bin_edges(values: Floats, weights: Floats, bins: int) -> Floats:
    """Returns edges of about `bins` bins, ascending, that hold equally many rows as far as values allow.

    Where values are at most as many as edges, each value is an edge: the shares then tell all of them apart. A value
    that fills a bin by itself, such as the 0 of most rows, is an edge, and the other rows share the bins that are left.
    """
    if len(values) <= bins + 1:
        return values
    full = weights > weights.sum() / bins
    left = max(1, bins - int(full.sum()))
    return np.union1d(values[full], quantiles(values[~full], weights[~full], np.linspace(0, 1, left + 1)))
