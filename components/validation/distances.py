"""Measures how far apart two samples of a column are.

Text: L-infinity, the largest difference between the two shares of a value. Numbers: Jensen-Shannon divergence to base
2 over bins that both samples share. Both are in [0, 1]. A missing value counts as a value of its own. Each distance
comes with the distance that chance alone explains.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.statistics.columns import common_of
from crossnet.components.statistics.sketches import Floats, Points, first_of_each
from crossnet.components.statistics.stored import StoredColumn

MAX_BINS = 10
MIN_ROWS_PER_BIN = 5
# Chance exceeds this many standard deviations once in 3.5 million comparisons.
DEVIATIONS = 5.0


class Distance(NamedTuple):
    """How far apart two samples are.

    Attributes:
      measure: "L-infinity" or "Jensen-Shannon".
      value: The distance, 0 to 1.
      noise: Two samples of these sizes from one source do not exceed it; a smaller value does not show a difference.
      detail: What the distance is about, such as a text column's value; "" for numbers.
    """

    measure: str
    value: float
    noise: float
    detail: str = ""


def distance(one: StoredColumn, other: StoredColumn) -> Distance | None:
    """Returns how far apart two samples of a column are; None where one is empty or their types cannot be compared."""
    kinds = {column.summary.WhichOneof("stats") for column in (one, other)}
    if len(kinds) > 1 or not (num_entries(one.summary) and num_entries(other.summary)):
        return None
    return _between_texts(one.summary, other.summary) if kinds == {"string_stats"} else _between_numbers(one, other)


def num_entries(statistics: statistics_pb2.FeatureNameStatistics) -> int:
    """Returns the number of values, the missing ones included."""
    common = common_of(statistics)
    return int(common.tot_num_values + common.num_missing)


def _between_texts(
    one: statistics_pb2.FeatureNameStatistics, other: statistics_pb2.FeatureNameStatistics
) -> Distance | None:
    """Compares the share of each listed value."""
    (counts_a, unlisted_a), (counts_b, unlisted_b) = _counts(one), _counts(other)
    rows_a, rows_b = num_entries(one), num_entries(other)
    values = [*(counts_a | counts_b)]
    if not values:
        return None
    # A value below the end of one list may still occur there: take the count that brings the two nearest.
    a, b = (np.array([counts.get(value, np.nan) for value in values]) for counts in (counts_a, counts_b))
    count_a = np.where(np.isnan(a), np.fmin(unlisted_a, b * rows_a / rows_b), a)
    count_b = np.where(np.isnan(b), np.fmin(unlisted_b, a * rows_b / rows_a), b)
    shares = (count_a + count_b) / (rows_a + rows_b)
    deviations = np.sqrt(shares * (1 - shares) * (1 / rows_a + 1 / rows_b))
    # Counts are whole numbers: one row more than the normal distribution allows.
    noise = DEVIATIONS * deviations + 1 / min(rows_a, rows_b)
    gaps = np.abs(count_a / rows_a - count_b / rows_b)
    beyond = gaps > noise
    most = int(np.where(beyond, gaps, -1).argmax() if beyond.any() else gaps.argmax())
    value = "missing" if values[most] is None else f"'{values[most]}'"
    return Distance("L-infinity", float(gaps[most]), float(noise[most]), value)


def _counts(statistics: statistics_pb2.FeatureNameStatistics) -> tuple[dict[str | None, float], float]:
    """Returns rows by value (None: missing), and the most rows that a value that is not listed can have."""
    texts = statistics.string_stats
    counts: dict[str | None, float] = {bucket.label: bucket.sample_count for bucket in texts.rank_histogram.buckets}
    listed_all = len(counts) >= texts.unique
    unlisted = 0.0 if listed_all else min(counts.values(), default=texts.common_stats.tot_num_values)
    if texts.common_stats.num_missing:
        counts[None] = texts.common_stats.num_missing
    return counts, unlisted


def _between_numbers(one: StoredColumn, other: StoredColumn) -> Distance:
    """Compares the shares of bins, which are quantiles of both samples in equal parts."""
    rows_a, rows_b = num_entries(one.summary), num_entries(other.summary)
    a, b = one.points, other.points
    num_bins = bins_of(rows_a, rows_b)
    both = Points(a.values, a.weights / rows_a).merge(
        Points(b.values, b.weights / rows_b), len(a.values) + len(b.values)
    )
    edges = both.quantiles(np.arange(1, num_bins) / num_bins) if len(both.values) else np.empty(0)
    edges = edges[first_of_each(edges)]
    shares_a, shares_b = _shares(one, edges) / rows_a, _shares(other, edges) / rows_b
    used = (shares_a + shares_b) > 0
    value = jensen_shannon(shares_a[used], shares_b[used])
    degrees = int(used.sum()) - 1
    if degrees < 1:  # none used: each number is infinite
        return Distance("Jensen-Shannon", value, 0.0)
    # Of two samples from one source, 8 JS / (1/a + 1/b), in nats, is chi-square distributed over the bins.
    chance = chi_square(DEVIATIONS, degrees) * (1 / rows_a + 1 / rows_b) / 8 / math.log(2)
    # Where the sketch is not exact, ranks have an error, and a bin's share twice that. Square roots of JS add up.
    off = 2 * (a.rank_error / rows_a + b.rank_error / rows_b)
    sketch = float(np.sum(off**2 / (shares_a + shares_b)[used])) / 4 / math.log(2)
    return Distance("Jensen-Shannon", value, (math.sqrt(chance) + math.sqrt(sketch)) ** 2)


def bins_of(rows: int, other_rows: int) -> int:
    """Returns into how many bins two samples of so many rows are cut."""
    return max(2, min(MAX_BINS, min(rows, other_rows) // MIN_ROWS_PER_BIN))


def _shares(column: StoredColumn, edges: Floats) -> Floats:
    """Returns the rows of each bin, which includes its upper edge, and the missing rows last."""
    sample = column.points
    shares = np.empty(len(edges) + 2)
    ranks = sample.ranks(edges)
    shares[:-2] = ranks
    shares[-2] = sample.total
    shares[1:-1] -= ranks
    shares[-1] = common_of(column.summary).num_missing
    return shares


def jensen_shannon(one: Floats, other: Floats) -> float:
    """Returns the Jensen-Shannon divergence of two sets of shares, to base 2: 0 for equal, 1 for disjoint ones.

    References:
      Lin, 1991, Divergence measures based on the Shannon entropy.
    """
    middle = (one + other) / 2
    total = 0.0
    for shares in (one, other):
        there = shares > 0
        total += float(np.sum(shares[there] * np.log2(shares[there] / middle[there])))
    return max(0.0, total / 2)


def chi_square(deviations: float, degrees: int) -> float:
    """Returns the chi-square value that is as rare as `deviations` of a normal value, or up to five times rarer.

    References:
      Wilson and Hilferty, 1931, The distribution of chi-square.
    """
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + deviations * math.sqrt(spread)) ** 3
