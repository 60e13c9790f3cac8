"""Defines the linear model that is one more member of a blend.

A network sees numbers that are clipped smoothly, so that a cell far away cannot lead it astray. What is linear in a
table is linear in the numbers themselves: the linear model sees them as they were before, up to `FAR` scales.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from crossnet.components.networks.number_inputs import CLIP

Floats = npt.NDArray[np.float64]
FAR = 100.0  # scales; beyond, float32 has lost what a clipped number was
_LEAST = 1 / (1 + (FAR / CLIP) ** 2)


@dataclass(frozen=True)
class LinearMember:
    """A linear model of a network's inputs, in the normalised label's unit.

    Attributes:
      numbers: float64 (numbers,): the weight of each number.
      tables: For each of the first categories float64 (rows,): the weight of each id, 0 for one that has none. Others
        have no weights.
      intercept: What it answers where all numbers are 0 and no id has a weight.
      clipped: How many numbers, the first ones, were clipped by `smooth_clip`.
    """

    numbers: Floats
    tables: tuple[Floats, ...]
    intercept: float
    clipped: int = 0

    @property
    def num_parameters(self) -> int:
        """How many numbers it has: weights, but for ids that have none, and the intercept."""
        return len(self.numbers) + sum(int(np.count_nonzero(table)) for table in self.tables) + 1

    def predict(self, inputs: Sequence[npt.NDArray[Any]]) -> Floats:
        """Returns the predictions of rows, float64 (rows,).

        Args:
          inputs: The network's: numbers `(rows, numbers)` and ids `(rows, categories)`, where there are any.
        """
        found = np.full(len(inputs[0]), self.intercept)
        if len(self.numbers):
            found += unclipped(inputs[0], self.clipped) @ self.numbers
        for i, table in enumerate(self.tables):
            found += table[inputs[-1][:, i]]
        return found

    def output(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the predictions, float32 `[1, batch]`.

        Args:
          inputs: The network's by feature: numbers `[numbers, batch]` and ids `[categories, batch]`.
        """
        parts = [tf.constant(self.intercept, tf.float32)]
        if len(self.numbers):
            parts.append(tf.matmul(tf.constant(self.numbers[None], tf.float32), self._unclipped(inputs[0])))
        if self.tables:
            parts += [
                tf.gather(tf.constant(table, tf.float32), inputs[-1][i])[None]
                for i, table in enumerate(self.tables)
                if table.any()
            ]
        if len(parts) == 1:  # nothing but the intercept
            parts.append(tf.zeros([1, tf.shape(inputs[0])[1]]))
        return tf.add_n(parts[1:]) + parts[0]

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values that `from_json` reads; ids without a weight are left out."""
        tables = [
            {
                "rows": len(table),
                "ids": np.flatnonzero(table).tolist(),
                "weights": table[np.flatnonzero(table)].tolist(),
            }
            for table in self.tables
        ]
        numbers = {"numbers": self.numbers.tolist(), "clipped": self.clipped}
        return {**numbers, "tables": tables, "intercept": self.intercept}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> LinearMember:
        """Returns what `to_json` wrote."""
        tables = []
        for table in facts["tables"]:
            weights = np.zeros(table["rows"])
            weights[table["ids"]] = table["weights"]
            tables.append(weights)
        numbers = np.array(facts["numbers"], np.float64)
        return cls(numbers, tuple(tables), float(facts["intercept"]), facts["clipped"])

    def _unclipped(self, numbers: tf.Tensor) -> tf.Tensor:
        """Does what `unclipped` does, by feature."""
        if not self.clipped:
            return numbers
        x = numbers[: self.clipped]
        share = x / CLIP
        x /= tf.sqrt(tf.maximum((1.0 - share) * (1.0 + share), _LEAST))
        return x if len(self.numbers) == self.clipped else tf.concat([x, numbers[self.clipped :]], axis=0)


def unclipped(numbers: npt.NDArray[Any], clipped: int) -> Floats:
    """Returns numbers as they were before `smooth_clip`, at most `FAR` scales from 0, float64 (rows, numbers).

    Args:
      numbers: As a network sees them, (rows, numbers).
      clipped: How many of them were clipped: the first ones.
    """
    found = numbers.astype(np.float64)
    share = found[:, :clipped] / CLIP
    found[:, :clipped] /= np.sqrt(np.maximum((1 - share) * (1 + share), _LEAST))
    return found
