"""Chooses what settings leave to the data: epochs, batch, rate, patience."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crossnet.components.params.networks import Architecture, is_own
from crossnet.components.params.setting import AUTO
from crossnet.components.params.trainer import TrainerParams

MIN_BATCH, MAX_BATCH, BATCHES = 32, 1024, 40
# Up to so many rows a table has two weight decays and most folds; of half as many more, one decay.
FEW_ROWS, MAX_FOLDS = 3000, 8
# Of a kernel. Of hundreds of columns a quarter is a rank that costs most of the CPU and learns by heart.
MAX_RANK = 64


@dataclass(frozen=True, kw_only=True)
class Recipe(TrainerParams):
    """The settings of one training, with a number wherever `TrainerParams` may say "auto"."""

    epochs: int = 100
    batch_size: int = 1000
    learning_rate: float = 0.2
    weight_decay: tuple[float, ...] = (1.0,)
    early_stopping_patience: int | None = None
    members: int = 1

    @property
    def groups(self) -> tuple[int, ...]:
        """Each member's group: members of a group share a weight decay."""
        return tuple(member % len(self.weight_decay) for member in range(self.members))

    @property
    def held_out(self) -> tuple[int, ...]:
        """The fold that each member holds out: one of every group holds out the same."""
        return tuple(member // len(self.weight_decay) for member in range(self.members))

    @property
    def folds(self) -> int:
        """How many parts train is cut into, of which members hold out some."""
        return max(2, round(1 / self.validation_fraction), *(fold + 1 for fold in self.held_out))

    @property
    def decays(self) -> float | npt.NDArray[np.float64]:
        """The weight decay, float64 (members,) where there are several members."""
        if self.members == 1:
            return self.weight_decay[0]
        return np.array([self.weight_decay[group] for group in self.groups])

    def shares(self, of_groups: Sequence[float]) -> list[float]:
        """Returns each member's share of the prediction; those of a group share its own evenly."""
        sizes = np.bincount(self.groups)
        return [float(of_groups[group] / sizes[group]) for group in self.groups]


def make_recipe(params: TrainerParams, rows: int, *, several: bool = True) -> Recipe:
    """Returns the settings of a training on `rows` rows.

    Each formula is continuous in the rows, so that a few more rows never change a training much.

    Args:
      params: The settings.
      rows: Rows of train, at least 1.
      several: Whether "auto" may mean several members.
    """
    values = {item.name: getattr(params, item.name) for item in dataclasses.fields(params)}

    def choose(name: str, value: Any) -> None:
        if values[name] == AUTO:
            values[name] = value

    choose("batch_size", min(rows, round(min(max(rows / BATCHES, MIN_BATCH), MAX_BATCH))))
    choose("epochs", max(1, round(_updates(rows) / math.ceil(rows / values["batch_size"]))))
    choose("learning_rate", 0.01 * min(max((rows / 1000) ** -0.1, 0.5), 1.0))
    choose("early_stopping_patience", max(4, round(values["epochs"] / 3)))
    # One decay lets a member fit closely, the other keeps it near a linear model: which is right, held-out rows say.
    # Of many rows the first is right, and members that differ by their first weights alone gain next to nothing.
    choose("weight_decay", tuple(dict.fromkeys((0.1, 0.1 * 20 ** min(max(3 - 2 * rows / FEW_ROWS, 0.0), 1.0)))))
    choose("members", _folds(rows) * len(values["weight_decay"]) if several else 1)
    return Recipe(**values)


def _folds(rows: int) -> int:
    """Returns how many folds are held out in turn: 8 of few rows, 4 of 7,600 to 40,000, fewer of more.

    Each is a member of every weight decay, which training and every call to a server pay for. What another one adds
    falls as rows grow, while the network does not get smaller (docs/explanation-models.md has figures).
    """
    fewer = max(MAX_FOLDS * (FEW_ROWS / rows) ** 0.75, 4)
    return round(max(min(fewer, MAX_FOLDS, MAX_FOLDS * (10_000 / rows) ** 0.5), 1))


def _updates(rows: int) -> float:
    """Returns how many updates a training of this many rows takes at most: 500 to 2,500."""
    return min(max(800 * (rows / 1000) ** 0.35, 500), 2500)


def chosen(settings: TrainerParams | Architecture, used: Recipe | Architecture) -> dict[str, Any]:
    """Returns what was chosen for settings that are "auto", by setting."""
    names = [item.name for item in dataclasses.fields(settings)]
    return {name: getattr(used, name) for name in names if getattr(settings, name) != getattr(used, name)}


def make_architecture(architecture: Architecture, rows: int, width: int) -> Architecture:
    """Returns an architecture with a number wherever its settings may say "auto".

    Args:
      architecture: Its settings.
      rows: Rows of train.
      width: Inputs of the first layer.
    """
    if is_own(architecture):  # what "auto" means in a user's project is its own matter
        return architecture
    tower = round(min(max(64 * (rows / 3000) ** 0.2, 32), 128))
    values: dict[str, Any] = dict.fromkeys(("units", "deep_units"), (tower, tower))
    values["projection_dim"] = min(width // 4, MAX_RANK) or None
    names = [item.name for item in dataclasses.fields(architecture) if getattr(architecture, item.name) == AUTO]
    return dataclasses.replace(architecture, **{name: values[name] for name in names})
