"""Reads the schema and the rows of Arrow files.

These are Arrow IPC files, which Feather files of version 2 are as well, and streams. One record batch is in memory at
a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from crossnet.components.progress import reached
from crossnet.components.sources.csv_lines import open_bytes
from crossnet.components.sources.parquet import groups_with

_BATCH_ROWS = 1 << 16
_FILE_MAGIC, _OLD_FEATHER = b"ARROW1", b"FEA1"


def read_schema(path: Path) -> pa.Schema:
    """Returns the columns of a file.

    Raises:
      pyarrow.ArrowException, OSError: It is neither an Arrow file nor a stream.
    """
    with _opened(path, None) as reader:
        return reader.schema


def group_rows(path: Path) -> list[int]:
    """Returns the rows of each record batch of a file; of a stream, whose batches are not listed, nothing.

    Raises:
      pyarrow.ArrowException, OSError: It is neither an Arrow file nor a stream.
    """
    with _opened(path, [0]) as reader:  # the other columns are not read
        if not isinstance(reader, pa.ipc.RecordBatchFileReader):
            return []
        return [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]


def read_batches(path: Path, columns: list[str], rows: tuple[int, int] | None = None) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a file with these columns.

    Args:
      path: The file.
      columns: Their names.
      rows: The first row to read and the one after the last, of which only the record batches are read; None: all.

    Raises:
      pyarrow.ArrowException, OSError: The file is damaged.
    """
    with _opened(path, None) as reader:
        places = sorted(reader.schema.get_field_index(name) for name in columns)
    groups, skip, left = (None, 0, None) if rows is None else (*groups_with(group_rows(path), *rows), rows[1] - rows[0])
    with _opened(path, places) as reader:
        for batch in _batches(path, reader, groups):
            batch.validate()
            piece = batch.slice(skip, left)
            skip, left = 0, None if left is None else left - piece.num_rows
            for start in range(0, piece.num_rows, _BATCH_ROWS):
                yield piece.slice(start, _BATCH_ROWS).select(columns)


@contextmanager
def _opened(path: Path, places: list[int] | None) -> Iterator[Any]:
    """Opens a file or a stream, of which only the columns at `places` are read."""
    options = pa.ipc.IpcReadOptions(included_fields=places, use_threads=False)
    with path.open("rb") as stream:
        start = stream.read(len(_FILE_MAGIC))
    if start.startswith(_OLD_FEATHER):
        raise pa.ArrowInvalid("it is Feather of version 1, which is not read; write it as version 2")
    if start == _FILE_MAGIC:
        with pa.OSFile(str(path)) as file, pa.ipc.open_file(file, options=options) as reader:
            yield reader
    else:
        with open_bytes(path) as file, pa.ipc.open_stream(file, options=options) as reader:
            yield reader


def _batches(path: Path, reader: Any, numbers: list[int] | None) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        for number in range(reader.num_record_batches) if numbers is None else numbers:
            reached(path, number, reader.num_record_batches)
            yield reader.get_batch(number)
    else:
        yield from reader
