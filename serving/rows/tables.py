"""Reads rows of Parquet and Arrow files, a batch at a time."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from crossnet.serving.protocol.header_names import repeated_headers
from crossnet.serving.protocol.memory_limits import is_refusal
from crossnet.serving.protocol.printable import shown
from crossnet.serving.rows.base import Row
from crossnet.serving.status import RowsError

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = {"parquet": "Parquet", "arrow": "Arrow"}
_BATCH_ROWS = 1 << 13
_FILE_MAGIC = b"ARROW1"
_OLD_FEATHER = b"FEA1"


class Part(NamedTuple):
    """A row's place among those that were read together.

    Attributes:
      batch: The rows, a `pyarrow.RecordBatch`.
      row: Its position.
    """

    batch: Any
    row: int


class TableReader:
    """Reads a file whose columns have types; each row is a `Part`.

    Args:
      stream: The file's bytes. Those of Parquet and of an Arrow file are read from their end; a stream of Arrow
        batches may be a pipe.
      name: The file as it is named in a message.
      kind: "parquet" or "arrow"; Feather of version 2 is Arrow.

    Attributes:
      header: The names of the columns.
      header_place: The file.
      schema: The columns, a `pyarrow.Schema`.
      bytes_read: Of the rows so far, in memory.

    Raises:
      RowsError: It is not such a file, or two of its columns have one name.
    """

    def __init__(self, stream: BinaryIO, name: str, kind: str) -> None:
        self._name, self._kind = name, kind
        self.header_place = name
        self.bytes_read = 0
        with self._errors():
            self._file = self._opened(stream)
            self.schema = self._file.schema_arrow if kind == "parquet" else self._file.schema
        self.header: list[str] = list(self.schema.names)
        if problem := repeated_headers(self.header, name):
            raise RowsError(problem)

    def rows(self) -> Iterator[Row]:
        """Yields the rows, which are numbered from 0, as pandas does.

        Raises:
          RowsError: The file is damaged, or holds text that is not UTF-8.
        """
        first, batches = 0, self._batches()
        while True:
            with self._errors():
                batch = next(batches, None)
            if batch is None:
                return
            self._check(batch, first)
            size = batch.nbytes / max(1, batch.num_rows)
            for index in range(batch.num_rows):
                self.bytes_read += int(size) + 1
                yield Row(f"{self._name} row {first + index:,}", Part(batch, index))
            first += batch.num_rows

    def _opened(self, stream: BinaryIO) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._kind == "parquet":
            self._check_seekable(stream)
            return pq.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 18)  # else all of it stays in memory
        start = stream.peek(len(_FILE_MAGIC)) if hasattr(stream, "peek") else stream.read(len(_FILE_MAGIC))
        if not hasattr(stream, "peek"):
            stream.seek(0)
        if start.startswith(_OLD_FEATHER):
            raise RowsError(f"{self._name} is Feather of version 1, which is not read. Write it as version 2.")
        if start.startswith(_FILE_MAGIC):
            self._check_seekable(stream)
            return pa.ipc.open_file(pa.PythonFile(stream, mode="r"))
        return pa.ipc.open_stream(pa.PythonFile(stream, mode="r"))

    def _check_seekable(self, stream: BinaryIO) -> None:
        """Raises RowsError where the file cannot be read from its end."""
        try:
            stream.seek(0, 2)
            stream.seek(0)
        except (OSError, ValueError):
            raise RowsError(
                f"{self._name} is a pipe or is compressed as a whole; {TABLES[self._kind]} is read from its end. Save "
                "it as a file that is not compressed, and name it with `--rows`."
            ) from None

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._kind == "parquet":
            yield from self._file.iter_batches(_BATCH_ROWS, use_threads=False)
            return
        if hasattr(self._file, "num_record_batches"):
            found: Iterable[Any] = map(self._file.get_batch, range(self._file.num_record_batches))
        else:
            found = self._file
        for batch in found:
            batch.validate()
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                yield batch.slice(start, _BATCH_ROWS)

    def _check(self, batch: pa.RecordBatch, first: int) -> None:
        """Raises RowsError where text is not UTF-8, which a file may hold and call text."""
        import pyarrow as pa

        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid:
                row = next((row for row in range(len(column)) if not _is_valid(column.slice(row, 1))), 0)
                raise RowsError(
                    f"{self._name} row {first + row:,}: `{shown(name)}` is not text in UTF-8. Fix the value, or write "
                    "the column as binary."
                ) from None

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Raises RowsError where the file cannot be read."""
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, MemoryError) as error:
            if is_refusal(error):
                raise
            reason = shown((str(error) or type(error).__name__).splitlines()[0].rstrip("."), 200)
            raise RowsError(
                f"{self._name} cannot be read as {TABLES[self._kind]}: {reason}. Make it again, or name another format "
                "with `--format`."
            ) from None


def joined(rows: Sequence[Row]) -> Iterator[pa.RecordBatch]:
    """Yields rows as the parts of the batches that hold them, in their order."""
    for _, group in itertools.groupby(rows, key=lambda row: id(row.values.batch)):
        same = list(group)
        batch, start = same[0].values
        yield batch.slice(start, len(same))


def _is_valid(column: pa.Array) -> bool:
    import pyarrow as pa

    try:
        pa.concat_arrays([column]).validate(full=True)  # of the row alone, not of the buffers that it is in
    except pa.ArrowInvalid:
        return False
    return True
