"""Keeps the weights of each member's best epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf


class BestEpochs:
    """The weights of each member after the epoch with its lowest loss on the rows that it holds out.

    Args:
      variables: The weights; of several members, each variable's first axis.
      members: How many.

    Attributes:
      epochs: int64 (members,): each member's best epoch, counted from 0; -1 before there is one.
      losses: float64 (members,): its loss.
    """

    def __init__(self, variables: Sequence[tf.Variable], members: int) -> None:
        self.variables = variables
        self.epochs = np.full(members, -1)
        self.losses = np.full(members, np.inf)
        self._weights: list[npt.NDArray[Any]] = []

    def add(self, epoch: int, losses: npt.NDArray[np.float64]) -> None:
        """Keeps the weights as they are now, of the members whose loss (members,) is lower than ever.

        A loss that is NaN is never the lowest, but for the first epoch, whose weights are kept whatever they are.
        """
        better = (losses < self.losses) | (self.epochs < 0)
        if not better.any():
            return
        self.epochs = np.where(better, epoch, self.epochs)
        self.losses = np.where(better, np.nan_to_num(losses, nan=np.inf), self.losses)
        now = [variable.numpy() for variable in self.variables]
        if better.all():
            self._weights = now
            return
        for kept, value in zip(self._weights, now, strict=True):
            kept[better] = value[better]

    def restore_weights(self) -> None:
        """Gives each member the weights of its best epoch."""
        for variable, value in zip(self.variables, self._weights, strict=True):
            variable.assign(value)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Returns all that `read` needs, by name."""
        weights = {f"best_{i}": value for i, value in enumerate(self._weights)}
        return weights | {"best_epochs": self.epochs, "best_losses": self.losses}

    def read(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Takes what `arrays` returned."""
        self.epochs, self.losses = arrays["best_epochs"], arrays["best_losses"]
        names = [f"best_{i}" for i in range(len(self.variables))]
        self._weights = [arrays[name].copy() for name in names if name in arrays]  # none before the first epoch's end
