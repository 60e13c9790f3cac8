"""Counts how many labels of eval the prediction intervals hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from crossnet.components.networks.interval import Interval

ROWS_AT_ONCE = 1_000_000


def interval_facts(interval: Interval, predictions: Path, labels: Path) -> dict[str, Any]:
    """Returns what a report says of a model's intervals, as JSON values.

    Args:
      interval: The model's.
      predictions, labels: Files of float32 (rows,), read in parts.

    Returns:
      `coverage` that was asked for, `half_width` in the label's unit, `rows` that it was measured on, and
      `eval_coverage`, the share of the labels that lie from `prediction - half_width` to `prediction + half_width`, as
      the exported model computes them in float32.
    """
    predicted, actual = np.load(predictions, mmap_mode="r"), np.load(labels, mmap_mode="r")
    half_width, held = np.float32(interval.half_width), 0
    for first in range(0, len(actual), ROWS_AT_ONCE):
        part = slice(first, first + ROWS_AT_ONCE)
        lower, upper = predicted[part] - half_width, predicted[part] + half_width
        held += int(np.count_nonzero((lower <= actual[part]) & (actual[part] <= upper)))
    return interval.to_json() | {"eval_coverage": held / len(actual)}
