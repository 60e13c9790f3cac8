"""Reads Parquet files as a source, batch by batch.

Columns hold numbers, text, booleans, times, or lists of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossnet.components.artifacts.examples import ExampleColumn
from crossnet.components.errors import DataError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.records.wire_format import is_list
from crossnet.components.sources.base import NamedColumns, SourceBatch, differing, file_label, name_columns
from crossnet.components.sources.doubts import Doubt
from crossnet.serving.protocol.printable import shown

_BATCH_ROWS = 1 << 16
# Damaged files: also names that are not UTF-8, what Arrow has not implemented, and sizes that cannot be in memory.
_UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError)
_STORED = {"FLOAT": pa.float32(), "INT": pa.int64(), "BYTES": pa.binary()}


@dataclass(frozen=True)
class ParquetSource:
    """Parquet files with the same columns, in any order.

    Attributes:
      files: In the order in which they are read.
      named: The columns by use.
      types: "FLOAT", "INT" or "BYTES" by source name.
      doubts: What was decided about columns and may be wrong.
      meanings: "time" or "truth" by source name, for numbers that stand for these.
    """

    files: tuple[Path, ...]
    named: NamedColumns
    types: Mapping[str, str]
    doubts: tuple[Doubt, ...] = ()
    meanings: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[ExampleColumn, ...]:
        """The columns that are written; the label is FLOAT."""
        return tuple(ExampleColumn(name, source, self.types[source]) for source, name in self.named.names.items())

    @property
    def sizes(self) -> list[int]:
        """Bytes of each file."""
        return [path.stat().st_size for path in self.files]

    def read(self, first_unit: int, last_unit: int) -> Iterator[SourceBatch]:
        """Yields the rows of some files.

        Raises:
          DataError: A file is not a Parquet file, or a value does not fit its column's type.
        """
        names, key = list(self.named.names.values()), self.named.key
        wanted = dict.fromkeys([*self.named.names, *([key] if key else []), *self.named.row])
        for unit in range(first_unit, last_unit):
            row = 0
            for batch in self._batches(unit, list(wanted)):
                arrays = [self._stored(batch, source, unit, row) for source in self.named.names]
                rows = pa.RecordBatch.from_arrays(arrays, names=names)
                cells = batch.select(list(self.named.row)) if self.named.row else None
                yield SourceBatch(rows, key_cells(batch.column(key)) if key else None, unit, row, cells)
                row += batch.num_rows

    def read_keys(self, unit: int) -> Iterator[pa.Array]:
        """Yields the split column of a file as text."""
        for batch in self._batches(unit, [self.named.key]):
            yield key_cells(batch.column(0))

    def place(self, unit: int, row: int) -> str:
        """Returns the file and the row, from 0."""
        return f"`{file_label(self.files[unit], self.files)}` row {row:,}"

    def _batches(self, unit: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
        path = self.files[unit]
        try:
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False)
        except _UNREADABLE as error:
            raise _not_parquet(path, error) from None

    def _stored(self, batch: pa.RecordBatch, source: str, unit: int, first_row: int) -> pa.Array:
        array, kind = batch.column(source), self.types[source]
        try:
            return stored_array(array, kind)
        except pa.ArrowInvalid as error:
            row = next((row for row in range(len(array)) if not _converts(array.slice(row, 1), kind)), 0)
            value = f"{self.place(unit, first_row + row)}: `{source}` is '{shown(_as_text(array.slice(row, 1)))}'"
            if kind == "BYTES" and not is_list(array.type):
                raise DataError(
                    f"{value}, expected text in UTF-8. Fix the value, write the column as binary, or name it in "
                    "`example_gen.exclude`."
                ) from None
            raise DataError(
                f"{value}, which does not convert to {kind}: {shown(str(error), 200)}. Fix the value, or name the "
                "column in `example_gen.text` or `example_gen.exclude`."
            ) from None
        except pa.ArrowException as error:  # an index beyond its dictionary
            raise _not_parquet(self.files[unit], error) from None


def plan_parquet(files: Sequence[Path], params: ExampleGenParams) -> ParquetSource:
    """Returns the source for Parquet files, after reading their schemas.

    Raises:
      DataError: A file is not a Parquet file, schemas differ, or a column has a type that a record cannot hold.
      SettingsError: A setting names a column that does not exist.
    """
    schemas = [_schema(path) for path in files]
    first = schemas[0]
    named = name_columns(first.names, params, files[0].name)
    for path, schema in zip(files, schemas, strict=True):
        if sorted(schema.names) != sorted(first.names):
            raise DataError(
                f"`{path.name}` has other columns than `{files[0].name}`: {differing(first.names, schema.names)}. "
                "All files of `example_gen.input` need the same columns; their order may differ."
            )
    types, unknown = {}, []
    for source in named.names:
        kinds = {_feature_type(schema.field(source).type) for schema in schemas}
        if None in kinds:
            unknown.append(f"`{source}` ({first.field(source).type})")
            continue
        if source in named.text or kinds == {"BYTES"}:
            types[source] = "FLOAT" if source in named.numeric or source == named.label else "BYTES"
        elif source == named.label or "FLOAT" in kinds:
            types[source] = "FLOAT"
        else:
            types[source] = "BYTES" if "BYTES" in kinds else "INT"
    if unknown:
        raise DataError(
            f"`{files[0].name}` has columns of types that a record cannot hold: {', '.join(unknown)}. Expected "
            "numbers, text, booleans, times or lists of these; name the others in `example_gen.exclude`."
        )
    numbers = [name for name in types if types[name] == "INT"]
    return ParquetSource(tuple(files), named, types, meanings=_meanings(schemas, numbers))


def _meanings(schemas: Sequence[pa.Schema], names: Sequence[str]) -> dict[str, str]:
    """Returns what columns of numbers stand for, where they do so in all files: a time with its date, or truth."""
    tests = {
        "time": lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind),
        "truth": pa.types.is_boolean,
    }
    return {
        name: meaning
        for name in names
        for meaning, test in tests.items()
        if all(test(schema.field(name).type) for schema in schemas)
    }


def stored_array(array: pa.Array, kind: str) -> pa.Array:
    """Returns a column as it is written: float32, int64 or binary, or a list of these; times in whole Unix seconds.

    Raises:
      pyarrow.ArrowInvalid: A value does not convert.
    """
    if is_list(array.type) or pa.types.is_fixed_size_list(array.type):
        values = stored_array(array.flatten(), kind)
        if values.null_count:
            raise pa.ArrowInvalid("a list holds a null")
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
        return pa.LargeListArray.from_arrays(offsets, values, mask=array.is_null() if array.null_count else None)
    kind_type = array.type
    if pa.types.is_dictionary(kind_type):
        array = array.dictionary_decode()
        kind_type = array.type
    if kind == "BYTES":
        if pa.types.is_binary(kind_type) or pa.types.is_large_binary(kind_type):
            return array.cast(pa.binary())
        text = array.cast(pa.string())
        text.validate(full=True)  # a file may hold any bytes and call them text
        return text.cast(pa.binary())
    if pa.types.is_temporal(kind_type):
        array = _seconds(array)
    elif pa.types.is_boolean(kind_type) or pa.types.is_decimal(kind_type):
        array = array.cast(pa.int64() if pa.types.is_boolean(kind_type) else pa.float64())
    elif _feature_type(kind_type) == "BYTES":
        text = array.cast(pa.string())
        array = pc.utf8_trim_whitespace(pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text))
    return array.cast(_STORED[kind], safe=kind == "INT")


def key_cells(array: pa.Array) -> pa.Array:
    """Returns a column as text in bytes; null stays null.

    Raises:
      DataError: Its values are lists or otherwise nested.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_nested(array.type):
        raise DataError(
            f"The split column holds {array.type}; expected one value per row. "
            "Name another column in `example_gen.split_column`."
        )
    if not pa.types.is_binary(array.type) and not pa.types.is_large_binary(array.type):
        array = array.cast(pa.string())
    return array.cast(pa.binary())


def _seconds(array: pa.Array) -> pa.Array:
    """Returns a date, time stamp or time of day in whole seconds."""
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("s"))
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[array.type.unit]
    integers = array.cast(pa.int32()).cast(pa.int64()) if pa.types.is_time32(array.type) else array.cast(pa.int64())
    seconds = np.floor_divide(integers.fill_null(0).to_numpy(zero_copy_only=False), per_second)
    return pa.array(seconds, mask=array.is_null().to_numpy(zero_copy_only=False))


def _as_text(array: pa.Array) -> str:
    """Returns the only value of an array for a message."""
    try:
        return str(array[0].as_py())
    except UnicodeDecodeError:
        value: bytes = array.cast(pa.binary())[0].as_py()
        return value.decode("utf-8", "backslashreplace")


def _converts(array: pa.Array, kind: str) -> bool:
    try:
        stored_array(array, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _feature_type(arrow_type: Any) -> str | None:
    """Returns the type in which a column is written, or None where a record cannot hold it."""
    if is_list(arrow_type) or pa.types.is_fixed_size_list(arrow_type):
        inner = arrow_type.value_type
        return None if is_list(inner) or pa.types.is_fixed_size_list(inner) else _feature_type(inner)
    if pa.types.is_dictionary(arrow_type):
        return _feature_type(arrow_type.value_type)
    if pa.types.is_floating(arrow_type) or pa.types.is_decimal(arrow_type):
        return "FLOAT"
    if pa.types.is_integer(arrow_type) or pa.types.is_boolean(arrow_type) or pa.types.is_temporal(arrow_type):
        return None if pa.types.is_interval(arrow_type) else "INT"
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return "BYTES" if pa.types.is_null(arrow_type) or any(is_text(arrow_type) for is_text in texts) else None


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except _UNREADABLE as error:
        raise _not_parquet(path, error) from None


def _not_parquet(path: Path, error: Exception) -> DataError:
    reason = shown((str(error) or type(error).__name__).splitlines()[0].rstrip("."), 200)
    return DataError(
        f"`{path}` cannot be read as Parquet: {reason}. Name Parquet files in `example_gen.input`, or set "
        "`example_gen.source` to the files' format."
    )
