"""Reads existing TFRecord files of tf.train.Example as a source.

The files may be compressed; their records are written again in this project's layout. Types come from the first
records. Where a feature first appears later, reading starts again with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.artifacts.examples import ExampleColumn
from crossnet.components.errors import DataError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.records.dataset import read_file
from crossnet.components.records.mixed_reader import UnknownFeatureError
from crossnet.components.records.parser import MalformedExampleError, ParsedFeature, other_message, parse_example
from crossnet.components.records.texts import TEXT, is_text
from crossnet.components.records.tfrecord import read_records
from crossnet.components.records.uniform_reader import Column
from crossnet.components.sources.arrow_values import without_nan
from crossnet.components.sources.base import RetypedError, SourceBatch, file_label
from crossnet.components.sources.doubts import Doubt
from crossnet.components.sources.naming import NamedColumns, name_columns
from crossnet.serving.protocol.tfrecord import HEADER_BYTES, read_header

_SAMPLE_RECORDS = 1000
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class TFRecordSource:
    """TFRecord files.

    Attributes:
      params: The settings, to plan again where a new feature appears.
      files: In the order in which they are read.
      compressions: "" or "GZIP", of each file.
      named: The columns by use.
      types: "FLOAT", "INT" or "BYTES" by source name, in the order in which the first record has them.
      doubts: What was decided about columns and may be wrong.
    """

    params: ExampleGenParams
    files: tuple[Path, ...]
    compressions: tuple[str, ...]
    named: NamedColumns
    types: Mapping[str, str]
    doubts: tuple[Doubt, ...] = ()

    @property
    def columns(self) -> tuple[ExampleColumn, ...]:
        """The columns that are written; the label is FLOAT."""
        return tuple(ExampleColumn(name, source, self._type(source)) for source, name in self.named.names.items())

    @property
    def sizes(self) -> list[int]:
        """Bytes of each file."""
        return [path.stat().st_size for path in self.files]

    def read(self, first_unit: int, last_unit: int) -> Iterator[SourceBatch]:
        """Yields the records of some files.

        Raises:
          DataError: A file is truncated or damaged, or a record is not a tf.train.Example.
          RetypedError: A feature appears that the first records do not have.
        """
        names, key = list(self.named.names.values()), self.named.key
        for unit in range(first_unit, last_unit):
            row = 0
            for columns in self._read(unit):
                arrays = [self._array(source, columns[source], unit, row) for source in self.named.names]
                rows = pa.RecordBatch.from_arrays(arrays, names=names)
                yield SourceBatch(rows, self._key(columns[key]) if key else None, unit, row, self._cells(columns))
                row += rows.num_rows

    def read_keys(self, unit: int) -> Iterator[pa.Array]:
        """Yields the split column of a file as text."""
        for columns in read_file(self.files[unit], self.compressions[unit], dict(self.types)):
            yield self._key(columns[self.named.key])

    def place(self, unit: int, row: int) -> str:
        """Returns the file and the record, from 0."""
        return f"`{file_label(self.files[unit], self.files)}` record {row:,}"

    def _type(self, source: str) -> str:
        return "FLOAT" if source == self.named.label else self.types[source]

    def _read(self, unit: int) -> Iterator[dict[str, Column]]:
        try:
            yield from read_file(self.files[unit], self.compressions[unit], dict(self.types), strict=True)
        except UnknownFeatureError as error:
            raise RetypedError(_plan(self.files, self.params, {**self.types, **error.features})) from None

    def _array(self, source: str, column: Column, unit: int, first_row: int) -> pa.Array:
        if source == self.named.label and self.types[source] == "BYTES":
            raise DataError(
                f"{self.place(unit, first_row)}: `{source}`, the label, is text; it must be a number. "
                "Name another column in `example_gen.label`, or write the label as a number."
            )
        stored = {"FLOAT": pa.float32(), "INT": pa.int64(), "BYTES": pa.binary()}[self._type(source)]
        array = _column_array(column, stored)
        return without_nan(array) if self.params.nan == "missing" else array

    def _cells(self, columns: Mapping[str, Column]) -> pa.RecordBatch | None:
        names = list(self.named.row)
        return pa.RecordBatch.from_arrays([_column_array(columns[n]) for n in names], names=names) if names else None

    @staticmethod
    def _key(column: Column) -> pa.Array:
        if column.lengths is not None:
            raise DataError(
                f"The split column has {int(column.lengths.max())} values in a record; expected one. "
                "Name another column in `example_gen.split_column`."
            )
        missing = None if column.present is None else ~column.present
        array = _arrow(column.values, missing)
        return (array if is_text(column.values) else array.cast(pa.string())).cast(pa.binary())


def _column_array(column: Column, stored: pa.DataType | None = None) -> pa.Array:
    """Returns a column as an array, of lists where rows hold several values; None: of the type that it has."""
    missing = None if column.present is None else ~column.present
    values = _arrow(column.values, missing if column.lengths is None else None)
    values = values if stored is None else values.cast(stored, safe=False)
    if column.lengths is None:
        return values
    offsets = np.concatenate([[0], np.cumsum(column.lengths)])
    mask = None if missing is None else pa.array(missing)
    return pa.LargeListArray.from_arrays(pa.array(offsets), values, mask=mask)


def _arrow(values: Any, missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """Returns a column's values, numbers or texts, as an array that is null where one is missing."""
    if not is_text(values):
        return pa.array(values, mask=missing)
    return values if missing is None else pc.if_else(pa.array(missing), pa.scalar(None, TEXT), values)


def plan_tfrecord(files: Sequence[Path], params: ExampleGenParams) -> TFRecordSource:
    """Returns the source for TFRecord files, after reading the first records.

    Raises:
      DataError: A file is truncated or damaged, a record is not a tf.train.Example, or the label is missing.
      SettingsError: A setting names a feature that does not exist.
    """
    types: dict[str, str] = {}
    seen = 0
    for path in files:
        for data, offsets, lengths, first in read_records(path, compression_of(path)):
            for record, (start, size) in enumerate(zip(offsets.tolist(), lengths.tolist(), strict=True), first):
                if seen >= _SAMPLE_RECORDS and record:
                    break
                seen += 1
                for name, feature in _features(path, record, data[start : start + size]).items():
                    if feature.values:
                        types.setdefault(name, feature.kind)
            if seen >= _SAMPLE_RECORDS:
                break
    if not types:
        raise DataError(
            f"There are no records with features in `{files[0].name}`. Expected at least two. "
            "Name files with records in `example_gen.input`."
        )
    return _plan(files, params, types)


def _features(path: Path, record: int, data: bytes) -> dict[str, ParsedFeature]:
    """Returns the features of a record.

    Raises:
      DataError: It is not a tf.train.Example.
    """
    try:
        features = parse_example(data)
        reason = other_message(data)
    except MalformedExampleError as error:
        reason = str(error)
    if reason.startswith("a "):
        raise DataError(
            f"`{path}` record {record:,} is {reason}, not a tf.train.Example. Write each row as a tf.train.Example; "
            "a sequence as a feature of several values."
        )
    if reason:
        raise DataError(
            f"`{path}` record {record:,} is not a tf.train.Example: {reason}. Expected TFRecord files whose "
            "records are serialized tf.train.Example messages. Name such files in `example_gen.input`."
        )
    return features


def compression_of(path: Path) -> str:
    """Returns "GZIP" or "", according to the file's first bytes.

    A record of 35,615 bytes begins as GZIP does; its header's checksum tells it apart.
    """
    with path.open("rb") as stream:
        start = stream.read(HEADER_BYTES)
    if not start.startswith(_GZIP_MAGIC):
        return ""
    try:
        read_header(start)
    except ValueError:
        return "GZIP"
    return ""


def _plan(files: Sequence[Path], params: ExampleGenParams, types: Mapping[str, str]) -> TFRecordSource:
    named = name_columns(list(types), params, files[0].name)
    wrong = [name for name in named.numeric if types[name] == "BYTES"]
    wrong += [name for name in named.text if types[name] != "BYTES"]
    if wrong:
        raise DataError(
            f"`{files[0].name}`: {', '.join(f'`{name}` is {types[name]}' for name in wrong)}. The type of a feature in "
            "TFRecord files cannot be changed. Take it out of `example_gen.numeric` and `example_gen.text`."
        )
    return TFRecordSource(params, tuple(files), tuple(map(compression_of, files)), named, types)
