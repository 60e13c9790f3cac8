"""Reads files whose columns have types as a source.

Columns hold numbers, text, booleans, times, or lists of these. What a format needs of its own, its schema and its
batches, is in the module of its name: `parquet`, `arrow`, `json_lines`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa

from crossnet.components.artifacts.examples import ExampleColumn
from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.records.wire_format import is_list
from crossnet.components.sources.arrow_values import (
    VANISHES,
    are_whole,
    converts,
    feature_kind,
    key_cells,
    rounding,
    stored_array,
    value_text,
    vanishing,
    without_nan,
)
from crossnet.components.sources.base import RetypedError, SourceBatch, differing, file_label
from crossnet.components.sources.csv_cells import convert_cells
from crossnet.components.sources.doubts import Doubt, toml_text
from crossnet.components.sources.exact import exact_columns
from crossnet.components.sources.naming import NamedColumns, name_columns
from crossnet.components.sources.other_files import unreadable
from crossnet.components.sources.table_types import (
    NestedColumnsError,
    differing_types,
    is_null,
    joined_kind,
    meanings_of,
)
from crossnet.components.sources.text_doubts import first_doubts
from crossnet.components.sources.times import FinerUnitError, check_units, in_finer_unit, with_units
from crossnet.serving.protocol.plain_arrays import plain_batch, plain_type
from crossnet.serving.protocol.printable import shown

# Damaged files: also names that are not UTF-8, what Arrow has not implemented, and sizes that cannot be in memory.
_UNREADABLE = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, MemoryError)
_MODULES = {"parquet": "parquet", "sql": "parquet", "arrow": "arrow", "jsonl": "json_lines"}


@dataclass(frozen=True)
class TableSource:
    """Files with the same columns, in any order.

    Attributes:
      form: The source's name in the settings.
      files: In the order in which they are read.
      named: The columns by use.
      types: "FLOAT", "INT" or "BYTES" by source name.
      units: The unit of each column of times that are not whole seconds.
      doubts: What was decided about columns and may be wrong.
      kinds: "time", "duration" or "truth" by source name, for numbers that stand for these.
      schema: Arrow's type by source name, where files do not state it themselves.
      nan_is_missing: Whether NaN is a missing value.
      ranges: By unit, the first row that is read and the one after the last; all rows of a unit that it does not name.
    """

    form: str
    files: tuple[Path, ...]
    named: NamedColumns
    types: Mapping[str, str]
    units: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    schema: Mapping[str, Any] = field(default_factory=dict)
    nan_is_missing: bool = False
    ranges: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[ExampleColumn, ...]:
        """The columns that are written; the label is FLOAT."""
        return tuple(ExampleColumn(name, source, self.types[source]) for source, name in self.named.names.items())

    @property
    def meanings(self) -> dict[str, str]:
        """What columns of numbers stand for, by source name, as in `kinds`; a time with its unit: "time:ms"."""
        return with_units(self.kinds, self.units)

    @property
    def sizes(self) -> list[int]:
        """Bytes of each file."""
        return [path.stat().st_size for path in self.files]

    def read(self, first_unit: int, last_unit: int) -> Iterator[SourceBatch]:
        """Yields the rows of some files.

        Raises:
          DataError: A file is of another format, or a value does not fit its column's type.
          RetypedError: A column of whole seconds holds parts of seconds too.
        """
        names, key = list(self.named.names.values()), self.named.key
        wanted = dict.fromkeys([*self.named.names, *([key] if key else []), *self.named.row])
        for unit in range(first_unit, last_unit):
            row, _ = self.ranges.get(unit, (0, 0))
            for batch in self._batches(unit, list(wanted)):
                arrays = [self._stored(batch, source, unit, row) for source in self.named.names]
                rows = pa.RecordBatch.from_arrays(arrays, names=names)
                cells = batch.select(list(self.named.row)) if self.named.row else None
                keys = key_cells(batch.column(key)) if key else None
                exact = exact_columns(self.named, batch.column, self.types.__getitem__, self.units)
                doubts = (*self._roundings(batch), *(() if row else first_doubts(self, batch)))
                yield SourceBatch(rows, keys, unit, row, cells, doubts, exact)
                row += batch.num_rows

    def read_keys(self, unit: int) -> Iterator[pa.Array]:
        """Yields the split column of a file as text."""
        for batch in self._batches(unit, [self.named.key]):
            yield key_cells(batch.column(0))

    def place(self, unit: int, row: int) -> str:
        """Returns the file, and the line or the row from 0."""
        path = self.files[unit]
        name = file_label(path, self.files)
        line = _module(self.form).row_line(path, row) if self.form == "jsonl" and path.is_file() else None
        return f"`{name}` row {row:,}" if line is None else f"`{name}:{line}`"

    def _batches(self, unit: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
        try:
            other = [self.schema] if self.schema else [self.ranges[unit]] if unit in self.ranges else []
            for batch in _module(self.form).read_batches(self.files[unit], columns, *other):
                yield plain_batch(batch)
        except _UNREADABLE as error:
            raise unreadable(self.files[unit], self.form, error) from None

    def _stored(self, batch: pa.RecordBatch, source: str, unit: int, first_row: int) -> pa.Array:
        array, kind = batch.column(source), self.types[source]
        try:
            if source in self.schema and pa.types.is_timestamp(
                self.schema[source]
            ):  # of JSON, which writes times as text
                array = convert_cells(array.cast(pa.binary()), "TIME")
            array = without_nan(array) if self.nan_is_missing else array  # int64 has no NaN
            stored = stored_array(array, kind, self.units.get(source, "s"), exact=source not in dict(self.named.units))
            return without_nan(stored) if self.nan_is_missing else stored
        except FinerUnitError as error:
            raise RetypedError(in_finer_unit(self, source, error.unit)) from None
        except pa.ArrowInvalid as error:
            self._fail(array, source, unit, first_row, error)
        except pa.ArrowException as error:  # an index beyond its dictionary
            raise unreadable(self.files[unit], self.form, error) from None

    def _fail(self, array: pa.Array, source: str, unit: int, first_row: int, error: Exception) -> NoReturn:
        kind, time_unit = self.types[source], self.units.get(source, "s")
        row = next((row for row in range(len(array)) if not converts(array.slice(row, 1), kind, time_unit)), 0)
        value = f"{self.place(unit, first_row + row)}: `{source}` is '{shown(value_text(array.slice(row, 1)))}'"
        if kind == "BYTES" and not is_list(array.type):
            raise DataError(
                f"{value}, expected text in UTF-8. Fix the value, write the column as binary, or name it in "
                "`example_gen.exclude`."
            ) from None
        raise DataError(
            f"{value}, which does not convert to {kind}: {shown(str(error), 200)}. "
            f"{self.named.remedy(source, 'Fix the value')}"
        ) from None

    def _roundings(self, batch: pa.RecordBatch) -> tuple[Doubt, ...]:
        """Returns a doubt for each column of float32 whose numbers have more digits than that."""
        found = []
        said = {doubt.column for doubt in self.doubts} if self.form == "jsonl" else set()
        for source in self.named.names:
            if self.types[source] == "FLOAT" and source not in said and (value := rounding(batch.column(source))):
                text = f"has numbers of more digits than float32 keeps, which is about 7 (such as {value})"
                found.append(Doubt(source, text, self._exact_setting(source, batch.column(source))))
            if self.types[source] == "FLOAT" and (value := vanishing(batch.column(source))):
                found.append(Doubt(source, VANISHES.format(value)))
        return tuple(found)

    def _exact_setting(self, source: str, array: pa.Array) -> str:
        """Returns the setting that keeps all digits of a column of numbers; "" where none does."""
        is_float = pa.types.is_float64(array.type)
        if source == self.named.label or (is_float and (self.form == "jsonl" or not are_whole(array))):
            return ""
        return f"{'integer' if is_float else 'text'} = [{toml_text(source)}]"


def plan_tables(files: Sequence[Path], params: ExampleGenParams) -> TableSource:
    """Returns the source for files whose columns have types, after reading their schemas.

    Raises:
      DataError: A file is of another format, schemas differ, or a column has a type that a record cannot hold.
      SettingsError: A setting names a column that does not exist.
    """
    schemas = [_schema(path, params.source) for path in files]
    doubts, stated = [], {}
    if params.source == "jsonl":  # a key that a file does not have is a hole
        schemas = [_module("jsonl").joined_schema(schemas)] * len(files)
        stated = {field.name: field.type for field in schemas[0]}
        doubts = _stated_doubts(schemas[0], params)
    first = schemas[0]
    if not first.names:
        raise DataError(f"No row is in `{files[0].name}`. Expected at least two. Name files with rows.")
    named = name_columns(first.names, params, files[0].name)
    stated |= dict.fromkeys(named.text & {*stated}, pa.string())
    for path, schema in zip(files, schemas, strict=True):
        if sorted(schema.names) != sorted(first.names):
            raise DataError(
                f"`{file_label(path, files)}` has other columns than `{file_label(files[0], files)}`: "
                f"{differing(first.names, schema.names)}. All files of `example_gen.input` need the same columns; "
                "their order may differ."
            )
    types, unknown = {}, {}
    for source in named.names:
        each = [schema.field(source).type for schema in schemas]
        kinds = {feature_kind(kind) for kind in each}
        if None in kinds:
            unknown[source] = str(next(kind for kind in each if feature_kind(kind) is None))
            continue
        types[source] = joined_kind(source, {feature_kind(kind) or "" for kind in each if not is_null(kind)}, named)
        if len(set(each)) > 1:
            doubts += differing_types(source, each, files, types[source], named)
    if unknown:
        raise NestedColumnsError(files[0].name, unknown)
    _check_extras(named, first)
    whole = [name for name in types if types[name] == "INT"]
    meant = meanings_of(schemas, whole)
    meant |= {name: "time" for name, _ in named.units if name in whole and name not in meant and name != named.label}
    check_units(named, [name for name, meaning in meant.items() if meaning != "truth"])
    return TableSource(
        params.source,
        tuple(files),
        named,
        types,
        doubts=tuple(doubts),
        units=dict(named.units),
        kinds=meant,
        schema=stated,
        nan_is_missing=params.nan == "missing",
    )


def _check_extras(named: NamedColumns, schema: pa.Schema) -> None:
    """Raises SettingsError where a weight or a group has several values per row."""
    for setting, source in (("weight", named.weight), ("group", named.group)):
        if source and pa.types.is_nested(schema.field(source).type):
            raise SettingsError(
                f"`example_gen.{setting}` names `{shown(source)}`, which holds {schema.field(source).type}. Expected "
                "one value per row. Name another column, or leave the setting out."
            )


def group_rows(source: TableSource, unit: int) -> list[int]:
    """Returns the rows of the groups of a file that can be read by themselves; nothing where it is one.

    Raises:
      DataError: The file is damaged.
    """
    if source.form not in ("parquet", "sql", "arrow"):
        return []
    try:
        found: list[int] = _module(source.form).group_rows(source.files[unit])
    except _UNREADABLE as error:
        raise unreadable(source.files[unit], source.form, error) from None
    return found


def _stated_doubts(schema: pa.Schema, params: ExampleGenParams) -> list[Doubt]:
    """Returns what is doubtful about the types of JSON's values, but for columns whose type the settings name."""
    decided = {*params.exclude, *params.numeric, *params.text}
    found = {name: schema.field(name).metadata for name in schema.names if name not in decided}
    return [
        Doubt(name, metadata[b"doubt"].decode(), f"exclude = [{toml_text(name)}]" if name != params.label else "")
        for name, metadata in found.items()
        if metadata and b"doubt" in metadata
    ]


def _schema(path: Path, form: str) -> pa.Schema:
    try:
        schema = _module(form).read_schema(path)
        return pa.schema([field.with_type(plain_type(field.type)) for field in schema])
    except _UNREADABLE as error:
        raise unreadable(path, form, error) from None


def _module(form: str) -> Any:
    return importlib.import_module(f"crossnet.components.sources.{_MODULES[form]}")
