"""Predicts rows that were held out, and weighs members by them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tf_keras

from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training.rows import Rows

ROWS_AT_ONCE = 10_000
STEPS = 1000  # of Frank-Wolfe; each has a closed form

Floats = npt.NDArray[np.float64]


class OutOfFold(NamedTuple):
    """Rows of train that were held out, and what was predicted for them by members that never learned from them.

    Attributes:
      row: int64 (rows,): their places in train.
      predictions: float64 (rows, groups): in the normalised label's unit, of each group of members.
    """

    row: npt.NDArray[np.int64]
    predictions: Floats

    def blended(self, shares: Sequence[float]) -> Floats:
        """Returns the prediction of all groups, float64 (rows,), each with its share."""
        return np.asarray(self.predictions @ np.asarray(shares))


def predict_held_out(
    network: tf_keras.Model, rows: Rows, held_out: Sequence[int], groups: Sequence[int] | None = None
) -> OutOfFold:
    """Returns the predictions of the rows of those folds that a member of every group holds out.

    Args:
      network: Model of the inputs to `[batch, members]`.
      rows: Of train, with their folds.
      held_out: Each member's fold.
      groups: Each member's group, from 0 on; None: there is one.
    """
    groups = [0] * len(held_out) if groups is None else groups
    assert rows.fold is not None
    count = max(groups) + 1
    member = np.full((max(int(rows.fold.max()), *held_out) + 1, count), -1)
    for number, place in enumerate(zip(held_out, groups, strict=True)):
        member[place] = number
    used = np.all(member >= 0, axis=1)
    order = rows.places_in(np.flatnonzero(used).tolist())
    found = []
    for chunk in rows.chunks(ROWS_AT_ONCE, order):
        assert chunk.fold is not None
        for first in range(0, len(chunk.label), ROWS_AT_ONCE):
            folds = chunk.fold[first : first + ROWS_AT_ONCE]
            inputs: list[Any] = [part[first : first + ROWS_AT_ONCE] for part in chunk.inputs]
            outputs = network(inputs if len(inputs) > 1 else inputs[0], training=False).numpy()
            found.append(np.take_along_axis(outputs, member[folds], axis=1))
    places = np.arange(len(rows)) if order is None else order
    return OutOfFold(places, np.concatenate(found).astype(np.float64))


def best_shares(predictions: Floats, label: Floats, weight: npt.NDArray[Any] | None = None) -> list[float]:
    """Returns each group's share, at least 0 and 1 in all, for which the blend has the least squared error.

    Args:
      predictions: (rows, groups).
      label: (rows,).
      weight: (rows,), above 0; None: all rows count alike.

    References:
      Frank & Wolfe, 1956, An algorithm for quadratic programming, https://doi.org/10.1002/nav.3800030109.
    """
    groups = predictions.shape[1]
    shares = np.full(groups, 1 / groups)
    errors = predictions - label[:, None]  # of a blend whose shares make 1: the blend of these
    if weight is not None:
        errors = errors * np.sqrt(weight.astype(np.float64))[:, None]
    products = errors.T @ errors / max(1, len(label))
    if groups == 1 or not np.isfinite(products).all():
        return shares.tolist()
    for _ in range(STEPS):
        slopes = products @ shares
        direction = -shares
        direction[int(np.argmin(slopes))] += 1
        bend = float(direction @ products @ direction)
        if bend <= 0 or -float(direction @ slopes) <= 1e-12 * float(products.max()):
            break
        shares = shares + min(1.0, -float(direction @ slopes) / bend) * direction
    return np.round(shares, 6).tolist()


def write_out_of_fold(
    path: Path, predictions: Floats, train: Rows, row: npt.NDArray[np.int64], preprocessing: Preprocessing
) -> None:
    """Writes what was predicted for rows of train by members that never learned from them.

    Args:
      path: The file, as `numpy.savez` writes it: `row` int64 (rows,), places in train; `prediction` and `label` float64
        (rows,), in the label's unit; `weight` float32 (rows,), 1 in the mean of train, where rows have weights.
      predictions: float64 (rows,), in the normalised label's unit.
      train: All rows of train.
      row: Places of the rows in `train`, int64 (rows,).
      preprocessing: Says what the label's unit is.
    """
    label = in_label_unit(train.label[row].astype(np.float64), preprocessing)
    found = in_label_unit(predictions, preprocessing, clip=True)
    with path.open("wb") as stream:
        extra: dict[str, Any] = {} if train.weight is None else {"weight": train.weight[row]}
        places = row if train.place is None else train.place[row]
        np.savez(stream, row=places, prediction=found, label=label, **extra)


def in_label_unit(values: Floats, preprocessing: Preprocessing, *, clip: bool = False) -> Floats:
    """Returns normalised labels, or predictions of them, in the label's unit; `clip`: as the export limits them."""
    found = values * preprocessing.label_scale + preprocessing.label_mean
    if not (clip and preprocessing.label_range):
        return found
    low, high = preprocessing.label_range
    return np.clip(found, low, high)
