"""Counts how many labels of eval the prediction intervals hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from crossnet.components.networks.interval import Interval
from crossnet.serving.protocol.dtypes import Array

ROWS_AT_ONCE = 1_000_000


def interval_facts(
    interval: Interval, predictions: Path, labels: Path, weights: Iterable[Array] | None = None
) -> dict[str, Any]:
    """Returns what a report says of a model's intervals, as JSON values.

    Args:
      interval: The model's.
      predictions, labels: Files of float32 (rows,), read in parts.
      weights: What the rows weigh, in their order, batch by batch, each (rows of the batch,); None: all the same.

    Returns:
      `coverage` that was asked for, `half_width` in the label's unit, `rows` that it was measured on, and
      `eval_coverage`, the share by weight of the labels that lie from `prediction - half_width` to `prediction +
      half_width`, as the exported model computes them in float32; None where no row weighs anything.
    """
    predicted, actual = np.load(predictions, mmap_mode="r"), np.load(labels, mmap_mode="r")
    if weights is None:
        weights = (np.ones(len(actual[first : first + ROWS_AT_ONCE])) for first in range(0, len(actual), ROWS_AT_ONCE))
    half_width, first, held, total = np.float32(interval.half_width), 0, 0.0, 0.0
    for batch in weights:
        part = slice(first, first + len(batch))
        lower, upper = predicted[part] - half_width, predicted[part] + half_width
        inside = (lower <= actual[part]) & (actual[part] <= upper)
        held, total = held + float(batch[inside].sum(dtype=float)), total + float(batch.sum(dtype=float))
        first += len(batch)
    return interval.to_json() | {"eval_coverage": held / total if total else None}
