"""Fits a linear model in closed form to compare with.

Ridge regression of the label on the same columns that the networks see: numbers centred and scaled, a missing one as
the mean and an indicator, the most frequent values of a text as indicators.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from crossnet.components.clock import HHMM, since_midnight
from crossnet.components.features import Feature
from crossnet.components.networks.seen_numbers import moments
from crossnet.components.ridge import RidgeSums
from crossnet.serving.protocol.dtypes import Array

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

# Values of one text column that get an indicator; the others share the intercept.
MAX_VALUES = 100
# Indicators of all text columns: the sums are a square of this size, and its eigenvalues take seconds.
MAX_INDICATORS = 1000


class NumberInput(NamedTuple):
    """A numeric column: `(value - mean) / scale`, 0 where it is missing; with an indicator of that if `optional`.

    Of a time of day in the form `clock`, the value is its minutes since midnight, or its seconds.
    """

    name: str
    mean: float
    scale: float
    optional: bool
    clock: str = ""


class TextInput(NamedTuple):
    """A text column: one indicator per value."""

    name: str
    values: tuple[str, ...]


class LinearInputs(NamedTuple):
    """From columns to the inputs of a linear model.

    Attributes:
      numbers: Columns of numbers.
      texts: Columns of text.
    """

    numbers: tuple[NumberInput, ...]
    texts: tuple[TextInput, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of inputs: of all numbers and their indicators, then of each text."""
        return (len(self.numbers) + sum(c.optional for c in self.numbers), *(len(c.values) for c in self.texts))

    def dense(self, columns: Mapping[str, Array]) -> Array:
        """Returns the numbers and then their indicators, float64 (inputs, rows).

        Args:
          columns: The features in the form of `read_dataset`, each (rows,).
        """
        rows = len(next(iter(columns.values())))
        values, indicators = [], []
        for column in self.numbers:
            value = columns[column.name].astype(np.float64)
            value = ((since_midnight(value, column.clock) if column.clock else value) - column.mean) / column.scale
            there = np.isfinite(value)
            values.append(np.where(there, value, 0.0))
            if column.optional:
                indicators.append((~there).astype(np.float64))
        return np.array([*values, *indicators]).reshape(-1, rows)

    def codes(self, columns: Mapping[str, Array]) -> list[Array]:
        """Returns for each text the place of each row's value, int64 (rows,); the number of values for any other."""
        found = []
        for column in self.texts:
            places, other = {value.encode(): i for i, value in enumerate(column.values)}, len(column.values)
            values = columns[column.name]
            found.append(np.fromiter((places.get(value, other) for value in values), np.int64, len(values)))
        return found


def linear_inputs(
    features: Sequence[Feature], statistics: Mapping[str, statistics_pb2.FeatureNameStatistics]
) -> LinearInputs:
    """Returns the inputs for a table.

    Args:
      features: What the models take.
      statistics: Of train, by column.
    """
    numbers, texts = [], [feature for feature in features if feature.is_text]
    most = min(MAX_VALUES, MAX_INDICATORS // max(1, len(texts)))
    for feature in features:
        if feature.is_text:
            continue
        mean, scale, _, _ = moments(feature, statistics[feature.name])
        scale = scale if math.isfinite(scale) and scale > 0 else 1.0
        numbers.append(NumberInput(feature.name, mean, scale, not feature.required, feature.clock))
    found = []
    for feature in texts:
        ranked = [bucket.label for bucket in statistics[feature.name].string_stats.rank_histogram.buckets]
        missing = [""] if not feature.required else []
        found.append(TextInput(feature.name, tuple(dict.fromkeys([*missing, *ranked]))[:most]))
    return LinearInputs(tuple(numbers), tuple(found))


class LinearModel:
    """A fitted linear model.

    Args:
      inputs: From columns to its inputs.
      weights: float64 (inputs,), in the label's unit.
      intercept: In the label's unit.
      train_rmse: Over train, in the label's unit.
      penalty: The ridge penalty that was chosen, in rows.

    Attributes:
      num_parameters: Weights and the intercept.
    """

    def __init__(
        self, inputs: LinearInputs, weights: Array, intercept: float, train_rmse: float, penalty: float
    ) -> None:
        self.inputs, self.weights, self.intercept = inputs, weights, intercept
        self.train_rmse, self.penalty = train_rmse, penalty
        self.num_parameters = len(weights) + 1
        parts = np.split(weights, np.cumsum(inputs.sizes)[:-1])
        self._dense = parts[0]
        self._tables = [np.append(part, 0.0) for part in parts[1:]]

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns the predictions, float64 (rows,)."""
        total = self._dense @ self.inputs.dense(features) + self.intercept
        for table, codes in zip(self._tables, self.inputs.codes(features), strict=True):
            total += table[codes]
        return np.asarray(total)

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values that `from_json` reads."""
        return {
            "numbers": [_without_false(column._asdict(), "clock") for column in self.inputs.numbers],
            "texts": [column._asdict() for column in self.inputs.texts],
            "weights": self.weights.tolist(),
            "intercept": self.intercept,
            "train_rmse": self.train_rmse,
            "penalty": self.penalty,
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> LinearModel:
        """Returns what `to_json` wrote."""
        numbers = tuple(_number_of(column) for column in facts["numbers"])
        texts = tuple(TextInput(column["name"], tuple(column["values"])) for column in facts["texts"])
        rest = (facts[name] for name in ("intercept", "train_rmse", "penalty"))
        return cls(LinearInputs(numbers, texts), np.array(facts["weights"], float), *rest)


def _number_of(facts: Mapping[str, Any]) -> NumberInput:
    """Returns a column; an older version wrote `is_clock` for the form hhmm."""
    read = dict(facts)
    if read.pop("is_clock", False):
        read["clock"] = HHMM
    return NumberInput(**read)


def _without_false(facts: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns facts without one that is false: a table without such columns has the bytes that it always had."""
    return {key: value for key, value in facts.items() if value or key != name}


class NormalEquations:
    """Sums of products of inputs and label, from which the linear model is solved.

    Args:
      inputs: From columns to inputs.
      label_mean, label_scale: About the mean and deviation of the label, so that sums keep their digits.
    """

    def __init__(self, inputs: LinearInputs, label_mean: float = 0.0, label_scale: float = 1.0) -> None:
        self._inputs = inputs
        self._label_mean = label_mean if math.isfinite(label_mean) else 0.0
        self._label_scale = label_scale if math.isfinite(label_scale) and label_scale > 0 else 1.0
        self._sums = RidgeSums(inputs.sizes)

    def add(self, columns: Mapping[str, Array], labels: Array, weights: Array | None = None) -> None:
        """Adds rows.

        Args:
          columns: The features in the form of `read_dataset`.
          labels: float64 (rows,).
          weights: float64 (rows,), at least 0; None: all 1.
        """
        label = (labels - self._label_mean) / self._label_scale
        self._sums.add(self._inputs.dense(columns), self._inputs.codes(columns), label, weights)

    def merge(self, other: NormalEquations) -> None:
        """Adds the sums of other rows of the same table."""
        self._sums.merge(other._sums)

    def solve(self) -> LinearModel:
        """Returns the ridge regression, in the label's unit."""
        found, scale = self._sums.solve(), self._label_scale
        return LinearModel(
            self._inputs,
            found.weights * scale,
            self._label_mean + scale * found.intercept,
            scale * found.rmse,
            found.penalty,
        )
