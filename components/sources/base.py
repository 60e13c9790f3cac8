"""Declares what every source of rows has: columns and batches.

A source consists of units (files, or blocks of synthetic rows); any process may read any unit. The order of rows is
the order of the units, and of the rows in each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.artifacts.examples import ExampleColumn
from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.doubts import Doubt
from crossnet.components.sources.renames import problems_of_renames
from crossnet.serving.protocol.header_names import feature_names, repeated_headers, shared_names, spellings
from crossnet.serving.protocol.limits import MAX_RECORD_BYTES, mebibytes
from crossnet.serving.protocol.printable import listed, shown
from crossnet.serving.protocol.suggestions import did_you_mean

FORCING = ("numeric", "text", "integer", "boolean", "date_format")  # settings that name columns by their type
MAX_NAME = 1000  # characters
_ENTRY_BYTES = 24  # of a column in a record, beside its name and its value: at most


class SourceBatch(NamedTuple):
    """Consecutive rows of one unit.

    Attributes:
      rows: The columns that are written, by `ExampleColumn.name`: float32, int64, binary, or lists of these.
      key: The split column as in the source (text of a CSV cell), or None where the split does not need one.
      unit: The number of the unit.
      first_row: The number of the first row in its unit, from 0.
      cells: The columns `NamedColumns.row` of the source, by source name and as the source has them; None where no
        rule asks for them.
      doubts: What these rows have shown that planning could not see.
    """

    rows: pa.RecordBatch
    key: pa.Array | None
    unit: int
    first_row: int
    cells: pa.RecordBatch | None = None
    doubts: tuple[Doubt, ...] = ()


class Source(Protocol):
    """Where rows come from. It is sent to worker processes, so it holds settings and paths, no open files."""

    @property
    def columns(self) -> tuple[ExampleColumn, ...]:
        """The columns that are written."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files; empty where there are none."""

    @property
    def sizes(self) -> list[int]:
        """The weight of each unit, such as its bytes, to share out work."""

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What was decided about columns and may be wrong."""

    def read(self, first_unit: int, last_unit: int) -> Iterator[SourceBatch]:
        """Yields the rows of the units from `first_unit` up to, not including, `last_unit`."""

    def read_keys(self, unit: int) -> Iterator[pa.Array]:
        """Yields the split column of a unit alone, in batches: numbers, or text in bytes."""

    def place(self, unit: int, row: int) -> str:
        """Returns the place of a row for messages, such as "rides.csv:871"."""


def narrowed(source: Source, names: Collection[str]) -> Source:
    """Returns a source whose batches have at least the columns `names`, as `ExampleColumn.name`, and few others."""
    named = getattr(source, "named", None)
    if not isinstance(named, NamedColumns):
        return source
    wanted = {original: name for original, name in named.names.items() if name in names}
    return replace(source, named=named._replace(names=wanted))  # type: ignore[type-var]  # the sources are dataclasses


def file_label(path: Path, files: Sequence[Path]) -> str:
    """Returns a file's name for messages, with its folder where several files have that name."""
    return path.name if sum(other.name == path.name for other in files) == 1 else f"{path.parent.name}/{path.name}"


def check_sizes(source: Source, batch: SourceBatch) -> None:
    """Checks that each row fits into a record that can be read again.

    Raises:
      DataError: One is larger than `MAX_RECORD_BYTES`; it names the row.
    """
    rows = batch.rows
    if rows.nbytes <= MAX_RECORD_BYTES // 2 or sum(map(_longest, rows.columns)) <= MAX_RECORD_BYTES // 2:
        return
    names = sum(len(name) + _ENTRY_BYTES for name in rows.schema.names)
    for row in range(rows.num_rows):
        size = rows.slice(row, 1).nbytes + names
        if size > MAX_RECORD_BYTES:
            raise DataError(
                f"{source.place(batch.unit, batch.first_row + row)} holds {size:,} bytes; a record holds at most "
                f"{mebibytes(MAX_RECORD_BYTES)}. Shorten its text, or name the column in `example_gen.exclude`."
            )


def _longest(array: pa.Array) -> int:
    """Returns how many bytes the longest value of a column may have: an upper bound."""
    if pa.types.is_large_list(array.type) or pa.types.is_list(array.type):
        values = pc.max(pc.list_value_length(array)).as_py() or 0
        return int(values * _longest(array.flatten()))
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        return int(pc.max(pc.binary_length(array)).as_py() or 0)
    return 8


class RetypedError(Exception):
    """Reading has shown that columns need other types; the source is planned again with them.

    Attributes:
      source: The source to read instead, from its start.
    """

    def __init__(self, source: Source):
        super().__init__(source)
        self.source = source


class NoLabelError(DataError):
    """The label that the settings name is not a column.

    Attributes:
      columns: The columns that there are, as the source names them.
    """

    def __init__(self, message: str, columns: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.columns = tuple(columns)


class NamedColumns(NamedTuple):
    """The columns of a source, named and used as the settings say.

    Attributes:
      names: The feature's name by source name, for every column that is written or that a condition needs.
      label: Source name of the label.
      numeric, text: Source names of columns that are forced to a type.
      key: Source name of the split column, or "".
      row: Source names of the columns whose cells tell a row from others, whether or not they are written: all of
        them, or none where no rule asks for them.
      unwritten: Names of features that are read for a condition alone.
      integer, boolean: Source names of columns that are forced to another type.
      dates: Source name and form of the columns whose form of dates is given.
    """

    names: dict[str, str]
    label: str
    numeric: frozenset[str]
    text: frozenset[str]
    key: str
    row: tuple[str, ...] = ()
    unwritten: tuple[str, ...] = ()
    integer: frozenset[str] = frozenset()
    boolean: frozenset[str] = frozenset()
    dates: tuple[tuple[str, str], ...] = ()


def name_columns(header: Sequence[str], params: ExampleGenParams, where: str) -> NamedColumns:
    """Returns how the columns of `header` are named and used; settings may use either spelling.

    Args:
      where: The header's place for messages, such as "rides.csv:1".

    Raises:
      DataError: Two columns have the same name, or a name is too long.
      NoLabelError: The label is not a column.
      SettingsError: Settings name columns that do not exist; all of them are listed.
    """
    if long := next((name for name in header if len(name) > MAX_NAME), None):
        raise DataError(
            f"`{where}` has a column whose name has {len(long):,} characters and begins `{shown(long)}`. A name has at "
            f"most {MAX_NAME:,}. Is the first line the header? Rename the column."
        )
    names, problems = _names_of(header, params, where)
    spelling = spellings(header, params.rename)

    def resolve(setting: str, names: Iterable[str]) -> frozenset[str]:
        for name in names:
            if name not in spelling:
                near = did_you_mean(name, spelling)
                problems.append(f"`example_gen.{setting}` names `{shown(name)}`, which is not a column.{near}")
        return frozenset(spelling[name] for name in names if name in spelling)

    exclude, *forced = (resolve(name, getattr(params, name)) for name in ("exclude", *FORCING))
    weight, group, key = (
        next(iter(resolve(name, [getattr(params, name)] if getattr(params, name) else [])), "")
        for name in ("weight", "group", "split_column")
    )
    key = key or (group if params.rule == "key" else "")
    exclude -= {weight, group} - {""}  # kept, though not as features
    needed = resolve("where", _columns_of_condition(params.where, spelling)) if params.where else frozenset()
    there = f"The columns of `{where}` are: {listed(header)}."
    if params.label not in spelling:
        missing = f"`{where}` has no column `{params.label}`, the label.{did_you_mean(params.label, spelling)}"
        message = " ".join([missing, *problems, there, "Name the label in `example_gen.label`."])
        raise NoLabelError(message, header)
    label = spelling[params.label]
    if label in exclude:
        problems.append(f"`example_gen.exclude` names `{params.label}`, which is the label.")
    if label in forced[FORCING.index("text")]:
        problems.append(f"`example_gen.text` names `{params.label}`, the label, which must be a number.")
    problems += _problems_of_extras(weight, group, label, forced[FORCING.index("text")])
    for (one, first), (other, second) in combinations(zip(FORCING, forced, strict=True), 2):
        if both := first & second:
            problems.append(f"`example_gen.{one}` and `example_gen.{other}` both name {listed(sorted(both))}.")
    if problems:
        raise SettingsError(" ".join([*problems, there]))
    read = {source: name for source, name in zip(header, names, strict=True) if source not in exclude - needed}
    unwritten = tuple(read[source] for source in read if source in exclude)
    numeric, text, integer, boolean, _ = forced
    numeric |= {weight} - text - integer - boolean - {""}
    dates = tuple((spelling[name], form) for name, form in params.date_format.items())
    row = tuple(header) if params.hashes_rows else ()
    return NamedColumns(read, label, numeric, text, key, row, unwritten, integer, boolean, dates)


def _names_of(header: Sequence[str], params: ExampleGenParams, where: str) -> tuple[list[str], list[str]]:
    """Returns the feature's name for each column, and what is wrong with `rename`.

    Raises:
      DataError: Two columns have the same name.
    """
    if problem := repeated_headers(header, f"`{where}`"):
        raise DataError(problem)
    names, problems = feature_names(header, params.rename), problems_of_renames(header, params.rename)
    if not problems and (problem := shared_names(header, names, f"`{where}`")):
        raise DataError(f"{problem} Or give one of them another name in `example_gen.rename`.")
    return names, problems


def _problems_of_extras(weight: str, group: str, label: str, text: Collection[str]) -> Iterator[str]:
    """Yields why the columns of weights and groups cannot be those."""
    for name, column in (("weight", weight), ("group", group)):
        if column and column == label:
            yield f"`example_gen.{name}` names `{column}`, which is the label."
    if weight and weight == group:
        yield f"`example_gen.weight` and `example_gen.group` both name `{weight}`."
    if weight in text:
        yield f"`example_gen.weight` names `{weight}`, which `example_gen.text` names too."


def _columns_of_condition(text: str, spelling: Mapping[str, str]) -> list[str]:
    """Returns the columns that a condition names, as they are spelled: SQL does not tell capitals from others."""
    from crossnet.components.sources.conditions import condition_columns  # DuckDB, only where there is a condition

    return [spelled(name, spelling) for name in condition_columns(text)]


def spelled(name: str, spelling: Iterable[str]) -> str:
    """Returns the one name that differs from `name` in capitals alone, if any; else `name`."""
    alike = [other for other in spelling if other.casefold() == name.casefold()]
    return name if name in alike or len(alike) != 1 else alike[0]


def unwritten(source: Source) -> tuple[str, ...]:
    """Returns the columns of a source's batches that are read for a condition alone."""
    named = getattr(source, "named", None)
    found: tuple[str, ...] = getattr(source if named is None else named, "unwritten", ())
    return found


def batch_names(source: Source) -> dict[str, str]:
    """Returns the name in a source's batches for each spelling of a column that a setting may use."""
    columns = source.columns
    names = {column.source_name: column.name for column in columns}
    by_spelling = {spelling: names[header] for spelling, header in spellings(list(names)).items()}
    return by_spelling | {column.name: column.name for column in columns}


def meanings(source: Source) -> Mapping[str, str]:
    """Returns by source name which columns of numbers stand for times or for truth ("time", "truth")."""
    found: Mapping[str, str] = getattr(source, "meanings", {})
    return found


def differing(first: Sequence[str], other: Sequence[str]) -> str:
    """Returns, for a message, which columns of the first file are missing in another, and which are extra there."""
    in_first, in_other = set(first), set(other)
    missing = listed([name for name in first if name not in in_other])
    extra = listed([name for name in other if name not in in_first])
    return f"missing: {missing or 'none'}; extra: {extra or 'none'}"
