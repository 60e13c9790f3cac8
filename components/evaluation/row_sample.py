"""Keeps evenly spread rows of a split, with the models' predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crossnet.serving.protocol.dtypes import Array

MAX_ROWS = 1 << 16


class RowSample:
    """Every k-th row of a split, k the smallest power of two that keeps at most `limit` rows: all rows of a small one.

    Args:
      columns: What is kept of a row beside label, predictions, weight and group.
      limit: How many rows are kept at most.

    Attributes:
      stride: k.
    """

    def __init__(self, columns: Sequence[str], limit: int = MAX_ROWS) -> None:
        self._names, self._limit = tuple(columns), limit
        self.stride, self._position = 1, 0
        self._parts: list[dict[str, Array]] = []
        self._kept: dict[str, Array] = {}

    def add(
        self,
        inputs: Mapping[str, Array],
        labels: Array,
        predictions: Array,
        weights: Array | None = None,
        groups: Array | None = None,
    ) -> None:
        """Adds a batch in the form of `read_dataset`; labels (rows,), predictions (models, rows)."""
        part = {f"column {name}": inputs[name] for name in self._names}
        part |= {"labels": labels, **{f"model {i}": values for i, values in enumerate(predictions)}}
        part |= {name: values for name, values in (("weights", weights), ("groups", groups)) if values is not None}
        first, self._position = -self._position % self.stride, self._position + len(labels)
        # Copies: a view would keep the whole batch.
        self._parts.append({name: values[first :: self.stride].copy() for name, values in part.items()})
        self._kept = {}
        while sum(len(part["labels"]) for part in self._parts) > self._limit:
            self._parts = [{name: values[::2].copy() for name, values in self._joined().items()}]
            self.stride *= 2
            self._kept = {}

    def part(self, first: int, rows: int) -> RowSample:
        """Returns a sample for the rows of a part of the split, which `merge` then takes.

        Args:
          first: Place of its first row in the split.
          rows: How many rows the split has.
        """
        part = RowSample(self._names, self._limit)
        part._position = first
        while -(-rows // part.stride) > self._limit:
            part.stride *= 2
        return part

    def merge(self, part: RowSample) -> None:
        """Adds what a part has kept; parts come in the order of their rows."""
        self.stride, self._position = part.stride, part._position
        self._parts += part._parts
        self._kept = {}

    def _joined(self) -> dict[str, Array]:
        if not self._kept and self._parts:
            self._kept = {name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]}
            self._parts = [self._kept]
        return self._kept

    @property
    def rows(self) -> int:
        """How many rows are kept."""
        return len(self._joined().get("labels", ()))

    def column(self, name: str) -> Array:
        """A column that was asked for, (rows,)."""
        return self._joined()[f"column {name}"]

    @property
    def labels(self) -> Array:
        """The labels, float64 (rows,)."""
        return self._joined()["labels"]

    @property
    def weights(self) -> Array | None:
        """What the rows weigh, float64 (rows,); None where all weigh 1."""
        return self._joined().get("weights")

    @property
    def groups(self) -> Array | None:
        """What the rows belong to, (rows,); None where they belong to nothing."""
        return self._joined().get("groups")

    def predictions(self, model: int) -> Array:
        """What a model predicts, float64 (rows,)."""
        return self._joined()[f"model {model}"]
