"""Chooses what settings leave to the data: epochs, batch, rate, patience."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from crossnet.components.params.setting import AUTO
from crossnet.components.params.trainer import TrainerParams

MIN_BATCH, MAX_BATCH, BATCHES = 32, 1024, 40


@dataclass(frozen=True, kw_only=True)
class Recipe(TrainerParams):
    """The settings of one training, with a number wherever `TrainerParams` may say "auto"."""

    epochs: int = 100
    batch_size: int = 1000
    learning_rate: float = 0.2
    early_stopping_patience: int | None = None


def make_recipe(params: TrainerParams, rows: int) -> Recipe:
    """Returns the settings of a training on `rows` rows.

    Each formula is continuous in the rows, so that a few more rows never change a training much.

    Args:
      params: The settings.
      rows: Rows of train, at least 1.
    """
    values = {item.name: getattr(params, item.name) for item in dataclasses.fields(params)}

    def choose(name: str, value: Any) -> None:
        if values[name] == AUTO:
            values[name] = value

    choose("batch_size", min(rows, round(min(max(rows / BATCHES, MIN_BATCH), MAX_BATCH))))
    choose("epochs", max(1, round(_updates(rows) / math.ceil(rows / values["batch_size"]))))
    choose("learning_rate", 0.003)
    choose("early_stopping_patience", max(4, round(values["epochs"] / 4)))
    return Recipe(**values)


def _updates(rows: int) -> float:
    """Returns how many updates a training of this many rows takes at most: 800 to 2,500."""
    return min(max(800 * (rows / 1000) ** 0.5, 800), 2500)


def chosen(params: TrainerParams, recipe: Recipe) -> dict[str, Any]:
    """Returns what `make_recipe` chose, by setting."""
    names = [item.name for item in dataclasses.fields(params)]
    return {name: getattr(recipe, name) for name in names if getattr(params, name) != getattr(recipe, name)}
