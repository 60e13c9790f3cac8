"""Reads the schema and the rows of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_BATCH_ROWS = 1 << 16


def read_schema(path: Path) -> pa.Schema:
    """Returns the columns of a file.

    Raises:
      pyarrow.ArrowException, OSError: It is not a Parquet file.
    """
    return pq.read_schema(path)


def read_batches(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a file with these columns.

    Raises:
      pyarrow.ArrowException, OSError: The file is damaged.
    """
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
            yield batch.select(columns)
