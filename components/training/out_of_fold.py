"""Predicts rows that were held out, and weighs members by them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tf_keras

from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training.disk_array import joined
from crossnet.components.training.linear_folds import LinearFolds
from crossnet.components.training.rows import Rows, Values, slices_of

ROWS_AT_ONCE = 10_000
STEPS = 1000  # of Frank-Wolfe; each has a closed form

Floats = npt.NDArray[np.float64]


class OutOfFold(NamedTuple):
    """Rows of train that were held out, and what was predicted for them by members that never learned from them.

    Both are arrays; of many rows, in files.

    Attributes:
      row: int64 (rows,): their places in train.
      predictions: float64 (rows, groups): in the normalised label's unit, of each group of members and, where there
        is one, of the linear model, which is the last.
    """

    row: Values
    predictions: Values

    def parts(self) -> Iterator[tuple[npt.NDArray[np.int64], Floats]]:
        """Yields some rows at a time, and their predictions, as arrays."""
        for first, row in slices_of(self.row):
            yield row, self.predictions[first : first + len(row)]

    def blended(self, shares: Sequence[float]) -> Floats:
        """Returns the prediction of all groups, float64 (rows,), each with its share."""
        return np.asarray(self.predictions[:] @ np.asarray(shares))

    def best_shares(
        self, train: Rows, least_of_last: float = 0.0, least_gain: float | None = None, groups: int | None = None
    ) -> list[float]:
        """Returns each group's share for which the blend has the least squared error on these rows of `train`.

        Args:
          train: The rows.
          least_of_last: A smaller share of the last group is 0, and the others make the blend.
          least_gain: Groups of members have share 0 as long as the RMSE is larger by at most this share of it than
            that of all: of several, those that are missed least. One stays. None: none is left out.
          groups: How many groups of members there are, the first of all; None: all are.
        """
        total: Any = 0.0
        for row, predictions in self.parts():
            weight = None if train.weight is None else train.weight[row]
            total = total + _products(predictions, train.label[row].astype(np.float64), weight)
        products = total / max(1, len(self.row))
        kept = [*range(len(products))]
        if _least(products)[-1] < least_of_last:
            kept.pop()
        if least_gain is not None:
            kept = _without_small_gains(products, kept, len(products) if groups is None else groups, least_gain)
        found = dict(zip(kept, _least(products[np.ix_(kept, kept)]), strict=True))
        return [found.get(place, 0.0) for place in range(len(products))]


def predict_held_out(
    network: tf_keras.Model,
    rows: Rows,
    held_out: Sequence[int],
    groups: Sequence[int] | None = None,
    linear: LinearFolds | None = None,
) -> OutOfFold:
    """Returns the predictions of the rows of those folds that a member of every group holds out.

    Args:
      network: Model of the inputs to `[batch, members]`.
      rows: Of train, with their folds.
      held_out: Each member's fold.
      groups: Each member's group, from 0 on; None: there is one.
      linear: Linear models of the same rows, which are one more group.
    """
    groups = [0] * len(held_out) if groups is None else groups
    assert rows.fold is not None
    count = max(groups) + 1
    member = np.full((max(len(rows.fold_weights()), *(fold + 1 for fold in held_out)), count), -1)
    for number, place in enumerate(zip(held_out, groups, strict=True)):
        member[place] = number
    used = np.all(member >= 0, axis=1)
    order = rows.places_in(np.flatnonzero(used).tolist())

    def predicted() -> Iterator[Floats]:
        yield np.zeros((0, count + (linear is not None)))  # of several workers, one may hold none out
        for chunk in rows.chunks(ROWS_AT_ONCE, order):
            assert chunk.fold is not None
            for first in range(0, len(chunk.label), ROWS_AT_ONCE):
                folds = chunk.fold[first : first + ROWS_AT_ONCE]
                inputs: list[Any] = [part[first : first + ROWS_AT_ONCE] for part in chunk.inputs]
                outputs = network(inputs if len(inputs) > 1 else inputs[0], training=False).numpy()
                found = np.take_along_axis(outputs, member[folds], axis=1).astype(np.float64)
                yield found if linear is None else np.column_stack([found, linear.predict_held_out(inputs, folds)])

    places = np.arange(len(rows)) if order is None else order
    return OutOfFold(places, joined(predicted(), rows.file_for("predicted")))


def best_shares(predictions: Floats, label: Floats, weight: npt.NDArray[Any] | None = None) -> list[float]:
    """Returns each group's share, at least 0 and 1 in all, for which the blend has the least squared error.

    Args:
      predictions: (rows, groups).
      label: (rows,).
      weight: (rows,), above 0; None: all rows count alike.

    References:
      Frank & Wolfe, 1956, An algorithm for quadratic programming, https://doi.org/10.1002/nav.3800030109.
    """
    return _least(_products(predictions, label, weight) / max(1, len(label)))


def _products(predictions: Floats, label: Floats, weight: npt.NDArray[Any] | None) -> Floats:
    """Returns the sums of the products of any two groups' errors, (groups, groups)."""
    errors = predictions - label[:, None]  # of a blend whose shares make 1: the blend of these
    if weight is not None:
        errors = errors * np.sqrt(weight.astype(np.float64))[:, None]
    return np.asarray(errors.T @ errors)


def _least(products: Floats) -> list[float]:
    groups = len(products)
    shares = np.full(groups, 1 / groups)
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


def _without_small_gains(products: Floats, kept: list[int], groups: int, least_gain: float) -> list[int]:
    """Returns those of `kept` that are left; see `OutOfFold.best_shares`."""

    def error(places: list[int]) -> float:
        own = products[np.ix_(places, places)]
        shares = np.asarray(_least(own))
        return float(shares @ own @ shares)

    most = error(kept) * (1 + least_gain) ** 2
    while sum(place < groups for place in kept) > 1:
        fewer = [[other for other in kept if other != place] for place in kept if place < groups]
        least, left = min((error(places), places) for places in fewer)
        if not least <= most:  # nor where it is not finite
            break
        kept = left
    return kept


def write_out_of_fold(
    path: Path, found: OutOfFold, shares: Sequence[float], train: Rows, preprocessing: Preprocessing
) -> None:
    """Writes what was predicted for rows of train by members that never learned from them.

    Args:
      path: The file, as `numpy.savez` writes it: `row` int64 (rows,), places in train; `prediction` and `label` float64
        (rows,), in the label's unit; `weight` float32 (rows,), 1 in the mean of train, where rows have weights.
      found: The rows, and the predictions in the normalised label's unit.
      shares: Each group's share of a prediction.
      train: The rows of train that `found` speaks of.
      preprocessing: Says what the label's unit is.
    """
    weight = train.weight
    columns: dict[str, tuple[type[np.generic], Callable[[npt.NDArray[np.int64], Floats], npt.NDArray[Any]]]] = {
        "row": (np.int64, lambda row, _: train.places(row)),
        "prediction": (
            np.float64,
            lambda _, predictions: in_label_unit(predictions @ np.asarray(shares), preprocessing, clip=True),
        ),
        "label": (np.float64, lambda row, _: in_label_unit(train.label[row].astype(np.float64), preprocessing)),
    }
    if weight is not None:
        columns["weight"] = np.float32, lambda row, _: weight[row]
    with zipfile.ZipFile(path, "w") as archive:
        for name, (dtype, values) in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (len(found.row),)}
                np.lib.format.write_array_header_1_0(stream, header)
                for part in found.parts():
                    stream.write(values(*part).astype(dtype).tobytes())


def in_label_unit(values: Floats, preprocessing: Preprocessing, *, clip: bool = False) -> Floats:
    """Returns normalised labels, or predictions of them, in the label's unit; `clip`: as the export limits them."""
    found = values * preprocessing.label_scale + preprocessing.label_mean
    if not (clip and preprocessing.limits):
        return found
    low, high = preprocessing.limits
    return np.clip(found, low, high)
