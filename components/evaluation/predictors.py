"""Defines what is scored: exported models and what they are compared with.

A predictor can be pickled, for jobs that run in other processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from crossnet.components.errors import ExportError
from crossnet.serving.protocol.dtypes import Array


class Predictor(Protocol):
    """What is scored: features by name, each (rows,), to predictions (rows,)."""

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns one prediction per row."""


@dataclass(frozen=True)
class MeanPredictor:
    """Predicts one number for every row, as the simplest model does: the mean label of the train split."""

    mean: float

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns the mean, float64 (rows,)."""
        return np.full(len(next(iter(features.values()))), self.mean)


class ServedModel:
    """The model in service; where it does not answer, its predictions are NaN, and the rules judge them.

    Args:
      model: The exported model.

    Attributes:
      problem: Why it has not answered some rows; empty where it has answered all.
    """

    def __init__(self, model: Predictor) -> None:
        self._model, self.problem = model, ""

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns the predictions, float32 (rows,)."""
        try:
            return self._model.predict(features)
        except ExportError as error:
            self.problem = self.problem or str(error)
            return np.full(len(next(iter(features.values()))), np.nan, np.float32)
