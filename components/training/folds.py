"""Holds out parts of train, to see when learning is done.

Rows that belong together are held out together: equal rows, rows of one group or key, and rows that are near in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import TrainingError
from crossnet.components.hashing import Hashes, hash_texts, mix
from crossnet.components.records.dataset import read_columns
from crossnet.components.records.texts import chosen, is_text, text_buffers
from crossnet.components.training.disk_array import MANY_ROWS, joined
from crossnet.components.training.rows import Rows, Values, slices_of
from crossnet.components.training.shared_rows import SharedRows

# Rows that are split by time are cut into this many blocks per fold. Few blocks leave few neighbours in two folds, and
# several let each fold see all times.
BLOCKS = 4
ROWS_AT_ONCE = 100_000
# So many different units are told apart among more than `MANY_ROWS` rows; where there are more, chance makes folds of
# nearly equal size.
MANY_UNITS = 1 << 16
SAMPLE_ROWS = 1 << 18


def assign_folds(units: Values, count: int, path: Path | None = None, rows: Rows | None = None) -> Values:
    """Returns the fold of each row, int32 (rows,): 0 to `count - 1`.

    Each is of as many units, or one more; of very many units each is drawn, for which memory does not grow with rows.

    Args:
      units: What each row belongs to, uint64 (rows,): rows with equal numbers are in one fold.
      count: Folds, at most as many as there are different units.
      path: A file for the folds; None: they are kept in memory.
      rows: The rows, which tell of those of other workers; None: this process has all.
    """
    whole = len(units) if rows is None else rows.whole
    most = MANY_UNITS if whole > MANY_ROWS else whole
    known = distinct_units(units, most)
    if isinstance(rows, SharedRows):
        known = rows.union(known, most)

    def fold(part: Hashes) -> npt.NDArray[np.int32]:
        mixed = mix(mix(part))
        places = mixed if known is None else np.searchsorted(known, mixed).astype(np.uint64)
        return (places % np.uint64(count)).astype(np.int32)

    return joined((fold(part) for _, part in slices_of(units)), path)


def distinct_units(units: Values, most: int, rows: Values | None = None) -> Hashes | None:
    """Returns the different units, mixed and ascending; None where there are more than `most`.

    Args:
      units: uint64 (rows,).
      most: How many are told apart.
      rows: Places of the rows that are looked at; None: all are.
    """
    known = np.zeros(0, np.uint64)
    for _, part in slices_of(units if rows is None else rows):
        known = np.union1d(known, mix(mix(part if rows is None else units[part])))
        if len(known) > most:
            return None
    return known


def row_units(parts: tuple[Values, ...]) -> Hashes:
    """Returns a number for each row, uint64 (rows,), that is equal for rows that are equal in all `parts`.

    Args:
      parts: Arrays (rows,) or (rows, columns) of numbers.
    """
    return np.concatenate([np.zeros(0, np.uint64), *_row_units(parts)])


def _row_units(parts: tuple[Values, ...]) -> Iterator[Hashes]:
    """Yields the same, `ROWS_AT_ONCE` rows at a time."""
    for first in range(0, len(parts[0]), ROWS_AT_ONCE):
        pieces = [part[first : first + ROWS_AT_ONCE] for part in parts]
        total = np.zeros(len(pieces[0]), np.uint64)
        for piece in pieces:
            columns = piece.reshape(len(total), -1)
            for i in range(columns.shape[1]):
                values = np.ascontiguousarray(columns[:, i])
                is_float = values.dtype == np.float32
                bits = (values + np.float32(0)).view(np.uint32) if is_float else values.view(np.uint64)
                total = mix(total ^ bits.astype(np.uint64))
        yield total


def block_units(rows: int, folds: int, places: npt.NDArray[Any] | None = None) -> Hashes:
    """Returns the block of each row, or of those at some places, uint64 (rows,): consecutive rows are in one block."""
    places = (np.arange(rows) if places is None else places).astype(np.uint64)
    return (places * np.uint64(min(rows, BLOCKS * folds))) // np.uint64(rows)


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


def units_of(examples: Examples, rows: Rows, folds: int) -> Values:
    """Returns what each row of train belongs to, uint64 (rows,), as the split of the source says.

    Of many rows they are in a file.

    Args:
      examples: The rows.
      rows: The same as the network sees them, those of weight 0 left out.
      folds: How many folds there will be.

    Raises:
      TrainingError: The rows belong to fewer groups than there are folds.
    """
    split, column = examples.properties.get("settings", {}).get("split"), key_column(examples)
    path, is_time = rows.file_for("units"), split in ("time", "order") and not examples.group
    if is_time:
        return joined(_time_units(examples, rows, folds, column), path)
    parts = _row_units((*rows.inputs, rows.label)) if not column else _key_units(examples, rows, column)
    units = joined(parts, path)
    most = max(folds, 1) if rows.whole > MANY_ROWS else rows.whole
    found = distinct_units(units, most)
    if isinstance(rows, SharedRows):
        found = rows.union(found, most)
    if found is not None and len(found) < folds:
        what = f"different values of `{column}`" if column else "different rows"
        raise TrainingError(
            f"Train has {len(found):,} {what}, and each of {folds} parts that are held out in turn needs one. "
            "Give more rows, raise `trainer.validation_fraction`, or set `trainer.early_stopping_patience` to none."
        )
    return units


def _key_units(examples: Examples, rows: Rows, column: str) -> Iterator[Hashes]:
    for values in _read(examples, rows, column):
        yield hash_texts(*text_buffers(values)) if is_text(values) else row_units((values,))


def _time_units(examples: Examples, rows: Rows, folds: int, column: str) -> Iterator[Hashes]:
    """Yields the blocks of rows: of consecutive ones or, where a column has numbers to order them, by these.

    Of many rows the order is known from a sample, and equal numbers are in one block.
    """
    count, shared = rows.whole, rows if isinstance(rows, SharedRows) else None
    if column and not is_text(first := next(_read(examples, rows, column), np.zeros(0))):
        if count <= MANY_ROWS:
            values: Any = np.concatenate([first[:0], *_read(examples, rows, column)])
            ranks: Any = rows.ranks(0, len(rows))
            if shared:
                values, ranks = shared.joined(values), shared.joined(ranks)
            ranked = np.empty(count, np.uint64)
            ranked[np.lexsort((ranks, values))] = block_units(count, folds)
            yield shared.own_part(ranked) if shared else ranked
            return
        step, kept, place = -(-count // SAMPLE_ROWS), [first[:0]], 0
        for values in _read(examples, rows, column):
            kept.append(values[rows.ranks(place, place + len(values)) % step == 0])
            place += len(values)
        sample = np.concatenate(kept)
        sample = np.sort(shared.joined(sample) if shared else sample)
        edges = sample[np.arange(1, BLOCKS * folds) * len(sample) // (BLOCKS * folds)]
        for values in _read(examples, rows, column):
            yield np.searchsorted(edges, values, side="right").astype(np.uint64)
        return
    for first_row in range(0, len(rows), MANY_ROWS):
        yield block_units(count, folds, rows.ranks(first_row, min(len(rows), first_row + MANY_ROWS)))


def _read(examples: Examples, rows: Rows, name: str) -> Iterator[Any]:
    """Yields a column of the rows, batch by batch: numbers, or texts; a missing value is 0 or empty."""
    first = begin = 0
    for batch in read_columns(examples, "train", columns=[name], blocks=rows.blocks):
        values = batch[name].values
        size = len(values)
        if rows.place is not None:
            own = rows.place[begin : begin + size]
            own = own[own < first + size]
            mask = np.zeros(size, bool)
            mask[own - first] = True
            begin += len(own)
            values = chosen(values, mask)
        first += size
        yield values
