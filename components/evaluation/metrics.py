"""Computes metrics of several models over the same rows, in one pass.

Memory is constant. Labels and predictions are float32; their difference is taken in float64, where it is exact, and
summed pairwise within a batch (`numpy.sum`) and with Kahan's compensation across batches, so that an RMSE of 1e-7 on
labels near 1 is measured and not rounded away.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from crossnet.components.evaluation.compensated import CompensatedSum
from crossnet.components.evaluation.units import MAX_UNITS, Moments, UnitSums
from crossnet.serving.protocol.dtypes import Array

# A float32 model cannot come closer to its labels than a few units in the last place of a typical label. Below this
# many, two models are tied: 1e-7 against 1.2e-7 is rounding, not a regression.
FLOOR_ULPS = 4
# So many of the largest squared errors tell how heavy the tail of the errors is.
TAIL_ROWS = 64
SAMPLE_SIZE = 1 << 18


class ErrorSums:
    """What the metrics of `num_models` models over one slice of rows need.

    Every mean is weighted; without weights each row weighs 1.

    Attributes:
      rows: Rows so far.
      weight: Sum of their weights.
      largest: The largest squared errors of each model, times their rows' weights, float64 (num_models, at most
        TAIL_ROWS), in no order.
      groups: Sums by group; None where rows belong to none.
      nonfinite: Rows in which each model predicted NaN or infinity, int64 (num_models,).
    """

    def __init__(self, num_models: int) -> None:
        self.rows = 0
        self.weight = self._weight_squares = 0.0
        self.groups: UnitSums | None = None
        self.largest = np.zeros((num_models, 0))
        self.nonfinite = np.zeros(num_models, np.int64)
        self._label_mean = 0.0
        self._label_deviation = 0.0  # sum of (label - mean)²
        self._nonzero_labels = 0
        self._nonzero_weight = 0.0
        self._errors = CompensatedSum((4, num_models))  # sums of e, |e|, e², |e / label|
        self._products = CompensatedSum((num_models + 1, num_models + 1))  # of w e_i² and w

    def add(
        self, labels: Array, predictions: Array, weights: Array | None = None, groups: Array | None = None
    ) -> Array:
        """Adds rows and returns their squared errors times their weights, float64 (num_models, rows).

        Args:
          labels: float64 (rows,).
          predictions: float64 (num_models, rows).
          weights: float64 (rows,), at least 0; None: all 1.
          groups: What each row belongs to, (rows,), as `UnitSums.add` takes it; None: to nothing.
        """
        rows = len(labels)
        weighted = np.ones(rows) if weights is None else weights
        with np.errstate(all="ignore"):  # NaN and infinity are judged, not warned about
            errors = predictions - labels
            absolute = np.abs(errors)
            # A row that weighs nothing is not there, also where its error is NaN.
            squares = np.where(weighted > 0, weighted * np.square(errors), 0.0)
            if not rows:
                return squares
            nonzero = labels != 0
            self._nonzero_labels += int(nonzero.sum())
            self._nonzero_weight += float(weighted[nonzero].sum())
            relative = np.divide(absolute, np.abs(labels), out=np.zeros_like(errors), where=nonzero)
            parts = [np.where(weighted > 0, weighted * values, 0.0) for values in (errors, absolute, relative)]
            parts.insert(2, squares)
            self._errors.add(np.stack([values.sum(axis=1) for values in parts]))
            columns = np.concatenate([squares, weighted[None]])
            self._products.add(columns @ columns.T)
            self.nonfinite += rows - np.isfinite(predictions).sum(axis=1)
            self._add_labels(labels, weighted)
            self.largest = _largest(np.concatenate([self.largest, _largest(squares)], axis=1))
        self.rows += rows
        self._weight_squares += float(np.square(weighted).sum())
        if groups is not None:
            self.groups = self.groups or UnitSums(len(predictions), grouped=True, most=MAX_UNITS)
            self.groups.add(squares, weights, groups)
        return squares

    def merge(self, other: ErrorSums) -> None:
        """Adds the sums of the rows that follow, of the same models."""
        self._nonzero_labels += other._nonzero_labels
        self._nonzero_weight += other._nonzero_weight
        self._errors.merge(other._errors)
        self._products.merge(other._products)
        self.nonfinite = self.nonfinite + other.nonfinite
        if self.weight:
            self._merge_labels(other.weight, other._label_mean, other._label_deviation)
        else:  # as it is, to the last digit
            self.weight, self._label_mean = other.weight, other._label_mean
            self._label_deviation = other._label_deviation
        self.largest = _largest(np.concatenate([self.largest, other.largest], axis=1))
        self.rows += other.rows
        self._weight_squares += other._weight_squares
        if other.groups is not None:
            self.groups = self.groups or UnitSums(len(self.nonfinite), grouped=True, most=MAX_UNITS)
            self.groups.merge(other.groups)

    def _add_labels(self, labels: Array, weights: Array) -> None:
        weight = float(weights.sum())
        if weight:
            mean = float(weights @ labels) / weight
            self._merge_labels(weight, mean, float(weights @ np.square(labels - mean)))

    def _merge_labels(self, weight: float, mean: float, deviation: float) -> None:
        """Merges other rows' mean and deviation (Chan, Golub, LeVeque 1979)."""
        if not weight:
            return
        total = self.weight + weight
        shift = mean - self._label_mean
        self._label_deviation += deviation + shift * shift * self.weight * weight / total
        self._label_mean += shift * weight / total
        self.weight = total

    @property
    def label_mean(self) -> float:
        """Mean label; NaN without rows."""
        return self._label_mean if self.weight else math.nan

    @property
    def label_std(self) -> float:
        """Population standard deviation of the label, the RMSE of predicting its mean; NaN without rows."""
        return math.sqrt(self._label_deviation / self.weight) if self.weight else math.nan

    @property
    def floor(self) -> float:
        """RMSE at which float32 rounding begins: `FLOOR_ULPS` units in the last place of the labels' root mean square.

        A group of rows whose labels are all zero has no floor.
        """
        if not self.weight:
            return 0.0
        return FLOOR_ULPS * float(np.finfo(np.float32).eps) * math.hypot(self._label_mean, self.label_std)

    @property
    def is_weighted(self) -> bool:
        """Whether rows weigh differently from 1."""
        return not self.weight == self._weight_squares == self.rows

    @property
    def effective_rows(self) -> float:
        """How many rows of equal weight would say as much (Kish 1965); `rows` where none has a weight."""
        return self.weight**2 / self._weight_squares if self._weight_squares else 0.0

    @property
    def mean_squares(self) -> Array:
        """Mean squared error of each model, float64 (num_models,); NaN without rows."""
        return self._errors.value[2] / self.weight if self.weight else np.full(len(self.nonfinite), np.nan)

    def moments(self) -> Moments:
        """Returns what a t test needs, over groups where rows belong to groups."""
        if self.groups is not None:
            return self.groups.moments()
        rows = max(self.rows, 1)
        means = np.append(self._errors.value[2], self.weight) / rows
        return Moments(self.rows, means, self._products.value / rows)

    def largest_share(self, model: int) -> float:
        """Returns the share of one row in the squared error of all; 0 where there is not an error."""
        total = float(self._errors.value[2][model])
        return float(self.largest[model].max()) / total if total > 0 else 0.0

    def tail_index(self, model: int) -> float:
        """Returns how fast the tail of the errors falls, by Hill's estimate of the largest; NaN where there are few.

        The share of errors above x falls as x to the power of minus this. Below 4 the squared errors have no variance,
        and every interval of their mean holds the truth less often than it promises. At most one row in twenty is
        looked at, since the middle is not a tail.

        References:
          Hill, 1975, A Simple General Approach to Inference About the Tail of a Distribution.
        """
        count = min(TAIL_ROWS, self.rows // 20) - 1
        if count < TAIL_ROWS // 2:
            return math.nan
        tail = np.sort(self.largest[model])[-count - 1 :]
        if not np.isfinite(tail).all() or tail[0] <= 0:
            return math.nan
        spread = float(np.log(tail[1:] / tail[0]).mean())
        return 2 / spread if spread > 0 else math.inf

    def rmse(self, model: int) -> float:
        """Root mean squared error of one model in the label's unit."""
        return math.sqrt(value) if (value := float(self.mean_squares[model])) >= 0 else math.nan

    def metrics(self, model: int) -> dict[str, float | None]:
        """Returns all metrics of one model; None where a metric is not defined.

        `bias` is the mean of prediction minus label. `r2` needs labels that differ. `mape` is the mean of |e / label|
        over the `mape_rows` rows whose label is not zero.
        """
        if not self.weight:
            return dict.fromkeys(("rmse", "mae", "bias", "r2", "mape", "mape_rows"))
        error, absolute, square, relative = (float(value) for value in self._errors.value[:, model])
        return {
            "rmse": self.rmse(model),
            "mae": absolute / self.weight,
            "bias": error / self.weight,
            "r2": 1 - square / self._label_deviation if self._label_deviation > 0 else None,
            "mape": relative / self._nonzero_weight if self._nonzero_weight else None,
            "mape_rows": self._nonzero_labels,
        }


def _largest(squares: Array) -> Array:
    """Returns the largest values of each row, (rows, at most TAIL_ROWS), in no order; NaN counts as largest."""
    if squares.shape[1] <= TAIL_ROWS:
        return squares
    return np.partition(squares, squares.shape[1] - TAIL_ROWS, axis=1)[:, -TAIL_ROWS:]


class WorstRows:
    """The rows with the largest absolute error of one model; NaN counts as larger than all."""

    def __init__(self, size: int = 10) -> None:
        self._size = size
        self._heap: list[tuple[float, int, dict[str, Any]]] = []

    def add(self, first: int, labels: Array, predictions: Array, features: Mapping[str, Array]) -> None:
        """Adds a batch whose first row is record `first` of the split; all arrays are (rows,)."""
        errors = np.abs(predictions - labels)
        errors = np.where(np.isnan(errors), np.inf, errors)
        size = min(self._size, len(errors))
        for row in np.argpartition(errors, len(errors) - size)[-size:] if size else ():
            item = (float(errors[row]), -(first + int(row)))
            if len(self._heap) == self._size and item <= self._heap[0][:2]:
                continue
            facts = {
                "record": first + int(row),
                "label": plain(np.float32(labels[row])),
                "prediction": plain(np.float32(predictions[row])),
                "features": {name: plain(values[row]) for name, values in features.items()},
            }
            heapq.heappush(self._heap, (*item, facts))
            if len(self._heap) > self._size:
                heapq.heappop(self._heap)

    def merge(self, other: WorstRows) -> None:
        """Adds the worst rows of other records of the split."""
        self._heap = heapq.nlargest(self._size, [*self._heap, *other._heap], key=lambda item: item[:2])
        heapq.heapify(self._heap)

    def rows(self) -> list[dict[str, Any]]:
        """Returns the rows, worst first: record (0-based place in the split), label, prediction, features."""
        return [facts for *_, facts in sorted(self._heap, key=lambda item: item[:2], reverse=True)]


def plain(value: Any) -> Any:
    """Returns one value as JSON has it: text for bytes, a float32 with its own digits, None for NaN and infinity."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.float32):
        return float(str(value)) if np.isfinite(value) else None
    return int(value)


def thinned(chunks: Iterator[Array], limit: int = SAMPLE_SIZE) -> Array:
    """Returns every k-th value of a stream, k the smallest power of two that keeps at most about `limit` values."""
    kept: list[Array] = []
    stride, position, size = 1, 0, 0
    for chunk in chunks:
        values = chunk[-position % stride :: stride].copy()  # a view would keep the whole chunk
        position += len(chunk)
        kept.append(values)
        size += len(values)
        if size > limit:
            kept = [np.concatenate(kept)[::2]]
            stride, size = 2 * stride, len(kept[0])
    return np.concatenate(kept) if kept else np.zeros(0)
