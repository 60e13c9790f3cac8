"""Reads the schema and the rows of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crossnet.components.progress import reached

_BATCH_ROWS = 1 << 16
_BUFFER_BYTES = 1 << 18  # of each column


def read_schema(path: Path) -> pa.Schema:
    """Returns the columns of a file.

    Raises:
      pyarrow.ArrowException, OSError: It is not a Parquet file.
    """
    return pq.read_schema(path)


def group_rows(path: Path) -> list[int]:
    """Returns the rows of each row group of a file.

    Raises:
      pyarrow.ArrowException, OSError: It is not a Parquet file.
    """
    metadata = pq.read_metadata(path)
    return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]


def read_batches(path: Path, columns: list[str], rows: tuple[int, int] | None = None) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a file with these columns.

    Args:
      path: The file.
      columns: Their names.
      rows: The first row to read and the one after the last, of which only the row groups are read; None: all.

    Raises:
      pyarrow.ArrowException, OSError: The file is damaged.
    """
    # By default the whole file would come to memory, and stay there until its last row.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
        if rows is None:
            groups, skip, left = None, 0, file.metadata.num_rows
        else:
            groups, skip = groups_with(group_rows(path), *rows)
            left = rows[1] - rows[0]
        total = left
        for batch in file.iter_batches(_BATCH_ROWS, row_groups=groups, columns=columns, use_threads=False):
            dropped = min(skip, batch.num_rows)
            piece = batch.slice(dropped, left)
            skip, left = skip - dropped, left - piece.num_rows
            reached(path, total - left, total)
            if piece.num_rows:
                yield piece.select(columns)
            if not left:
                return


def groups_with(counts: Sequence[int], first: int, last: int) -> tuple[list[int], int]:
    """Returns the groups that have some of the rows from `first` up to, not including, `last`.

    Args:
      counts: The rows of each group.

    Returns:
      Their numbers, and how many rows of the first one come before `first`.
    """
    ends = np.cumsum(counts)
    begins = ends - counts
    groups = np.flatnonzero((begins < last) & (ends > first)).tolist()
    return groups, first - int(begins[groups[0]]) if groups else 0
