"""Measures prediction intervals of a network on rows it held out."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np

from crossnet.components.formats import counted, number, percent
from crossnet.components.networks.interval import Interval, calibrate, effective_rows, fewest_rows
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training.disk_array import joined
from crossnet.components.training.out_of_fold import OutOfFold, in_label_unit
from crossnet.components.training.rows import Rows, Values, slices_of

LOGGER = logging.getLogger(__name__)
# Of the share of new labels that an interval holds, which is drawn with the held-out rows (a beta distribution): that
# of some 50 rows at 95 %.
MAX_DEVIATION = 0.03


def measure_interval(
    found: OutOfFold, of_groups: Sequence[float], train: Rows, preprocessing: Preprocessing, coverage: float
) -> Interval | None:
    """Returns the interval of a network's predictions; None, with a warning, where too few rows were held out.

    Args:
      found: What was predicted for rows that were held out.
      of_groups: Each group's share of a prediction.
      train: All rows of train.
      preprocessing: Theirs: the interval is in the label's unit.
      coverage: The share of labels that the interval should hold.
    """
    errors = held_out_errors(found, of_groups, train, preprocessing)
    weight: Values | None = None
    if train.weight is not None:
        weight = _weights_of(train, train.weight, found.row)
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


def held_out_errors(found: OutOfFold, of_groups: Sequence[float], train: Rows, preprocessing: Preprocessing) -> Values:
    """Returns label minus prediction, float64 in the label's unit, of rows that were held out.

    Of many rows, the errors are in a file.
    """
    shares = np.asarray(of_groups)
    errors = (
        in_label_unit(train.label[row].astype(np.float64), preprocessing)
        - in_label_unit(predictions @ shares, preprocessing, clip=True)
        for row, predictions in found.parts()
    )
    return joined(errors, train.file_for("errors"))


def _weights_of(train: Rows, weight: Values, places: Values) -> Values:
    """Returns the weights of the rows at some places."""
    return joined((weight[some] for _, some in slices_of(places)), train.file_for("held_out_weights"))
