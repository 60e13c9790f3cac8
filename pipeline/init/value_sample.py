"""Samples the values of a column with all of their rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossnet.components.hashing import Hashes
from crossnet.components.sources.number_times import are_days

Numbers = NDArray[np.float64]
_MIN_GROUPS = 20  # with repeated values, below which nothing is said about groups
_MIN_ORDERED = 10  # values, below which nothing is said about their order
_MAX_UNTOLD = 1e-3


class ValueSample:
    """The rows of the `size` values with the smallest hashes: how many, and what the label is in them.

    A value that is among the smallest at the end was among them from its first row on, so its counts are exact, and
    the values are a random sample of all. Constant memory.

    Args:
      size: Values that are kept. Up to that many distinct values, everything is exact.
    """

    def __init__(self, size: int = 4096) -> None:
        self.size = size
        self._hashes: Hashes = np.empty(0, np.uint64)
        # Per value: rows, rows with a label, sum and sum of squares of the label, the value where it is a number.
        self._facts: Numbers = np.empty((0, 5))

    def update(self, hashes: Hashes, facts: Numbers) -> None:
        """Adds a batch of distinct values.

        Args:
          hashes: uint64 (values,).
          facts: float64 (values, 5): rows, rows with a label, the label's sum and sum of squares, the value (NaN for
            text).
        """
        if len(self._hashes) == self.size:
            small = hashes <= self._hashes[-1]
            hashes, facts = hashes[small], facts[small]
        if not len(hashes):
            return
        hashes = np.concatenate([self._hashes, hashes])
        facts = np.concatenate([self._facts, facts])
        order = np.argsort(hashes, kind="stable")
        hashes, facts = hashes[order], facts[order]
        first = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]]))
        sums = np.add.reduceat(facts[:, :4], first, axis=0)
        self._hashes = hashes[first][: self.size].copy()
        self._facts = np.concatenate([sums, facts[first, 4:]], axis=1)[: self.size]

    @property
    def distinct(self) -> int:
        """Distinct values; beyond `size` an estimate with a standard error of `1 / sqrt(size - 2)`, 1.6 %."""
        if len(self._hashes) < self.size:
            return len(self._hashes)
        return round((self.size - 1) / ((float(self._hashes[-1]) + 1) / 2.0**64))

    @property
    def looked_at(self) -> int:
        """Values in the sample."""
        return len(self._hashes)

    @property
    def repeated(self) -> int:
        """Values of the sample that occur in several rows."""
        return int(np.count_nonzero(self._facts[:, 0] > 1))

    @property
    def rows_per_value(self) -> float:
        """Mean number of rows with the same value."""
        return float(self._facts[:, 0].mean()) if len(self._facts) else 0.0

    @property
    def variance(self) -> float:
        """The label's population variance over the sample's rows."""
        count, total, squares = self._facts[:, 1:4].sum(axis=0)
        return max(float(squares / count - (total / count) ** 2), 0.0) if count else 0.0

    def without_most_frequent(self) -> ValueSample:
        """Returns the sample without its most frequent value: often 0, beside which the others are measurements."""
        rest = ValueSample(self.size)
        kept = np.arange(len(self._hashes)) != (self._facts[:, 0].argmax() if len(self._facts) else -1)
        rest._hashes, rest._facts = self._hashes[kept], self._facts[kept]
        return rest

    @property
    def place_of_median(self) -> float:
        """Where the median of the sample's numbers lies between the least (0) and the largest (1); 0.5 of text."""
        numbers = self._facts[np.isfinite(self._facts[:, 4]), 4]
        if not len(numbers) or numbers.min() == numbers.max():
            return 0.5
        return float((np.median(numbers) - numbers.min()) / (numbers.max() - numbers.min()))

    @property
    def numbers(self) -> Numbers:
        """The values of the sample that are finite numbers, float64 (values,)."""
        return self._facts[np.isfinite(self._facts[:, 4]), 4]

    def are_days(self, digits: int = 0) -> bool:
        """Returns whether all numbers of the sample are days such as 20261123.

        Args:
          digits: Of the time of day behind the day: 4 as in 202611230845, 6 as in 20261123084500.
        """
        return are_days(self._facts[:, 4], digits)

    def explained(self, variance: float) -> float:
        """Returns the share of the label's variance that lies between this column's values; 0 where chance may do it.

        It is `1 - within / variance`, `within` being the unbiased variance in rows of equal value (the intraclass
        correlation, for many values). Chance: less than four standard errors of that share where values say nothing
        (Fisher, 1925: `sqrt(2 / (n (n - 1) k))` for k values of n rows).

        Args:
          variance: The label's, over all rows.
        """
        within, freedom = self._within()
        if not variance or freedom < _MIN_GROUPS:
            return 0.0
        share = 1 - within / variance
        rows = 1 + freedom / np.count_nonzero(self._facts[:, 1] > 1)
        return share if share > 4 * float(2 / (rows * freedom)) ** 0.5 else 0.0

    def _within(self) -> tuple[float, float]:
        """Returns the unbiased variance in rows of equal value, and its degrees of freedom; 0, 0 of few values."""
        if np.count_nonzero(self._facts[:, 1] > 1) < _MIN_GROUPS:
            return 0.0, 0.0
        return _variance_within(self._facts)

    def order_of_labels(self, variance: float) -> str:
        """Returns "rises" or "falls" where the label only does so with the number and is told by it, else "".

        Told by it: the labels in rows of equal value differ by at most a thousandth of the label's variance, which
        leaves room for rounding. At least 10 values, which chance does not put in order.

        Args:
          variance: The label's, over all rows.
        """
        has = (self._facts[:, 1] > 0) & np.isfinite(self._facts[:, 4])
        facts = self._facts[has]
        if len(facts) < _MIN_ORDERED or _variance_within(facts)[0] > _MAX_UNTOLD * variance:
            return ""
        steps = np.diff((facts[:, 2] / facts[:, 1])[np.argsort(facts[:, 4])])
        rounding = 1e-9 * variance**0.5
        if (steps >= -rounding).all():
            return "rises"
        return "falls" if (steps <= rounding).all() else ""

    @property
    def roughness(self) -> float:
        """How unlike the labels of neighbouring values are: 1 as in any order, 0 where the label follows the value.

        It is von Neumann's ratio of the values' mean labels, in the order of the values, halved. What chance adds to
        both of its parts, the variance in rows of equal value by their number, is taken out: means of few rows are
        unlike in any order. 1 for text, and where the means differ by chance alone.
        """
        has = (self._facts[:, 1] > 0) & np.isfinite(self._facts[:, 4])
        facts = self._facts[has]
        if len(facts) < _MIN_GROUPS:
            return 1.0
        means = (facts[:, 2] / facts[:, 1])[np.argsort(facts[:, 4])]
        chance = self._within()[0] * float((1 / facts[:, 1]).mean())
        spread = float(means.var()) - chance
        return max(float((np.diff(means) ** 2).mean()) / 2 - chance, 0.0) / spread if spread > 0 else 1.0


def _variance_within(facts: Numbers) -> tuple[float, float]:
    """Returns the label's unbiased variance in rows of equal value, and its degrees of freedom; 0, 0 without any."""
    several = facts[facts[:, 1] > 1]
    freedom = float((several[:, 1] - 1).sum())
    squares = float((several[:, 3] - several[:, 2] ** 2 / several[:, 1]).sum())
    return (squares / freedom, freedom) if freedom else (0.0, 0.0)


def facts_of(indices: NDArray[Any], size: int, labels: Numbers, values: Numbers | None) -> Numbers:
    """Returns the facts of a batch's distinct values, float64 (size, 5), for `ValueSample.update`.

    Args:
      indices: Each row's value, (rows,).
      size: Distinct values.
      labels: Each row's label, NaN where it has none, float64 (rows,).
      values: The values where they are numbers, float64 (size,).
    """
    facts = np.empty((size, 5))
    facts[:, 0] = np.bincount(indices, minlength=size)
    has = np.isfinite(labels)
    if not has.all():
        indices, labels = indices[has], labels[has]
    facts[:, 1] = np.bincount(indices, minlength=size)
    facts[:, 2] = np.bincount(indices, labels, minlength=size)
    facts[:, 3] = np.bincount(indices, labels * labels, minlength=size)
    facts[:, 4] = np.nan if values is None else values
    return facts
