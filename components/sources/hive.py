"""Reads columns from the names of folders, as Hive writes them.

A file `rides/year=2026/zone=Harlem/part-0.parquet` has the columns `year` and `zone`, whatever its format.
"""

from __future__ import annotations

import glob
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.artifacts.examples import ExampleColumn
from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import RetypedError, Source, SourceBatch, narrowed
from crossnet.components.sources.doubts import Doubt
from crossnet.components.sources.files import PARTITION
from crossnet.components.sources.hive_columns import FolderColumn, file_value, first_other, folder_column
from crossnet.components.sources.hive_doubts import folder_doubts
from crossnet.components.sources.naming import NamedColumns, NoLabelError, name_columns
from crossnet.components.sources.widening import widened
from crossnet.serving.protocol.header_names import spellings
from crossnet.serving.protocol.printable import listed, shown

_MISSING = "__HIVE_DEFAULT_PARTITION__"
_NO_NAME = "\x00no column has this name"
Plan = Callable[[Sequence[Path], ExampleGenParams], Source]


@dataclass(frozen=True)
class HiveSource:
    """A source whose files lie in folders that name columns.

    Attributes:
      inner: The source of the files.
      named: The columns of the files and of the folders by use.
      folders: The columns that folders name.
      doubts: What was decided about columns and may be wrong.
    """

    inner: Source
    named: NamedColumns
    folders: tuple[FolderColumn, ...]
    doubts: tuple[Doubt, ...]

    @property
    def columns(self) -> tuple[ExampleColumn, ...]:
        """The columns that are written: those of the files, then those of the folders."""
        own = (ExampleColumn(c.name, c.source_name, c.type) for c in self.folders if not c.is_in_files)
        return tuple(column for column in (*self.inner.columns, *own) if column.source_name in self.named.names)

    @property
    def meanings(self) -> Mapping[str, str]:
        """What columns of numbers stand for, by source name."""
        meant = {c.source_name: c.meaning for c in self.folders if c.meaning}
        return {**meant, **getattr(self.inner, "meanings", {})}

    @property
    def kinds(self) -> dict[str, str]:
        """How the cells of columns are read, by source name, where the files' source says so or a folder does."""
        kinds: Mapping[str, str] = getattr(self.inner, "kinds", {})
        return {**{c.source_name: c.type for c in self.folders if not c.is_in_files}, **self.meanings, **kinds}

    @property
    def read_cells(self) -> Callable[[int], Iterator[dict[str, pa.Array]]] | None:
        """What yields a file's cells as bytes, by source name, null where empty; None where files hold no text."""
        return self._read_cells if hasattr(self.inner, "read_cells") else None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files."""
        return self.inner.files

    @property
    def sizes(self) -> list[int]:
        """The bytes of each file."""
        return self.inner.sizes

    def read(self, first_unit: int, last_unit: int) -> Iterator[SourceBatch]:
        """Yields the rows of some files.

        Raises:
          DataError: A file cannot be read, or has another value in a column than its folder says.
          RetypedError: The files' source is to be read again from its start.
        """
        inner = narrowed(self.inner, self.named.names.values())
        try:
            for batch in inner.read(first_unit, last_unit):
                yield self._with_folders(batch)
        except RetypedError as error:
            own = [doubt for doubt in self.doubts if doubt not in self.inner.doubts]
            whole = widened(error.source, self.inner)
            raise RetypedError(replace(self, inner=whole, doubts=(*error.source.doubts, *own))) from None

    def read_keys(self, unit: int) -> Iterator[pa.Array]:
        """Yields the split column of a file as text."""
        column = self._key_column()
        if column is None:
            yield from self.inner.read_keys(unit)
        else:
            for batch in narrowed(self.inner, [self.named.names[self.named.label]]).read(unit, unit + 1):
                yield column.cells(unit, batch.rows.num_rows)

    def place(self, unit: int, row: int) -> str:
        """Returns the place of a row for messages."""
        return self.inner.place(unit, row)

    def _read_cells(self, unit: int) -> Iterator[dict[str, pa.Array]]:
        inner: Any = self.inner
        own = [c for c in self.folders if not c.is_in_files and c.source_name in self.named.names]
        row = 0
        for cells in inner.read_cells(unit):
            size = len(next(iter(cells.values())))
            for column in self.folders:
                if column.is_in_files and column.source_name in cells:
                    at = first_other(cells[column.source_name], column.texts[unit])
                    if at is not None:
                        raise self._contradiction(column, unit, row + at, cells[column.source_name][at].as_py())
            row += size
            yield {**cells, **{column.source_name: column.cells(unit, size) for column in own}}

    def _key_column(self) -> FolderColumn | None:
        return next((c for c in self.folders if c.source_name == self.named.key and not c.is_in_files), None)

    def _with_folders(self, batch: SourceBatch) -> SourceBatch:
        rows, cells, key, size = batch.rows, batch.cells, batch.key, batch.rows.num_rows
        for column in self.folders:
            if column.is_in_files:
                self._compare(column, batch)
                continue
            if column.source_name in self.named.names:
                rows = rows.append_column(column.name, column.values(batch.unit, size))
            if column.source_name in self.named.row and cells is not None:
                cells = cells.append_column(column.source_name, column.cells(batch.unit, size))
        if (own := self._key_column()) is not None:
            key = own.cells(batch.unit, size)
        return batch._replace(rows=rows, cells=cells, key=key)

    def _compare(self, column: FolderColumn, batch: SourceBatch) -> None:
        """Checks that a column of the files holds what their folders say."""
        if column.name not in batch.rows.schema.names:
            return
        found = batch.rows.column(column.name)
        text = column.texts[batch.unit]
        is_text = pa.types.is_binary(found.type)
        wanted: Any = text and text.encode() if is_text else file_value(text, column, batch.unit)
        kind = pa.binary() if is_text else None
        equal = found.is_null() if wanted is None else pc.equal(found, pa.scalar(wanted, kind).cast(found.type))
        wrong = pc.invert(pc.fill_null(equal, False))
        if pc.any(wrong).as_py():
            row = pc.index(wrong, True).as_py()
            raise self._contradiction(column, batch.unit, batch.first_row + row, found[row].as_py())

    def _contradiction(self, column: FolderColumn, unit: int, row: int, value: Any) -> DataError:
        """Returns the error for a value of a file that is not what the file's folder says."""
        value = value.decode(errors="replace") if isinstance(value, bytes) else value
        return DataError(
            f"{self.place(unit, row)}: `{column.source_name}` is '{shown(str(value))}', and the file's folder says "
            f"'{shown(str(column.texts[unit]))}'. Write the column in one of them, or the same in both, or name it in "
            "`example_gen.exclude`."
        )


def plan_hive(files: Sequence[Path], params: ExampleGenParams, plan: Plan) -> Source:
    """Returns the source of files; where folders name columns, with these.

    Args:
      files: The files.
      params: The settings.
      plan: Returns the source of the files themselves.

    Raises:
      DataError: Files have folders of different names, or a file cannot be read.
      SettingsError: A setting names a column that does not exist, or the label is a folder's.
    """
    parts = [folder_values(file, params) for file in files]
    if not any(parts):
        return plan(files, params)
    for file, found in zip(files, parts, strict=True):
        if sorted(found) != sorted(parts[0]):
            raise DataError(
                f"The folders of `{shown(str(file), 200)}` name {listed(list(found)) or 'nothing'}, and those of "
                f"`{shown(str(files[0]), 200)}` name {listed(list(parts[0])) or 'nothing'}. All files of "
                "`example_gen.input` need the same `NAME=VALUE` folders."
            )
    header = _header(files, params, plan)
    new = [name for name in parts[0] if name not in header]
    named = name_columns([*header, *new], params, files[0].name)
    if named.label in new:
        raise SettingsError(
            f"`example_gen.label` is `{shown(named.label)}`, which is the name of folders. Expected a column of the "
            "files: all rows of a file have the same value there."
        )
    columns = tuple(
        folder_column(name, [found[name] for found in parts], named, params, is_in_files=name not in new)
        for name in parts[0]
    )
    _check_units(columns, new, params, [*header, *new])
    inner = plan(files, _of_files(params, [*header, *new], new, named))
    of_files = inner.named._replace(exact=named.exact - {*new})  # type: ignore[attr-defined]
    doubts = (*inner.doubts, *folder_doubts(columns, named, params.source))
    return HiveSource(replace(inner, named=of_files), named, columns, doubts)  # type: ignore[type-var]


def _of_files(params: ExampleGenParams, header: Sequence[str], new: Sequence[str], named: NamedColumns) -> Any:
    """Returns the settings for the files alone, which do not have the columns `new`."""
    spelled = spellings(header, params.rename)
    keep: dict[str, Any] = {
        setting: tuple(name for name in getattr(params, setting) if spelled[name] not in new)
        for setting in ("numeric", "text", "integer", "boolean", "clock", "clock_seconds", "null_text")
    }
    for setting in ("date_format", "time_unit"):
        given: Mapping[str, str] = getattr(params, setting)
        keep[setting] = {name: value for name, value in given.items() if spelled[name] not in new}
    for setting in ("weight", "group"):
        name = getattr(params, setting)
        keep[setting] = "" if name and spelled[name] in new else name
    keep["rename"] = {old: name for old, name in params.rename.items() if spelled[name] not in new}
    keep["exclude"] = tuple(name for name in header if name not in named.names and name not in new)
    if named.key in new:
        keep |= {"split": "hash" if params.hashes_rows else "order", "split_column": "", "split_time": ""}
    return replace(params, where="", **keep)


def _check_units(
    columns: Sequence[FolderColumn], new: Sequence[str], params: ExampleGenParams, header: Sequence[str]
) -> None:
    """Raises SettingsError where `time_unit` names a column of folders that is not one of times."""
    named = {spellings(header, params.rename)[name] for name in params.time_unit}
    of_folders = [column for column in columns if column.source_name in new]
    if wrong := [c.source_name for c in of_folders if c.source_name in named and not c.meaning.startswith("time")]:
        raise SettingsError(f"`example_gen.time_unit` names {listed(wrong)}, whose folders do not say times.")


def folder_values(file: Path, params: ExampleGenParams) -> dict[str, str | None]:
    """Returns what the folders of a file say by name; None for a hole.

    Only folders below the fixed part of `input` count, and below the last field of `input_pattern`.
    """
    if params.source not in ("csv", "parquet", "arrow", "jsonl"):
        return {}
    pattern = Path(params.input or params.input_pattern)
    fixed = len(pattern.parts)
    if params.input_pattern:
        fixed = max((n for n, part in enumerate(pattern.parts, 1) if "{" in part), default=0)
    elif glob.has_magic(str(pattern)):
        fixed = next(n for n, part in enumerate(pattern.parts) if glob.has_magic(part))
    found = (PARTITION.fullmatch(part) for part in file.parts[fixed:-1])
    values = {urllib.parse.unquote(match[1]): urllib.parse.unquote(match[2]) for match in found if match}
    return {name: None if value == _MISSING else value for name, value in values.items()}


def _header(files: Sequence[Path], params: ExampleGenParams, plan: Plan) -> Sequence[str]:
    """Returns the columns of the files."""
    bare = ExampleGenParams(source=params.source, input=params.input, label=_NO_NAME, **_format(params))
    try:
        plan(files, bare)
    except NoLabelError as error:
        return error.columns
    raise DataError(f"`{files[0].name}` has a column named `{shown(_NO_NAME)}`. Give it another name.")


def _format(params: ExampleGenParams) -> dict[str, Any]:
    """Returns the settings that say how the bytes of a file become cells, and how its columns are named."""
    names = ("delimiter", "quote", "escape", "encoding", "comment", "skip_rows", "header", "names", "rename")
    return {name: getattr(params, name) for name in names if hasattr(params, name)}
