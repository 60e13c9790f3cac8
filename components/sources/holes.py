"""Treats values that are missing: NaN, and columns without any value."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.sources.base import Source, SourceBatch, narrowed
from crossnet.components.sources.doubts import empty_column


def nan_as_null(batch: SourceBatch) -> SourceBatch:
    """Returns a batch with a missing value for each NaN; lists keep theirs."""
    arrays = []
    for array in batch.rows.columns:
        nan = pc.is_nan(array) if pa.types.is_floating(array.type) else None
        has_any = nan is not None and pc.any(nan).as_py()
        arrays.append(pc.if_else(nan, pa.scalar(None, array.type), array) if has_any else array)
    return batch._replace(rows=pa.RecordBatch.from_arrays(arrays, names=batch.rows.schema.names))


def without_empty(source: Source, filled: Collection[str], label: str, needed: Collection[str] = ()) -> Source:
    """Returns the source without the columns that have no value in any row, and a doubt about each; or `source`.

    Args:
      source: Where all rows were read from.
      filled: The columns that have a value, as `ExampleColumn.name`.
      label: The label's name, which is never left out.
      needed: The columns that a condition needs: they are read on, and not written.
    """
    empty = [column for column in source.columns if column.name not in filled and column.name != label]
    if not empty:
        return source
    gone = {column.name for column in empty}
    kept = narrowed(source, {column.name for column in source.columns} - (gone - {*needed}))
    if unwritten := gone & {*needed}:  # read on, for the condition
        named = kept.named._replace(unwritten=(*kept.named.unwritten, *unwritten))  # type: ignore[attr-defined]
        kept = replace(kept, named=named)  # type: ignore[type-var]
    found = tuple(empty_column(column.source_name) for column in empty)
    return replace(kept, doubts=(*source.doubts, *found))  # type: ignore[type-var]  # the sources are dataclasses
