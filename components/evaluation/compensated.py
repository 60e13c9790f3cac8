"""Adds floats without losing the small ones."""

from __future__ import annotations

import numpy as np

from crossnet.serving.protocol.dtypes import Array


class CompensatedSum:
    """A float64 sum that keeps the small numbers that are added to it (Kahan 1965, as Neumaier 1974)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._total = np.zeros(shape)
        self._lost = np.zeros(shape)

    def add(self, values: Array) -> None:
        """Adds float64 `values` of the sum's shape."""
        with np.errstate(all="ignore"):  # a sum may be infinite
            total = self._total + values
            swapped = np.abs(self._total) < np.abs(values)
            big, small = np.where(swapped, values, self._total), np.where(swapped, self._total, values)
            self._lost += (big - total) + small
        self._total = total

    def merge(self, other: CompensatedSum) -> None:
        """Adds another sum."""
        self.add(other._total)
        self._lost = self._lost + other._lost

    @property
    def value(self) -> Array:
        """The sum; where it is infinite or NaN, as it is."""
        return np.where(np.isfinite(self._total), self._total + self._lost, self._total)
