"""Plays predictions that were written before."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from crossnet.serving.protocol.dtypes import Array


class RecordedPredictions:
    """Gives the predictions of a file in the order of its rows: a predictor for one pass over the same rows.

    Args:
      path: .npy, (rows,).
      first: The row where the pass begins.
    """

    def __init__(self, path: Path, first: int = 0) -> None:
        self._path, self._next = path, first

    def starting(self, first: int) -> RecordedPredictions:
        """Returns one for a pass that begins at another row."""
        return RecordedPredictions(self._path, first)

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns the predictions of the next rows, as many as there are in `features`."""
        start, self._next = self._next, self._next + len(next(iter(features.values())))
        assert self._next <= len(self._values), "more rows than were predicted"
        return np.array(self._values[start : self._next])

    @cached_property
    def _values(self) -> Array:
        values: Array = np.load(self._path, mmap_mode="r")
        return values
