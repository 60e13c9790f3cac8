"""Summarises the values of a column: moments, quantiles, frequent texts."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records.texts import chosen, text_buffers
from crossnet.components.records.wire_format import heading, tagged
from crossnet.components.statistics.buckets import encoded_buckets, evenly_spaced
from crossnet.components.statistics.ranks import encoded_ranks
from crossnet.components.statistics.sketches import Points, QuantileSketch, UniqueSketch, first_of_each, hash_numbers
from crossnet.components.statistics.value_counts import ValueCounts, count_texts
from crossnet.components.statistics.whole_counts import WholeCounts

# Names of `custom_stats`, where the proto has no field of its own.
DISTRIBUTION = "distribution"  # histogram: the quantile sketch's points, each a bucket of no width
RANK_ERROR = "rank_error"  # no rank read from the distribution or a histogram is off by more rows
UNIQUE = "unique"  # distinct numbers
VALUE_COUNTS = "value_counts"  # rank histogram: whole numbers, most frequent first, where each occurs twice or more
NUM_INFINITE = "num_infinite"  # values that are plus or minus infinity
COUNT_ERROR = "count_error"  # rows that a count of `rank_histogram` may be too low

MAX_DISTRIBUTION_POINTS = 1024
_CUSTOM_STATS, _NAME, _HISTOGRAM = 0x32, 0x0A, 0x22  # tags: of a FeatureNameStatistics, of a CustomStatistic
MIN_COUNTED_TEXTS = 100_000


class Numbers:
    """The values of a numeric column; except for `num_nan` and `num_infinite`, of its finite values only.

    Attributes:
      num_nan, num_infinite: Values that are NaN, and values that are infinite.
      count: Finite values.
      mean, squares: Their mean and the sum of squared distances from it, float64.
      min, max: The extremes, exact.
      zeros: How many are 0.
    """

    def __init__(self) -> None:
        self.num_nan = self.num_infinite = self.count = self.zeros = 0
        self.mean = self.squares = 0.0
        self.min: float = math.inf
        self.max: float = -math.inf
        self.quantiles = QuantileSketch()
        self.distinct = UniqueSketch()
        self.whole = WholeCounts()

    def update(self, values: NDArray[Any]) -> None:
        """Adds float32 or int64 (rows,)."""
        exact = values.astype(np.float64)
        with np.errstate(invalid="ignore"):  # inf - inf
            total = exact.sum()
        if not math.isfinite(total):
            finite = np.isfinite(exact)
            nan = int(np.isnan(exact).sum())
            self.num_nan += nan
            self.num_infinite += len(values) - int(finite.sum()) - nan
            values, exact = values[finite], exact[finite]
            total = exact.sum()
        if not len(values):
            return
        mean = float(total) / len(values)
        exact -= mean
        np.square(exact, out=exact)  # not a dot product, whose threads take more time than they save
        self._add_moments(len(values), mean, float(exact.sum()))
        ordered = np.sort(values) + values.dtype.type(0)  # -0.0 is 0.0
        self.min = min(self.min, ordered[0].item())
        self.max = max(self.max, ordered[-1].item())
        self.zeros += len(values) - int(np.count_nonzero(values))
        first = first_of_each(ordered)
        self.quantiles.update(ordered, first)
        # By places: a mask takes up to four times as long.
        self.distinct.update(hash_numbers(ordered if first.all() else ordered.take(np.flatnonzero(first))))
        if ordered.dtype.kind == "i":
            self.whole.update(ordered, first)

    def merge(self, other: Numbers) -> None:
        """Adds the values of `other`."""
        self.num_nan += other.num_nan
        self.num_infinite += other.num_infinite
        self._add_moments(other.count, other.mean, other.squares)
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        self.zeros += other.zeros
        self.quantiles.merge(other.quantiles)
        self.distinct.merge(other.distinct)
        self.whole.merge(other.whole)

    def _add_moments(self, count: int, mean: float, squares: float) -> None:
        """Joins two groups' means and squares (Chan, Golub and LeVeque, 1983)."""
        total = self.count + count
        if not count:
            return
        distance = mean - self.mean
        self.mean += distance * count / total
        self.squares += squares + distance * distance * self.count * count / total
        self.count = total

    def fill(self, statistics: statistics_pb2.FeatureNameStatistics, params: StatisticsGenParams) -> list[bytes]:
        """Writes `num_stats` and the first custom statistics of a numeric column.

        Returns:
          The other custom statistics, serialized, in parts: a message for each point would be made to be written at
          once, and each joining would copy all points.
        """
        num_buckets = params.num_histogram_buckets
        numbers = statistics.num_stats
        add_number(statistics, NUM_INFINITE, self.num_infinite)
        add_number(statistics, UNIQUE, self.distinct.estimate)
        if not self.count:
            for kind in (statistics_pb2.Histogram.STANDARD, statistics_pb2.Histogram.QUANTILES):
                numbers.histograms.add(num_nan=self.num_nan, type=kind)
            return []
        points = self.quantiles.points()
        numbers.mean = self.mean
        numbers.std_dev = math.sqrt(self.squares / self.count)
        numbers.num_zeros = self.zeros
        numbers.min, numbers.max = outward(self.min, down=True), outward(self.max, down=False)
        found = points.quantiles(_median_and_edges(num_buckets))
        numbers.median = float(found[0])
        self._add_standard_histogram(numbers, points, num_buckets)
        self._add_quantiles_histogram(numbers, found[1:])
        thin = points.thin(MAX_DISTRIBUTION_POINTS)
        add_number(statistics, RANK_ERROR, thin.rank_error)
        histogram = encoded_buckets(thin.values, thin.values, thin.weights)
        start = tagged(_NAME, DISTRIBUTION.encode()) + heading(_HISTOGRAM, len(histogram))
        distribution = [heading(_CUSTOM_STATS, len(start) + len(histogram)), start, histogram]
        if not self.whole.unique or 2 * self.whole.unique > self.count:
            return distribution
        counted = statistics_pb2.FeatureNameStatistics()
        values, counts = self.whole.most_common(params.max_vocabulary)
        labels = pa.array(values).cast(pa.large_string())
        counted.custom_stats.add(name=VALUE_COUNTS).rank_histogram.MergeFromString(encoded_ranks(labels, counts))
        return [*distribution, counted.SerializeToString(deterministic=True)]

    def _add_standard_histogram(
        self, numbers: statistics_pb2.NumericStatistics, points: Points, num_buckets: int
    ) -> None:
        """Adds buckets of equal width; a bucket holds its lower bound, the last one both."""
        low, high = numbers.min, numbers.max
        edges = evenly_spaced(low, high, num_buckets) if low < high else np.array([low, high])
        ranks = np.zeros(len(edges))
        # Ranks count what is at or below; what is strictly below an edge is at or below the float before it.
        ranks[1:-1] = points.ranks(np.nextafter(edges[1:-1], -np.inf))
        ranks[-1] = points.total
        self._add_buckets(numbers, statistics_pb2.Histogram.STANDARD, edges, ranks[1:] - ranks[:-1])

    def _add_quantiles_histogram(self, numbers: statistics_pb2.NumericStatistics, edges: NDArray[np.float64]) -> None:
        """Adds buckets that hold equally many values each."""
        num_buckets = len(edges) - 1
        edges[0], edges[-1] = numbers.min, numbers.max
        counts = np.full(num_buckets, self.count / num_buckets)
        self._add_buckets(numbers, statistics_pb2.Histogram.QUANTILES, edges, counts)

    def _add_buckets(
        self,
        numbers: statistics_pb2.NumericStatistics,
        kind: statistics_pb2.Histogram.HistogramType,
        edges: NDArray[np.float64],
        counts: NDArray[np.float64],
    ) -> None:
        histogram = numbers.histograms.add(num_nan=self.num_nan, type=kind)
        histogram.MergeFromString(encoded_buckets(edges[:-1], edges[1:], counts))


@functools.lru_cache(maxsize=8)
def _median_and_edges(num_buckets: int) -> NDArray[np.float64]:
    """Returns the shares of the rows below the median and below the ends of equally full buckets."""
    return np.concatenate([[0.5], np.arange(num_buckets + 1) / num_buckets])


class Texts:
    """The values of a text column: how often each occurs, and their length in bytes."""

    def __init__(self, max_vocabulary: int) -> None:
        self.counts = ValueCounts(capacity=max(MIN_COUNTED_TEXTS, max_vocabulary))
        self.count = 0
        self.num_bytes = 0
        self.num_invalid = 0
        self._differed = False  # whether all texts of the last batch did

    def update(self, values: pa.Array) -> None:
        """Adds texts (`crossnet.components.records.texts`)."""
        offsets, _ = text_buffers(values)
        self.count += len(values)
        self.num_bytes += int(offsets[-1] - offsets[0])
        distinct, counts = count_texts(values, may_differ=self._differed)
        self._differed = len(distinct) == len(values)
        self.num_invalid += _num_invalid(distinct, counts)
        self.counts.add(distinct, counts)

    def merge(self, other: Texts) -> None:
        """Adds the values of `other`."""
        self.count += other.count
        self.num_bytes += other.num_bytes
        self.num_invalid += other.num_invalid
        self.counts.merge(other.counts)

    def fill(self, statistics: statistics_pb2.FeatureNameStatistics, params: StatisticsGenParams) -> list[bytes]:
        """Writes `string_stats`; values that are not UTF-8 are counted, not listed. Returns no other statistics."""
        texts = statistics.string_stats
        texts.unique = self.counts.unique
        texts.avg_length = self.num_bytes / self.count if self.count else 0.0
        texts.invalid_utf8_count = self.num_invalid
        add_number(statistics, COUNT_ERROR, self.counts.count_error)
        values, counts = self.counts.most_common(max(params.max_vocabulary, params.num_top_values))
        if self.num_invalid:
            valid = np.array([_is_utf8(text) for text in values.to_pylist()], bool)
            values, counts = chosen(values, valid), counts[valid]
        top = values[: params.num_top_values].to_pylist()
        for text, count in zip(top, counts[: params.num_top_values].tolist(), strict=True):
            texts.top_values.add(value=text.decode(), frequency=count)
        if len(values):
            values, counts = values[: params.max_vocabulary], counts[: params.max_vocabulary]
            texts.rank_histogram.MergeFromString(encoded_ranks(values, counts))
        return []


def _num_invalid(texts: pa.Array, counts: NDArray[np.int64]) -> int:
    """Returns how many texts are not UTF-8, where each occurs `counts` times."""
    try:
        texts.cast(pa.large_string())
    except pa.ArrowInvalid:
        return sum(count for text, count in zip(texts.to_pylist(), counts.tolist(), strict=True) if not _is_utf8(text))
    return 0


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def outward(value: float, *, down: bool) -> float:
    """Returns `value` as a double, rounded away from the range's middle where a double cannot hold it."""
    double = float(value)
    if down:
        return math.nextafter(double, -math.inf) if double > value else double
    return math.nextafter(double, math.inf) if double < value else double


def add_number(statistics: statistics_pb2.FeatureNameStatistics, name: str, value: float) -> None:
    """Adds a custom statistic."""
    statistics.custom_stats.add(name=name, num=value)
