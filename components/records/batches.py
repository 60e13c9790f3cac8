"""Cuts and joins batches of columns.

Sums of floats and sketches depend on where batches end. `steady_batches` ends them by content alone, so that every way
to read the same rows gives the same statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from crossnet.components.records.texts import chosen, is_text, joined, text_buffers
from crossnet.components.records.uniform_reader import Column

Columns = dict[str, Column]

_BATCH_VALUES = 1 << 23  # each column of a batch costs some time, and all of them are in memory
_BATCH_ROWS = (1 << 10, 1 << 16)  # at least, at most
MAX_BATCH_TEXT = 32 << 20  # bytes, except where one row has more


def steady_rows(num_columns: int) -> int:
    """Returns how many rows a batch of `steady_batches` has, where its texts are not long."""
    least, most = _BATCH_ROWS
    return min(max(_BATCH_VALUES // num_columns, least), most)


def steady_batches(chunks: Iterable[Columns], num_columns: int) -> Iterator[Columns]:
    """Cuts chunks of any size into batches whose ends depend on the rows alone.

    Args:
      chunks: The columns of consecutive rows.
      num_columns: The columns of the whole table, of which `chunks` may have some: with texts, all of them.
    """
    return _cut_all(chunks, steady_rows(num_columns), MAX_BATCH_TEXT)


def ends_by_rows(text: int) -> bool:
    """Returns whether a batch with so many bytes of texts, or fewer, ends by its number of rows."""
    return text <= MAX_BATCH_TEXT


def rebatch(chunks: Iterable[Columns], batch_size: int) -> Iterator[Columns]:
    """Cuts chunks of any size into batches of `batch_size` rows."""
    return _cut_all(chunks, batch_size, None)


def _cut_all(chunks: Iterable[Columns], most_rows: int, most_text: int | None) -> Iterator[Columns]:
    """Cuts chunks into batches that hold as many rows as may be."""
    held: list[Columns] = []
    rows = text = 0
    for chunk in chunks:
        size, start = num_rows(chunk), 0
        ends = None if most_text is None else _text_ends(chunk, most_text - text)
        while start < size:
            stop = min(size, start + most_rows - rows)
            if most_text is not None and ends is not None:
                fitting = int(np.searchsorted(ends, ends[start] + most_text - text, side="right")) - 1
                stop = min(stop, max(fitting, start if rows else start + 1))
            if start < stop:
                held.append({name: cut(column, start, stop) for name, column in chunk.items()})
                rows += stop - start
                text += 0 if most_text is None else sum(map(_text_bytes, held[-1].values()))
            if rows == most_rows or stop < size:
                batch, held, rows, text = concatenate(held), [], 0, 0  # the parts need not stay while it is used
                yield batch
            start = stop
    if held:
        yield concatenate(held)


def _text_bytes(column: Column) -> int:
    """Returns the bytes of a column's texts; 0 where it holds numbers."""
    if not is_text(column.values):
        return 0
    offsets, _ = text_buffers(column.values)
    return int(offsets[-1]) - int(offsets[0])


def _text_ends(chunk: Columns, room: int) -> NDArray[np.int64] | None:
    """Returns the bytes of texts before each row, int64 (rows + 1,); None where all of them fit."""
    texts = [column for column in chunk.values() if is_text(column.values)]
    if sum(map(_text_bytes, texts)) <= room:
        return None
    ends = np.zeros(num_rows(chunk) + 1, np.int64)
    for column in texts:
        offsets, _ = text_buffers(column.values)
        if column.lengths is not None:
            offsets = offsets[np.concatenate([[0], np.cumsum(column.lengths)])]
        ends += offsets.astype(np.int64) - int(offsets[0])
    return ends


def num_rows(columns: Mapping[str, Column]) -> int:
    """Returns the rows of a batch."""
    column = next(iter(columns.values()))
    return len(column.values if column.lengths is None else column.lengths)


def cut(column: Column, start: int, stop: int) -> Column:
    """Returns the rows from `start` up to, not including, `stop`."""
    present = None if column.present is None else column.present[start:stop]
    if present is not None and present.all():
        present = None
    if column.lengths is None:
        return Column(column.values[start:stop], present)
    first, last = int(column.lengths[:start].sum()), int(column.lengths[:stop].sum())
    return Column(column.values[first:last], present, column.lengths[start:stop])


def concatenate(parts: list[Columns]) -> Columns:
    """Returns the rows of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return {name: _concatenate_column([part[name] for part in parts]) for name in parts[0]}


def _concatenate_column(parts: list[Column]) -> Column:
    present = None
    if any(part.present is not None for part in parts):
        masks = [np.ones(num_rows({"": part}), bool) if part.present is None else part.present for part in parts]
        present = np.concatenate(masks)
    if all(part.lengths is None for part in parts):
        return Column(joined([part.values for part in parts]), present)
    values, lengths = [], []
    for part in parts:  # single values become lists of one, or of none
        if part.lengths is not None:
            values.append(part.values)
            lengths.append(part.lengths)
        else:
            mask = np.ones(len(part.values), bool) if part.present is None else part.present
            values.append(chosen(part.values, mask))
            lengths.append(mask.astype(np.int64))
    return Column(joined(values), present, np.concatenate(lengths))
