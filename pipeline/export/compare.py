"""Compares a converted model's answers with the exported one's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from crossnet.components.formats import number
from crossnet.pipeline.export.chosen import Batches
from crossnet.serving.protocol.dtypes import Array


class Predictor(Protocol):
    """A converted model, open for calls."""

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns predictions, float32 (rows,), for features of `serving_default`, each (rows,)."""


@dataclass(frozen=True)
class Comparison:
    """How far the answers of two models lie apart.

    Attributes:
      rows: How many were asked for.
      difference: The largest, in the label's unit; infinite where one answer is a finite number and the other is not.
      largest: The largest finite answer of the exported model, without its sign.
    """

    rows: int
    difference: float
    largest: float

    def passes(self, tolerance: float) -> bool:
        """Whether no answer differs by more than `tolerance` times the largest one."""
        return self.difference <= tolerance * self.largest

    def sentence(self, words: str, tolerance: float) -> str:
        """Returns the result in words; `words` say whose answers to which rows."""
        allowed = f"{number(tolerance)} of the largest, {number(self.largest)}"
        if math.isinf(self.difference):
            return f"Some of the answers that differ from {words} are not numbers (allowed difference: {allowed})."
        return f"The largest difference from {words} is {number(self.difference)} (allowed: {allowed})."


def compare(model: Predictor, batches: Batches) -> Comparison:
    """Asks a converted model for rows whose answers are known, batch by batch."""
    rows, difference, largest = 0, 0.0, 0.0
    for features, expected in batches:
        got, wanted = model.predict(features).astype(np.float64), expected.astype(np.float64)
        finite = np.isfinite(wanted)
        same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
        apart = np.full(len(wanted), math.inf)
        np.subtract(got, wanted, out=apart, where=finite & np.isfinite(got))
        difference = max(difference, np.abs(apart[~same]).max(initial=0.0))
        largest = max(largest, np.abs(wanted[finite]).max(initial=0.0))
        rows += len(wanted)
    return Comparison(rows, float(difference), float(largest))
