"""Decides from counts which columns are categories, and which values are rare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

# A column whose most rows have a rare value says nothing of a category.
MAX_RARE_SHARE = 0.9
# Whole numbers of fewer values are told apart by their bins; of more, they are a magnitude or a key.
FEW_VALUES = (9, 200)
# A key's values occur this often on average, the most frequent one aside.
MIN_KEY_ROWS = 8
# Neighbouring values of a magnitude occur about equally often; how often those of a key do is by chance.
MAX_NEIGHBOUR_CORRELATION = 0.5


def least_count(rows: int) -> int:
    """Returns how many train rows a value needs for a category of its own; fewer, and it is "other".

    Two up to some thousand rows, five at 300,000. With more rows there are more rare values, and
    a wrong vector for one of them costs more than what it could say.
    """
    return max(2, round(2 + 1.5 * math.log10(max(rows, 1) / 3000)))


def embedding_width(size: int, given: int | None, most: int) -> int:
    """Returns the width of an embedding of `size` values."""
    return given or max(1, min(most, size, 1 + math.isqrt(size)))


def is_key(counts: Sequence[tuple[int, int]], distinct: float, rows: int) -> bool:
    """Whether whole numbers are keys, such as the number of a flight, and not magnitudes, such as its delay.

    Args:
      counts: Values and how often each occurs, most frequent first.
      distinct: How many values there are, those that are not listed too.
      rows: Rows that have a value.
    """
    if distinct <= FEW_VALUES[1] or rows - counts[0][1] < MIN_KEY_ROWS * distinct:
        return False  # the most frequent value is often 0, beside which the others are measurements
    return neighbour_correlation(counts) < MAX_NEIGHBOUR_CORRELATION


def neighbour_correlation(counts: Sequence[tuple[int, int]]) -> float:
    """Returns how the logarithms of neighbouring values' counts correlate; 1 where all are equal."""
    logs: Any = np.log([count for _, count in sorted(counts)])
    left, right = logs[:-1] - logs[:-1].mean(), logs[1:] - logs[1:].mean()
    spread = math.sqrt(float(np.square(left).sum() * np.square(right).sum()))
    return float((left * right).sum()) / spread if spread else 1.0
