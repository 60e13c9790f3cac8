"""Fits ridge regression from sums of products.

It needs one pass over the rows, in float64: sums of products are all that is kept, so memory does not grow with rows,
and the sums of parts can be added and taken away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from crossnet.serving.protocol.dtypes import Array

# Penalties that are tried, in units of the largest eigenvalue.
PENALTIES = np.logspace(-12, 1, 53)
# Counts each degree of freedom so often when penalties are compared: plain cross-validation takes too small ones where
# rows are few (Kim and Gu 2004).
GAMMA = 1.4


class Ridge(NamedTuple):
    """A ridge regression.

    Attributes:
      weights: float64 (inputs,): of the numbers, then of the indicators of each category.
      intercept: What it answers where all inputs are 0.
      rmse: Over the rows that it was fitted to.
      penalty: That was chosen, in rows.
    """

    weights: Array
    intercept: float
    rmse: float
    penalty: float


class RidgeSums:
    """Sums of products of inputs and label.

    Args:
      sizes: How many numbers there are, then how many indicators each category has.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._starts = np.cumsum([0, *sizes])
        size = int(self._starts[-1]) + 2  # then the constant 1 and the label
        self._sums = np.zeros((size, size))

    @property
    def rows(self) -> float:
        """How many rows there are, by weight."""
        return float(self._sums[-2, -2])

    @property
    def is_finite(self) -> bool:
        """Whether all that was added is finite."""
        return bool(np.isfinite(self._sums).all())

    def add(self, dense: Array, codes: Sequence[Array], label: Array, weights: Array | None = None) -> None:
        """Adds rows.

        Args:
          dense: float64 (numbers, rows); finite.
          codes: For each category the place of each row's indicator, int64 (rows,); its number of indicators for none.
          label: float64 (rows,), best about 0 and of spread 1, so that sums keep their digits.
          weights: float64 (rows,), at least 0; None: all 1.
        """
        dense = np.concatenate([dense.reshape(-1, len(label)), np.ones((1, len(label))), label[None]])
        weighted = dense if weights is None else dense * weights
        where = np.append(np.arange(self._starts[1]), [-2, -1])
        sums = self._sums
        sums[np.ix_(where, where)] += weighted @ dense.T
        for i, code in enumerate(codes):
            start, stop = self._starts[i + 1], self._starts[i + 2]
            own = stop - start
            with_dense = [np.bincount(code, weights=row, minlength=own + 1)[:own] for row in weighted]
            sums[where, start:stop] += with_dense
            sums[start:stop, where] += np.transpose(with_dense)
            for j, other in enumerate(codes[: i + 1]):
                first, last = self._starts[j + 1], self._starts[j + 2]
                width = last - first + 1
                pairs = np.bincount(code * width + other, weights, (own + 1) * width).reshape(own + 1, width)
                sums[start:stop, first:last] += pairs[:-1, :-1]
                if i != j:
                    sums[first:last, start:stop] += pairs[:-1, :-1].T

    def merge(self, other: RidgeSums) -> None:
        """Adds the sums of other rows."""
        self._sums += other._sums

    def add_up(self, total: Callable[[Array], Array]) -> None:
        """Replaces these sums by what `total` makes of them, float64 (sums,), such as those of several processes."""
        self._sums = total(self._sums.ravel()).reshape(self._sums.shape)

    def without(self, other: RidgeSums) -> RidgeSums:
        """Returns the sums of the rows that are in these and not in the others, all of which are in these."""
        rest = RidgeSums(np.diff(self._starts).tolist())
        rest._sums = self._sums - other._sums
        return rest

    def solve(self) -> Ridge:
        """Returns the ridge regression, its penalty chosen by generalized cross-validation.

        References:
          Golub, Heath and Wahba, 1979, Generalized Cross-Validation as a Method for Choosing a Good Ridge Parameter.
          Kim and Gu, 2004, Smoothing spline Gaussian regression: more scalable computation via efficient approximation.
        """
        size = len(self._sums) - 2
        rows = self._sums[-2, -2]
        means = self._sums[-2] / rows
        products = self._sums - rows * np.outer(means, means)
        values, vectors = np.linalg.eigh(products[:size, :size])
        values = np.maximum(values, 0.0)
        target, total = vectors.T @ products[:size, -1], max(float(products[-1, -1]), 0.0)
        largest = float(values.max(initial=0.0)) or 1.0
        penalties = largest * PENALTIES
        shrunk = values[:, None] + penalties
        rest = np.maximum(total - (target[:, None] ** 2 * (values[:, None] + 2 * penalties) / shrunk**2).sum(0), 0.0)
        freedom = 1 + GAMMA * (values[:, None] / shrunk).sum(0)
        with np.errstate(divide="ignore", invalid="ignore"):  # where inputs outnumber rows, also nothing by nothing
            loss = np.where(freedom < rows, rest / np.square(1 - np.minimum(freedom / rows, 1.0)), np.inf)
        # Of equal losses the largest penalty.
        best = len(loss) - 1 - int(np.argmin(loss[::-1]))
        weights = vectors @ (target / shrunk[:, best])
        intercept = float(means[-1]) - float(weights @ means[:size])
        return Ridge(weights, intercept, math.sqrt(float(rest[best]) / rows), float(penalties[best]))
