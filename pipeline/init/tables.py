"""Finds the files of a table, their format and their columns."""

from __future__ import annotations

import dataclasses
import glob
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import RetypedError, Source
from crossnet.components.sources.csv import CsvSource
from crossnet.components.sources.csv_lines import COMPRESSED, open_bytes
from crossnet.components.sources.csv_lost_rows import lost_rows
from crossnet.components.sources.csv_repeats import repeat_doubts
from crossnet.components.sources.doubts import Doubt, merged
from crossnet.components.sources.files import ENDINGS, check_name, ending_of, input_files, table_files, visible_files
from crossnet.components.sources.naming import NoLabelError
from crossnet.components.sources.plan import plan_source
from crossnet.components.sources.table_types import NestedColumnsError
from crossnet.pipeline.init.csv_dialect import Dialect, find_dialect
from crossnet.serving.protocol.csv_bytes import START_BYTES, other_file
from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.header_names import listed_columns, spellings
from crossnet.serving.protocol.printable import shown
from crossnet.serving.protocol.suggestions import did_you_mean
from crossnet.serving.protocol.tfrecord import HEADER_BYTES, read_header

Found = TypeVar("Found")
SETTINGS = {field.name: field for field in dataclasses.fields(ExampleGenParams)}
# Parquet, Arrow and JSON files say themselves what is a number and what is missing.
OF_CSV = {field.name for field in dataclasses.fields(CsvFormat)} - {"nan"} | {"integer", "boolean"}
SOURCES = tuple(name for name in SETTINGS["source"].metadata["choices"] if name != "synthetic")
_NO_NAME = "\x00no column has this name"
_MAGIC = ((b"FEA1", "arrow"), (b"{", "jsonl"))


@dataclass(frozen=True)
class Table:
    """Files that `init` looks at.

    Attributes:
      source: Their format, as `example_gen.source` has it.
      input: A path or a glob.
      files: In the order in which they are read.
      split: "folders" where the input holds train/ and eval/; else "".
      dialect: How CSV files are written; as usual for other formats.
      others: Files of the folder that are not of the table.
      query: The settings of a query, whose rows are in the files; empty without one.
    """

    source: str
    input: str
    files: tuple[Path, ...]
    split: str = ""
    dialect: Dialect = field(default_factory=Dialect)
    others: tuple[Path, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The table's name in messages."""
        return "the query" if self.query else Path(self.input).name

    def takes(self, setting: str) -> bool:
        """Returns whether this version has a setting, and the table's format takes it."""
        return setting in SETTINGS and (self.source == "csv" or setting not in OF_CSV)

    def params(self, label: str, settings: Mapping[str, Any]) -> ExampleGenParams:
        """Returns the settings of ExampleGen; of `settings`, those that this version has."""
        given: dict[str, Any] = {name: value for name, value in settings.items() if name in SETTINGS}
        given |= {"source": self.source, "label": label, **(self.query or {"input": self.input})}
        if self.split:
            given["split"] = self.split
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        return ExampleGenParams(**given)


def find_table(path: Path, source: str = "") -> Table:
    """Returns the table that a path names: a file, a folder or a glob.

    Args:
      path: Where it is.
      source: The format; empty: by the files' endings, or their first bytes.

    Raises:
      SettingsError: The file does not exist, or its format is not known.
    """
    if not path.exists() and not glob.has_magic(str(path)):
        raise SettingsError(f"No file is at `{path}`. Name a table: a file, a folder or a glob in quotes.")
    if path.is_dir():
        return _folder(path, source)
    files = [path] if path.is_file() else sorted(Path(name) for name in glob.glob(str(path), recursive=True))
    files = [file for file in files if file.is_file()]
    if not files:
        raise SettingsError(f"No file matches `{path}`. Name a table: a file, a folder or a glob in quotes.")
    return _table(source or _common_format(files, path), str(path), files)


def find_query(query: str, connection: str, folder: Path, work: Path) -> Table:
    """Returns the table of a query's rows, after running it.

    Args:
      query: One SELECT, or the path of a .sql file.
      connection: The database; empty: DuckDB over files.
      folder: Where relative paths begin.
      work: An empty folder, for the rows.

    Raises:
      DataError, SettingsError: The query fails or gives no rows.
    """
    from crossnet.components.sources.snapshots import take_snapshot

    given: dict[str, Any] = {"query": query, **({"connection": connection} if connection else {})}
    params = ExampleGenParams(source="sql", query_folder=str(folder), **given)
    return Table("sql", "", (take_snapshot(work, params).path,), query=given)


def _folder(path: Path, source: str) -> Table:
    if all((path / name).is_dir() for name in ("train", "eval")):
        files = input_files(ExampleGenParams(source="csv", input=str(path), split="folders"))
        return _table(source or _common_format(files, path), str(path), files, "folders")
    files = visible_files(path)
    if not files:
        raise SettingsError(f"`{path}` holds no files. Name a table: a file, a folder or a glob in quotes.")
    known = [file for file in files if any(ending_of(file) in endings for endings in ENDINGS.values())] or files
    source = source or _common_format(known, path)
    ours = [file for file in known if ending_of(file) in ENDINGS.get(source, ())] or known
    given, found = _pattern(path, source, ours)
    others = [file for file in files if file not in found]
    return dataclasses.replace(_table(source, given, found), others=tuple(others))


def _pattern(path: Path, source: str, files: list[Path]) -> tuple[str, list[Path]]:
    """Returns what `input` names for the files of a table in a folder, and the files that it then is.

    Raises:
      SettingsError: One glob does not name them, and the folder holds others.
    """
    endings = {"".join(file.suffixes[-2:] if file.suffix in COMPRESSED else file.suffix) for file in files}
    if len(endings) > 1 and source in ENDINGS and table_files(path, source) == files:
        return str(path), files
    if len(endings) > 1:
        raise SettingsError(
            f"`{path}` has files with several endings: {', '.join(sorted(endings)) or 'none'}, and others that are not "
            "of the table. Name those of the table with a glob in quotes, or move the others."
        )
    pattern = path / ("*" if all(file.parent == path for file in files) else "**/*")
    pattern = pattern.with_name(f"*{endings.pop()}")
    return str(pattern), sorted(Path(name) for name in glob.glob(str(pattern), recursive=True) if Path(name).is_file())


def _table(source: str, given: str, files: list[Path], split: str = "") -> Table:
    for file in files:
        check_name(file)
    if source not in SOURCES:
        raise SettingsError(f"`{given}` is {source}, which is not read. Expected {', '.join(SOURCES)}.")
    try:
        dialect = find_dialect(files[0]) if source == "csv" else Dialect()
    except (OSError, EOFError) as error:
        raise DataError(f"`{files[0]}` cannot be read: {error}. Write the file again.") from None
    return Table(source, given, tuple(files), split, dialect)


def _common_format(files: list[Path], path: Path) -> str:
    formats = Counter(_format(file) for file in files)
    if len(formats) > 1:
        raise SettingsError(
            f"`{path}` has files of several formats: {', '.join(sorted(formats))}. "
            "Name those of one format, with a glob in quotes, or choose with --source."
        )
    return next(iter(formats))


def _format(file: Path) -> str:
    check_name(file)  # before it is opened
    suffix = (file.with_suffix("") if file.suffix in COMPRESSED else file).suffix.lstrip(".").lower()
    by_name = next((source for source, endings in ENDINGS.items() if suffix in endings), "")
    try:
        with open_bytes(file) as stream:
            start = stream.read(START_BYTES)
    except (OSError, EOFError):
        return by_name or "csv"
    other = other_file(start)
    if other and other.source in SOURCES:
        return other.source
    if by_name:
        return by_name
    if found := next((source for magic, source in _MAGIC if start.lstrip().startswith(magic)), ""):
        return found
    try:
        read_header(start[:HEADER_BYTES])
    except ValueError:
        return "tfrecord" if len(start) > 12 and start[4:8] == bytes(4) and not other else "csv"
    return "tfrecord"


def column_names(table: Table) -> list[str]:
    """Returns the columns as the source names them.

    Raises:
      DataError: The files cannot be read.
    """
    try:
        plan_table(table, _NO_NAME, {})
    except NoLabelError as error:
        return list(error.columns)
    raise DataError(f"`{table.input}` has a column named `{shown(_NO_NAME)}`. Give it another name.")


def resolve_label(table: Table, label: str, names: list[str]) -> str:
    """Returns the column that `label` names, in either spelling.

    Raises:
      SettingsError: There is none; the message lists the columns.
    """
    spelling = spellings(names)
    if label not in spelling:
        raise SettingsError(
            f"`{table.name}` has no column `{shown(label)}`.{did_you_mean(label, spelling)} "
            f"Its columns are: {listed_columns(names)}. Name the column to predict with --label."
        )
    return spelling[label]


def read_table(source: Source, doubts: list[Doubt] | None = None) -> Iterator[tuple[int, int, dict[str, pa.Array]]]:
    """Yields the unit, the number of the first row in it and the columns by source name: cells of text where they are.

    Args:
      source: The table.
      doubts: Gets what its values show that a record cannot hold, of a source without cells of text; else rows that
        an open quote took into a cell.

    Raises:
      DataError: A row cannot be read; the message names it.
    """
    by_name = {column.name: column.source_name for column in source.columns}
    read_cells = getattr(source, "read_cells", None)
    for unit in range(len(source.sizes)):
        row = 0
        if read_cells is not None:
            repeats: list[int] = []
            for cells in source.read_cells(unit, repeats) if isinstance(source, CsvSource) else read_cells(unit):
                if doubts is not None and isinstance(source, CsvSource):
                    found = repeat_doubts(source, unit, repeats) or lost_rows(source, unit, row, cells)
                    doubts[:] = doubts or found
                yield unit, row, cells
                row += len(next(iter(cells.values())))
            continue
        for batch in source.read(unit, unit + 1):
            if doubts is not None and batch.doubts:
                doubts[:] = merged((*doubts, *batch.doubts))
            yield unit, batch.first_row, {by_name[name]: batch.rows.column(name) for name in batch.rows.schema.names}


def look(source: Source, read: Callable[[Source], Found]) -> tuple[Source, Found]:
    """Returns what `read` finds in all rows of a source, and the source that reads them, which may be a retyped one."""
    while True:
        try:
            return source, read(source)
        except RetypedError as error:
            source = error.source


def plan_table(table: Table, label: str, settings: Mapping[str, Any]) -> Source:
    """Returns the source of the table's rows with these settings, and with those of its dialect.

    Raises:
      DataError, SettingsError: It cannot be read with them. Columns that a record cannot hold are left out.
    """
    given = {**table.dialect.settings, **settings}
    try:
        return plan_source(table.files, table.params(label, given))
    except NestedColumnsError as error:
        if label in error.columns:
            raise
        given["exclude"] = [*given.get("exclude", []), *error.columns]
        return plan_source(table.files, table.params(label, given))
