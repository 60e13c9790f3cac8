"""Declares what every source of rows has: columns and batches.

A source consists of units (files, or blocks of synthetic rows); any process may read any unit. The order of rows is
the order of the units, and of the rows in each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.artifacts.examples import ExampleColumn
from crossnet.components.errors import DataError
from crossnet.components.sources.doubts import Doubt
from crossnet.components.sources.naming import NamedColumns
from crossnet.serving.protocol.header_names import spellings
from crossnet.serving.protocol.limits import MAX_RECORD_BYTES, mebibytes
from crossnet.serving.protocol.printable import listed

_NUMBERS, _NUMBER_BYTES = frozenset((pa.float32().id, pa.int64().id)), 8
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
      exact: The columns that a condition names and that records round, by `ExampleColumn.name`, as the source has them:
        float64, decimal or whole numbers, times as int64 in the unit of the column; None where there are none.
    """

    rows: pa.RecordBatch
    key: pa.Array | None
    unit: int
    first_row: int
    cells: pa.RecordBatch | None = None
    doubts: tuple[Doubt, ...] = ()
    exact: pa.RecordBatch | None = None


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
    if _NUMBER_BYTES * rows.num_columns <= MAX_RECORD_BYTES // 2 and _NUMBERS.issuperset(
        t.id for t in rows.schema.types
    ):
        return
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
    """Returns by source name what columns of numbers stand for: "time", "duration" or "truth", with their units."""
    found: Mapping[str, str] = getattr(source, "meanings", {})
    return found


def time_units(source: Source, meaning: str = "time") -> dict[str, str]:
    """Returns the unit ("s", "ms", "us" or "ns") of each column of moments since 1970, as `ExampleColumn.name`.

    Args:
      source: The source.
      meaning: "duration" for the columns of durations and times of day instead.
    """
    found = {name: what.partition(":") for name, what in meanings(source).items()}
    named = {column.source_name: column.name for column in source.columns if column.type == "INT"}
    return {named[name]: unit or "s" for name, (what, _, unit) in found.items() if what == meaning and name in named}


def differing(first: Sequence[str], other: Sequence[str]) -> str:
    """Returns, for a message, which columns of the first file are missing in another, and which are extra there."""
    in_first, in_other = set(first), set(other)
    missing = listed([name for name in first if name not in in_other])
    extra = listed([name for name in other if name not in in_first])
    return f"missing: {missing or 'none'}; extra: {extra or 'none'}"
