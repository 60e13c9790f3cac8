"""Draws inputs of a network."""

from __future__ import annotations

from typing import Any

import numpy as np


def drawn_inputs(rows: int, num_numbers: int, tables: Any) -> list[np.ndarray[Any, Any]]:
    """Returns numbers float32 `(rows, num_numbers)` and ids `(rows, tables)`, where there are any.

    Args:
      rows: How many rows there are.
      num_numbers: Numeric inputs.
      tables: Rows and width of each category's embedding.
    """
    random = np.random.default_rng(7)
    parts: list[np.ndarray[Any, Any]] = []
    if num_numbers:
        parts.append(random.normal(size=(rows, num_numbers)).astype(np.float32))
    if tables:
        parts.append(np.stack([random.integers(0, size, rows) for size, _ in tables], axis=1))
    return parts
