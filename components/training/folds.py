"""Holds out parts of train, to see when learning is done.

Rows that belong together are held out together: equal rows, rows of one group or key, and rows that are near in time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import TrainingError
from crossnet.components.hashing import Hashes, hash_texts, mix
from crossnet.components.records.dataset import read_columns
from crossnet.components.records.texts import chosen, is_text, joined, text_buffers
from crossnet.components.training.rows import Values

# Rows that are split by time are cut into this many blocks per fold. Few blocks leave few neighbours in two folds, and
# several let each fold see all times.
BLOCKS = 4
ROWS_AT_ONCE = 100_000

Folds = npt.NDArray[np.int32]


def assign_folds(units: Hashes, count: int) -> Folds:
    """Returns the fold of each row, int32 (rows,): 0 to `count - 1`, each of as many units, or one more.

    Args:
      units: What each row belongs to, uint64 (rows,): rows with equal numbers are in one fold.
      count: Folds, at most as many as there are different units.
    """
    _, places = np.unique(mix(mix(units)), return_inverse=True)
    return (places % count).astype(np.int32)


def row_units(parts: tuple[Values, ...]) -> Hashes:
    """Returns a number for each row, uint64 (rows,), that is equal for rows that are equal in all `parts`.

    Args:
      parts: Arrays (rows,) or (rows, columns) of numbers.
    """
    units = np.zeros(len(parts[0]), np.uint64)
    for first in range(0, len(units), ROWS_AT_ONCE):
        total = units[first : first + ROWS_AT_ONCE]
        for part in parts:
            columns = part[first : first + ROWS_AT_ONCE].reshape(len(total), -1)
            for i in range(columns.shape[1]):
                values = np.ascontiguousarray(columns[:, i])
                is_float = values.dtype == np.float32
                bits = (values + np.float32(0)).view(np.uint32) if is_float else values.view(np.uint64)
                total[:] = mix(total ^ bits.astype(np.uint64))
    return units


def block_units(rows: int, folds: int) -> Hashes:
    """Returns the block of each row, uint64 (rows,): consecutive rows are in one block."""
    return (np.arange(rows, dtype=np.uint64) * np.uint64(min(rows, BLOCKS * folds))) // np.uint64(rows)


def key_column(examples: Examples) -> str:
    """Returns the column whose values belong together, or in whose order rows were split; "" where there is none."""
    settings = examples.properties.get("settings", {})
    key = settings.get("split_column") if settings.get("split") in ("key", "time") else ""
    names = {column.source_name: column.name for column in examples.columns}
    return examples.group or names.get(key, "")


def group_column(examples: Examples) -> str:
    """Returns the column whose values belong together; "" where rows are on their own, or only near in time."""
    by_time = examples.properties.get("settings", {}).get("split") == "time" and not examples.group
    return "" if by_time else key_column(examples)


def units_of(
    examples: Examples,
    inputs: tuple[Values, ...],
    folds: int,
    places: npt.NDArray[np.int64] | None = None,
) -> Hashes:
    """Returns what each row of train belongs to, uint64 (rows,), as the split of the source says.

    Args:
      examples: The rows.
      inputs: The rows as the network sees them, label last, in their order.
      folds: How many folds there will be.
      places: The rows' places in train, ascending. None: they are all rows of train.

    Raises:
      TrainingError: The rows belong to fewer groups than there are folds.
    """
    split, column = examples.properties.get("settings", {}).get("split"), key_column(examples)
    values = _read(examples, column) if column else None
    if values is not None and places is not None:
        mask = np.zeros(len(values), bool)
        mask[places] = True
        values = chosen(values, mask)
    if split in ("time", "order") and not examples.group:
        blocks = block_units(len(inputs[-1]), folds)
        if values is None or is_text(values):
            return blocks
        ranked = np.empty_like(blocks)
        ranked[np.argsort(values, kind="stable")] = blocks
        return ranked
    if values is None:
        units = row_units(inputs)
    else:
        units = hash_texts(*text_buffers(values)) if is_text(values) else row_units((values,))
    distinct = len(np.unique(units))
    if distinct < folds:
        what = f"different values of `{column}`" if column else "different rows"
        raise TrainingError(
            f"Train has {distinct:,} {what}, and each of {folds} parts that are held out in turn needs one. "
            "Give more rows, raise `trainer.validation_fraction`, or set `trainer.early_stopping_patience` to none."
        )
    return units


def _read(examples: Examples, name: str) -> Any:
    """Returns a column of train: numbers, or texts; a missing value is 0 or empty."""
    return joined([batch[name].values for batch in read_columns(examples, "train", columns=[name])])
