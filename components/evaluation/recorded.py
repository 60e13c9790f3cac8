"""Plays predictions that were written before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from crossnet.serving.protocol.dtypes import Array


class RecordedPredictions:
    """Gives the predictions of a file in the order of its rows: a predictor for one pass over the same rows.

    Args:
      path: .npy, (rows,).
    """

    def __init__(self, path: Path) -> None:
        self._values = np.load(path, mmap_mode="r")
        self._next = 0

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns the predictions of the next rows, as many as there are in `features`."""
        start, self._next = self._next, self._next + len(next(iter(features.values())))
        assert self._next <= len(self._values), "more rows than were predicted"
        return np.array(self._values[start : self._next])
