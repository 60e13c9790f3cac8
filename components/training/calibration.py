"""Measures prediction intervals of a network on rows it held out."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras

from crossnet.components.formats import counted, number, percent
from crossnet.components.networks.interval import Interval, calibrate, effective_rows, fewest_rows
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training.disk_array import joined
from crossnet.components.training.out_of_fold import in_label_unit
from crossnet.components.training.rows import Rows, Values, slices_of

LOGGER = logging.getLogger(__name__)
ROWS_AT_ONCE = 10_000
# Of the share of new labels that an interval holds, which is drawn with the held-out rows (a beta distribution): that
# of some 50 rows at 95 %.
MAX_DEVIATION = 0.03


def measure_interval(
    network: tf_keras.Model,
    train: Rows,
    preprocessing: Preprocessing,
    held_out: Sequence[int],
    coverage: float,
    *,
    shares: Sequence[float] | None = None,
) -> Interval | None:
    """Returns the interval of a network's predictions; None, with a warning, where too few rows were held out.

    Args:
      network: The trained network, of the inputs to `[batch, members]`.
      train: Its rows, with their folds.
      preprocessing: Theirs: the interval is in the label's unit.
      held_out: Each member's fold: those rows it has not learned from.
      coverage: The share of labels that the interval should hold.
      shares: Each member's share of a prediction; None: all have the same.
    """
    errors = held_out_errors(network, train, preprocessing, held_out, shares)
    weight: Values | None = None
    if train.weight is not None:
        weight = _weights_of(train, train.weight, train.places_in(held_out))
    interval = calibrate(errors, coverage, weight)
    if interval is None:
        equal = "" if weight is None else f", which say as much as {number(effective_rows(weight))} of equal weight"
        LOGGER.warning(
            "The model gets no prediction intervals: %s held out%s, and %s intervals are measured on at least %d. "
            "Raise `trainer.validation_fraction`, or set `trainer.interval_coverage` to none.",
            counted(len(errors), "row is", "rows are"),
            equal,
            percent(coverage),
            fewest_rows(coverage),
        )
    return interval


def doubt(interval: Interval, groups: int | None = None, column: str = "") -> str:
    """Returns in words why new labels may lie outside more often than the interval says; "" for no reason.

    Args:
      interval: The interval.
      groups: How many groups the held-out rows come from, where rows belong to groups: those of one err alike, so that
        they say little more than one row. None: rows are on their own.
      column: What the groups share.
    """
    sure, fewest = percent(interval.coverage), fewest_rows(interval.coverage)
    if groups is not None and groups < fewest:
        return (
            f"Its {sure} intervals are measured on rows of {counted(groups, 'value')} of `{column}`, and rows of one "
            f"value err alike: of other values they may hold less than {sure}. At least {fewest} values are expected."
        )
    deviation = math.sqrt(interval.coverage * (1 - interval.coverage) / (interval.rows + 2))
    if deviation <= MAX_DEVIATION:
        return ""
    return (
        f"Its {sure} intervals are measured on {counted(interval.rows, 'row')}: they may as well hold "
        f"{percent(interval.coverage - 2 * deviation)} of new labels. Give more rows, or raise "
        "`trainer.validation_fraction`."
    )


def held_out_errors(
    network: tf_keras.Model,
    train: Rows,
    preprocessing: Preprocessing,
    held_out: Sequence[int],
    shares: Sequence[float] | None = None,
) -> Values:
    """Returns label minus prediction, float64 in the label's unit, of the rows that some member held out.

    The prediction of a row is the mean of the members that held it out, by their shares. Of many rows, the errors are
    in a file.
    """
    errors = _errors(network, train, preprocessing, held_out, shares)
    return joined(errors, train.file_for("errors"))


def _weights_of(train: Rows, weight: Values, places: Values | None) -> Values:
    """Returns the weights of the rows at some places; None: of all."""
    if places is None:
        return weight
    return joined((weight[some] for _, some in slices_of(places)), train.file_for("held_out_weights"))


def _errors(
    network: tf_keras.Model,
    train: Rows,
    preprocessing: Preprocessing,
    held_out: Sequence[int],
    shares: Sequence[float] | None,
) -> Iterator[npt.NDArray[np.float64]]:
    for chunk in train.chunks(ROWS_AT_ONCE, train.places_in(held_out)):
        assert chunk.fold is not None
        for first in range(0, len(chunk.label), ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            inputs: list[Any] = [values[part] for values in chunk.inputs]
            outputs = network(inputs if len(inputs) > 1 else inputs[0], training=False).numpy().astype(np.float64)
            own = chunk.fold[part][:, None] == np.asarray(held_out)
            weights = own * (np.ones(len(held_out)) if shares is None else np.asarray(shares))
            weights = np.where(weights.sum(axis=1, keepdims=True) > 0, weights, own)
            predictions = np.average(outputs, axis=1, weights=weights)
            labels = chunk.label[part].astype(np.float64)
            yield in_label_unit(labels, preprocessing) - in_label_unit(predictions, preprocessing, clip=True)
