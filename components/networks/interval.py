"""Measures on held-out rows how far labels lie from predictions."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossnet.components.files import read_json
from crossnet.components.networks.export import TRAINING_FILE


@dataclass(frozen=True)
class Interval:
    """What the signature `interval` adds to a prediction, and takes from it.

    Attributes:
      coverage: The share of labels that the interval should hold.
      half_width: The distance of its ends from the prediction, in the label's unit.
      rows: Held-out rows that it was measured on.
    """

    coverage: float
    half_width: float
    rows: int

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values."""
        return dataclasses.asdict(self)


def calibrate(
    errors: npt.NDArray[np.float64], coverage: float, weight: npt.NDArray[Any] | None = None
) -> Interval | None:
    """Returns the interval that holds a new row's label with probability `coverage` or a little more.

    It is the `ceil((rows + 1) coverage)`-th smallest absolute error. The promise is for a row from where the held-out
    rows came from, whatever the model and the distribution of its errors, on average over all rows: it does not say
    that each kind of row is covered alike.

    Args:
      errors: Label minus prediction of rows that the model has not learned from, float64 (rows,).
      coverage: Above 0 and below 1.
      weight: What the rows weigh, (rows,), above 0; None: all the same. The promise is then for rows that come as often
        as they weigh: errors are counted by weight, and a new row's own is taken to be what it is on average among
        such rows. That puts the number of rows of equal weight that say as much in the place of `rows`.

    Returns:
      The interval; None where there are fewer rows than `fewest_rows`, so that no width would be enough.

    References:
      Lei et al., 2018, Distribution-free predictive inference for regression, https://arxiv.org/abs/1604.04173,
      algorithm 2. Tibshirani et al., 2019, Conformal prediction under covariate shift,
      https://arxiv.org/abs/1904.06019, corollary 1, for weights.
    """
    rows = len(errors)
    if weight is not None:
        return _calibrate_by_weight(np.abs(errors), coverage, weight.astype(np.float64))
    if rows < fewest_rows(coverage):
        return None
    half_width = np.partition(np.abs(errors), _place(rows, coverage) - 1)[_place(rows, coverage) - 1]
    return Interval(coverage, float(half_width), rows)


def _calibrate_by_weight(
    distances: npt.NDArray[np.float64], coverage: float, weight: npt.NDArray[np.float64]
) -> Interval | None:
    order = np.argsort(distances, kind="stable")
    share, rows = np.cumsum(weight[order]) / weight.sum(), effective_rows(weight)
    place = int(np.searchsorted(share * rows, (rows + 1) * coverage - 1e-9))
    return Interval(coverage, float(distances[order[place]]), len(order)) if place < len(order) else None


def effective_rows(weight: npt.NDArray[Any]) -> float:
    """Returns how many rows of equal weight say as much as rows that weigh `weight` (rows,); 0 for none (Kish 1965)."""
    squares = float(np.square(weight, dtype=np.float64).sum())
    return float(weight.sum(dtype=np.float64)) ** 2 / squares if squares else 0.0


def fewest_rows(coverage: float) -> int:
    """Returns how many held-out rows an interval of this coverage needs: 19 for 0.95."""
    rows = max(1, math.floor(coverage / (1 - coverage)) - 1)
    while _place(rows, coverage) > rows:
        rows += 1
    return rows


def _place(rows: int, coverage: float) -> int:
    return math.ceil((rows + 1) * coverage - 1e-9)


def read_interval(serving_path: Path) -> Interval | None:
    """Returns the interval of an exported model; None where it has none."""
    file = serving_path / TRAINING_FILE
    found = read_json(file).get("interval") if file.is_file() else None
    return None if found is None else Interval(**found)
