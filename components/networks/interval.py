"""Measures on held-out rows how far labels lie from predictions."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from crossnet.components.files import read_json
from crossnet.components.networks.export import TRAINING_FILE

ROWS_AT_ONCE = 1 << 18


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


class Sliced(Protocol):
    """An array (rows,), or what gives arrays of the rows that it is asked for."""

    def __len__(self) -> int:
        """Rows."""

    def __getitem__(self, rows: slice, /) -> npt.NDArray[Any]:
        """Those of a slice."""


def calibrate(errors: Sliced, coverage: float, weight: Sliced | None = None) -> Interval | None:
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
    if weight is None:
        return (
            None
            if rows < fewest_rows(coverage)
            else Interval(coverage, _nth_distance(errors, _place(rows, coverage)), rows)
        )
    total, alike = _sums(weight)[0], effective_rows(weight)
    goal = ((alike + 1) * coverage - 1e-9) / alike * total if alike else math.inf
    return Interval(coverage, _nth_distance(errors, goal, weight), rows) if goal <= total else None


def _nth_distance(errors: Sliced, goal: float, weight: Sliced | None = None) -> float:
    """Returns the smallest absolute error up to which rows weigh `goal`, of what all of them weigh at most.

    A float's bits are in the order of floats that have no sign. They are looked at 16 at a time, from the highest on,
    among the rows that have the higher ones: four passes, for which memory does not grow with rows.
    """
    found = 0
    for shift in (48, 32, 16, 0):
        weighs = np.zeros(1 << 16)
        for first in range(0, len(errors), ROWS_AT_ONCE):
            bits = np.abs(errors[first : first + ROWS_AT_ONCE]).view(np.uint64) >> np.uint64(shift)
            own = bits >> np.uint64(16) == found
            part = None if weight is None else weight[first : first + ROWS_AT_ONCE][own]
            weighs += np.bincount((bits[own] & np.uint64(0xFFFF)).astype(np.int64), part, len(weighs))
        ends = np.cumsum(weighs)
        # Sums in another order may end a little below what they ended at before.
        digit = min(int(np.searchsorted(ends, goal)), int(np.flatnonzero(weighs)[-1]))
        goal -= ends[digit] - weighs[digit]
        found = found << 16 | digit
    return float(np.array(found, np.uint64).view(np.float64))


def effective_rows(weight: Sliced) -> float:
    """Returns how many rows of equal weight say as much as rows that weigh `weight` (rows,); 0 for none (Kish 1965)."""
    total, squares = _sums(weight)
    return total**2 / squares if squares else 0.0


def _sums(weight: Sliced) -> tuple[float, float]:
    """Returns the sum of weights, and of their squares."""
    total = squares = 0.0
    for first in range(0, len(weight), ROWS_AT_ONCE):
        part = weight[first : first + ROWS_AT_ONCE].astype(np.float64)
        total, squares = total + float(part.sum()), squares + float(part @ part)
    return total, squares


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
