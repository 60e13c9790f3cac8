"""Writes rows of Parquet and Arrow files with predictions."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.printable import shown
from crossnet.serving.protocol.signature import TensorSpec
from crossnet.serving.rows.base import Row, Sink, Writer, check_not_complex, check_not_taken, shortest_values
from crossnet.serving.rows.json_lines import json_number
from crossnet.serving.rows.table_values import cell_texts, json_values, plain
from crossnet.serving.rows.tables import TABLES, TableReader, joined
from crossnet.serving.status import RowsError

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_ROWS, _GROUP_BYTES = 1 << 16, 64 << 20  # of rows that are written together


def make_table_writer(table: TableReader, stream: Sink, kind: str) -> Writer:
    """Returns a writer of a table's rows.

    Args:
      table: The reader that the rows come from.
      stream: What is written to.
      kind: "parquet", "arrow", "jsonl" or "csv".
    """
    if kind in TABLES:
        return _TableWriter(stream, table.schema, table.header_place, kind)
    return _TextWriter(stream, table.header, table.header_place, kind)


class _TableWriter(Writer):
    """Writes Parquet or an Arrow file: the columns as they were read, then the outputs.

    In an Arrow file a column with a dictionary has its values instead: such a file holds one dictionary per column.

    Args:
      stream: What is written to.
      schema: The columns of the rows.
      place: The file of the rows, for messages.
      kind: "parquet" or "arrow".
    """

    def __init__(self, stream: Sink, schema: pa.Schema, place: str, kind: str) -> None:
        self._file = _SinkFile(stream)
        self._schema, self._place, self._kind = schema, place, kind
        self._waiting: list[pa.RecordBatch] = []
        self._writer: Any = None

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        import pyarrow as pa

        check_not_taken(outputs, self._schema.names, self._place)
        check_not_complex(outputs, "such a file")
        outputs = _as_columns(outputs)
        table = pa.Table.from_batches(list(joined(rows)))
        for name in sorted(outputs):
            table = table.append_column(name, _output(outputs[name]))
        if self._kind == "arrow":
            table = _without_dictionaries(table)
        self._waiting += table.combine_chunks().to_batches()
        size = sum(batch.nbytes for batch in self._waiting)
        if sum(batch.num_rows for batch in self._waiting) >= _GROUP_ROWS or size >= _GROUP_BYTES:
            self._flush()

    def end(self, outputs: Mapping[str, TensorSpec]) -> None:
        import pyarrow as pa

        if self._writer is None and not self._waiting:
            check_not_taken(outputs, self._schema.names, self._place)
            empty = self._schema.empty_table()
            for name, spec in sorted(outputs.items()):
                kind = np.dtype(object) if spec.dtype is None else spec.dtype
                empty = empty.append_column(name, pa.array([], _arrow_type(kind)))
            self._open((_without_dictionaries(empty) if self._kind == "arrow" else empty).schema)
        self._flush()
        with _errors(self._kind):
            self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._waiting:
            return
        self._open(self._waiting[0].schema)
        with _errors(self._kind):
            table = pa.Table.from_batches(self._waiting)
            self._writer.write_table(table.combine_chunks())
        self._waiting = []

    def _open(self, schema: pa.Schema) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is None:
            with _errors(self._kind):
                is_parquet = self._kind == "parquet"
                self._writer = (pq.ParquetWriter if is_parquet else pa.ipc.new_file)(self._file, schema)


class _TextWriter(Writer):
    """Writes rows as JSON lines or as CSV with commas and a header, the outputs behind the columns.

    Args:
      stream: What is written to.
      header: The columns of the rows.
      place: The file of the rows, for messages.
      kind: "jsonl" or "csv".
    """

    def __init__(self, stream: Sink, header: list[str], place: str, kind: str) -> None:
        self._stream, self._header, self._place, self._is_csv = stream, header, place, kind == "csv"
        self._has_begun = False

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        check_not_complex(outputs, "text")
        self._begin(outputs)
        outputs = _as_columns(outputs) if self._is_csv else outputs
        values = [shortest_values(outputs[name]) for name in sorted(outputs)]
        parts = [part.columns for part in joined(rows)]
        convert = cell_texts if self._is_csv else json_values
        columns = [[value for part in column for value in convert(part)] for column in zip(*parts, strict=True)]
        if self._is_csv:
            self._write_cells(zip(*columns, *([_cell(v) for v in value] for value in values), strict=True))
            return
        names = [*self._header, *sorted(outputs)]
        answers = zip(*columns, *([json_number(v) for v in value] for value in values), strict=True)
        lines = (json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in answers)
        self._stream.write("".join(f"{line}\n" for line in lines).encode())

    def end(self, outputs: Mapping[str, TensorSpec]) -> None:
        self._begin(outputs)

    def _begin(self, outputs: Iterable[str]) -> None:
        if self._has_begun:
            return
        check_not_taken(outputs, self._header, self._place)
        self._has_begun = True
        if self._is_csv:
            self._write_cells([[*self._header, *sorted(outputs)]])

    def _write_cells(self, rows: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._stream.write(text.getvalue().encode())


class _SinkFile(io.RawIOBase):
    """A stream for Arrow, which asks where it stands."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self._written = sink, 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        self._sink.write(bytes(data))
        self._written += len(data)
        return len(data)


@contextlib.contextmanager
def _errors(kind: str) -> Iterator[None]:
    """Raises RowsError where a format cannot hold a column."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        other = "Arrow, with an `--output` that ends in .arrow" if kind == "parquet" else "JSON lines"
        reason = shown(str(error).rstrip("."), 200)
        raise RowsError(f"The answers cannot be written as {TABLES[kind]}: {reason}. Write them as {other}.") from None


def _as_columns(outputs: Mapping[str, Array]) -> dict[str, Array]:
    """Returns the outputs, those of shape [rows, 1] as columns."""
    return {name: array[:, 0] if array.shape[1:] == (1,) else array for name, array in outputs.items()}


def _output(values: Array) -> pa.Array:
    """Returns the values of an output as a column."""
    import pyarrow as pa

    kind = _arrow_type(values.dtype)
    if values.dtype.kind == "O":
        return pa.array(shortest_values(values), _nested(kind, values.ndim))
    if values.dtype.kind == "f" and values.dtype.itemsize < 4:
        values = values.astype(np.float32)
    return pa.array(values if values.ndim == 1 else values.tolist(), _nested(kind, values.ndim))


def _arrow_type(dtype: np.dtype[Any]) -> pa.DataType:
    import pyarrow as pa

    if dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize >= 4):
        return pa.from_numpy_dtype(dtype)
    return pa.string() if dtype.kind == "O" else pa.float32()


def _nested(kind: pa.DataType, dimensions: int) -> pa.DataType:
    import pyarrow as pa

    for _ in range(dimensions - 1):
        kind = pa.list_(kind)
    return kind


def _without_dictionaries(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            values = pa.chunked_array([plain(c) for c in table.column(place).chunks], field.type.value_type)
            table = table.set_column(place, pa.field(field.name, values.type, field.nullable), values)
    return table


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
