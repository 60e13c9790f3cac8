"""Reads CSV files as a source, in constant memory.

Any header is allowed; columns are numbers or text, cells may be empty. Arrow converts cells while it parses. Where it
fails (a cell of another kind, a misshapen row), the rest of the file is read again as text and converted cell by cell,
which either succeeds or names the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from crossnet.components.artifacts.examples import ExampleColumn
from crossnet.components.errors import DataError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import RetypedError, SourceBatch, differing, file_label
from crossnet.components.sources.csv_blocks import CsvLayout, read_blocks
from crossnet.components.sources.csv_cells import (
    ARROW_TYPES,
    FROM_TEXT,
    PLAIN,
    STORED,
    TIMES,
    BadCellError,
    NotWholeError,
    convert_cells,
    stored_values,
)
from crossnet.components.sources.csv_columns import read_kinds
from crossnet.components.sources.csv_doubts import kind_instead, losses
from crossnet.components.sources.csv_header import find_header
from crossnet.components.sources.csv_lines import may_have_quotes, misshapen_row, row_line
from crossnet.components.sources.csv_lost_rows import odd_rows
from crossnet.components.sources.csv_refused import refused_cell
from crossnet.components.sources.csv_repeats import beside, repeat_doubts, without_headers
from crossnet.components.sources.doubts import Doubt, merged
from crossnet.components.sources.exact import exact_columns
from crossnet.components.sources.naming import NamedColumns, name_columns
from crossnet.components.sources.times import FinerUnitError, check_units, in_finer_unit, with_units
from crossnet.serving.protocol.csv_format import CsvFormat


@dataclass(frozen=True)
class CsvSource:
    """CSV files with the same columns, in any order.

    Attributes:
      files: In the order in which they are read.
      layouts: Where the rows of each file are.
      named: The columns by use.
      kinds: How each column's cells are read, by source name.
      csv_format: How cells are written.
      odd: Of columns of kind MIXED, a cell that is not whole, and its place.
      doubts: What was decided about columns and may be wrong.
      units: The unit of each column of times that are not whole seconds, by source name.
    """

    files: tuple[Path, ...]
    layouts: tuple[CsvLayout, ...]
    named: NamedColumns
    kinds: Mapping[str, str]
    csv_format: CsvFormat = PLAIN
    odd: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[ExampleColumn, ...]:
        """The columns that are written; the label is FLOAT."""
        return tuple(ExampleColumn(name, source, self._type(source)) for source, name in self.named.names.items())

    @property
    def meanings(self) -> dict[str, str]:
        """Returns by source name which columns of numbers stand for times or for truth."""
        known = {**dict.fromkeys(TIMES, "time"), "BOOL": "truth", "WORDS": "truth"}
        found = {name: known[self.kinds[name]] for name in self.named.names if self.kinds[name] in known}
        return with_units(dict.fromkeys(dict(self.named.units), "time") | found, self.units)

    @property
    def sizes(self) -> list[int]:
        """Bytes of each file."""
        return [path.stat().st_size for path in self.files]

    def read(self, first_unit: int, last_unit: int) -> Iterator[SourceBatch]:
        """Yields the rows of some files.

        Raises:
          DataError: A row is misshapen or a cell is of another kind; it names the line.
          RetypedError: A column of whole numbers holds others too.
        """
        names = [*self.named.names.values()]
        kinds = {source: self.kinds[source] for source in self.named.names}
        for unit in range(first_unit, last_unit):
            row = self.layouts[unit].first_row
            lost: tuple[Doubt, ...] = ()
            repeats: list[int] = []
            for arrays in self._converted(unit, repeats):
                lost = lost or odd_rows(self, unit, row, arrays)
                columns = [self._stored(arrays[source], source) for source in self.named.names]
                batch = pa.RecordBatch.from_arrays(columns, names=names)
                cells, doubts = (
                    self._row_cells(arrays),
                    (*losses(kinds, self.odd, arrays), *lost, *repeat_doubts(self, unit, repeats)),
                )
                exact = exact_columns(self.named, arrays.__getitem__, self._type, self.units)
                yield SourceBatch(batch, arrays.get(f"key {self.named.key}"), unit, row, cells, doubts, exact)
                row += batch.num_rows

    def read_keys(self, unit: int) -> Iterator[pa.Array]:
        """Yields the cells of the split column.

        Raises:
          DataError: A row is misshapen.
        """
        assert self.named.key
        for cells in self._read(unit, [self.named.key]):
            yield cells[self.named.key]

    def place(self, unit: int, row: int) -> str:
        """Returns the file and the physical line."""
        path = self.files[unit]
        line = row_line(path, row, self.layouts[unit].csv_format) if path.is_file() else None
        name = file_label(path, self.files)
        return f"`{name}` row {row + 1:,}" if line is None else f"`{name}:{line}`"

    def _stored(self, array: pa.Array, source: str) -> pa.Array:
        """Returns a column as it is written.

        Raises:
          RetypedError: A column of times needs a finer unit.
        """
        kind = self.kinds[source]
        exact = kind not in TIMES or source not in dict(self.named.units)
        unit = self.units.get(source, "s")
        try:
            return stored_values(array, kind, self._type(source) == "FLOAT", unit, exact=exact)
        except FinerUnitError as error:
            raise RetypedError(in_finer_unit(self, source, error.unit)) from None

    def _read_kind(self, source: str) -> str:
        """Returns the kind as which cells are converted: float64 where a condition looks at a float32."""
        is_wide = self.kinds[source] == "FLOAT" and source in self.named.exact
        return "MIXED" if is_wide else self.kinds[source]

    def _row_cells(self, arrays: Mapping[str, pa.Array]) -> pa.RecordBatch | None:
        names = list(self.named.row)
        return pa.RecordBatch.from_arrays([arrays[f"cell {name}"] for name in names], names=names) if names else None

    def _type(self, source_name: str) -> str:
        return "FLOAT" if source_name == self.named.label else STORED[self.kinds[source_name]]

    def _open(self, unit: int, types: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
        return read_blocks(self.files[unit], types, self.layouts[unit])

    def _converted(self, unit: int, repeats: list[int]) -> Iterator[dict[str, pa.Array]]:
        """Yields arrays by source name, of the types of `kinds`, and cells as `key NAME` and, of a row, `cell NAME`."""
        kinds, key = {source: self._read_kind(source) for source in self.named.names}, self.named.key
        texts = [source for source, kind in kinds.items() if self._is_text_first(kind) or source == key]
        types = {source: ARROW_TYPES[kind] for source, kind in kinds.items()}
        types |= dict.fromkeys([*texts, *([key] if key else [])], pa.binary())
        rows = first = self.layouts[unit].first_row
        try:
            for batch in self._open(unit, types) if not self.named.row else ():
                arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
                cells = {f"key {key}": arrays[key]} if key else {}
                held = without_headers({source: arrays[source] for source in texts}, self.named.label, rows, repeats)
                yield arrays | cells | self._convert_all(held, unit, rows)
                rows += batch.num_rows
            if not self.named.row:
                return
        except pa.ArrowInvalid:
            pass
        except OSError as error:
            raise self._unreadable(unit, error) from None
        for cells in self.read_cells(unit, repeats):
            size = len(next(iter(cells.values())))
            start = min(max(rows - first, 0), size)  # rows that were yielded already
            if start < size:
                arrays = self._convert_all({name: array[start:] for name, array in cells.items()}, unit, first + start)
                if key:
                    arrays[f"key {key}"] = cells[key][start:]
                yield arrays | {f"cell {name}": cells[name][start:] for name in self.named.row}
            first += size

    def read_cells(self, unit: int, repeats: list[int] | None = None) -> Iterator[dict[str, pa.Array]]:
        """Yields the cells of every column in use as bytes, null where empty and in the rows that `repeats` gets.

        Raises:
          DataError: A row is misshapen.
        """
        named = self.named
        names = list(dict.fromkeys([*named.names, *([named.key] if named.key else []), *named.row]))
        return self._read(unit, names, repeats)

    def _is_text_first(self, kind: str) -> bool:
        """Whether Arrow reads cells of a kind as text, and the rules of single cells convert them."""
        return kind in FROM_TEXT or (kind != "BYTES" and not self.csv_format.has_plain_cells)

    def read_named(self, unit: int, names: Sequence[str]) -> Iterator[dict[str, pa.Array]]:
        """Yields the cells of some columns as `read_cells` does those of all."""
        return self._read(unit, names)

    def _read(self, unit: int, names: Sequence[str], repeats: list[int] | None = None) -> Iterator[dict[str, pa.Array]]:
        path, layout = self.files[unit], self.layouts[unit]
        row = layout.first_row
        try:
            for batch in self._open(unit, dict.fromkeys(beside(self.named, names), pa.binary())):
                cells = dict(zip(batch.schema.names, batch.columns, strict=True))
                yield without_headers(cells, self.named.label, row, repeats)
                row += batch.num_rows
        except pa.ArrowInvalid as error:
            raise (
                misshapen_row(path, layout.num_columns, layout.csv_format)
                or DataError(f"`{path}` cannot be read as CSV: {error}. Fix the file.")
            ) from None
        except OSError as error:
            raise self._unreadable(unit, error) from None

    def _unreadable(self, unit: int, error: OSError) -> DataError:
        return DataError(f"`{self.files[unit]}` cannot be read: {error}. Write the file again.")

    def _convert_all(self, cells: Mapping[str, pa.Array], unit: int, first_row: int) -> dict[str, pa.Array]:
        """Returns the columns of `cells` that are written, converted.

        Raises:
          DataError: A cell is of another kind; it names the line.
          RetypedError: Columns of whole numbers hold others too.
        """
        arrays: dict[str, pa.Array] = {}
        retyped = self
        for source in (source for source in self.named.names if source in cells):
            try:
                arrays[source] = self._convert(cells[source], source, unit, first_row)
            except NotWholeError as error:
                retyped = retyped._retyped(source, error, self.place(unit, first_row + error.row))
        if retyped is not self:
            raise RetypedError(retyped)
        return arrays

    def _retyped(self, source: str, error: NotWholeError, place: str) -> CsvSource:
        """Returns the source with another kind for a column whose first cells are whole numbers."""
        kind, example, doubts = kind_instead(source, error, place)
        kind = "HOLED" if kind == "BYTES" and source in self.named.null_text else kind
        return replace(
            self,
            kinds={**self.kinds, source: kind},
            odd={**self.odd, source: example},
            doubts=merged((*self.doubts, *doubts)),
        )

    def _convert(self, cells: pa.Array, source: str, unit: int, first_row: int) -> pa.Array:
        kind, is_label = self._read_kind(source), source == self.named.label
        form = dict(self.named.dates).get(source, "")
        codes = is_label or source in self.named.numeric
        try:
            return convert_cells(cells, kind, self.csv_format, form, codes=codes)
        except BadCellError as error:
            place, row = self.place(unit, first_row + error.row), first_row + error.row
            raise refused_cell(error, source, kind, self.named, self.csv_format, place, row) from None


def plan_csv(files: Sequence[Path], params: ExampleGenParams) -> CsvSource:
    """Returns the source for CSV files, after looking at their headers and first cells.

    A column is numeric where at least 99 % of its first 10,000 non-empty cells are numbers, and whole numbers where
    all of those are; settings override. Files may have their columns in another order.

    Raises:
      DataError: A file is missing, empty or misshapen, or headers differ.
      SettingsError: A setting names a column that does not exist.
    """
    csv_format = CsvFormat.of(params)
    headers = [find_header(path, csv_format) for path in files]
    first = headers[0].names
    named = name_columns(first, params, f"{files[0].name}:{headers[0].line}")
    for path, header in zip(files, headers, strict=True):
        if sorted(header.names) != sorted(first):
            raise DataError(
                f"`{path.name}:{header.line}` has other columns than `{files[0].name}`: "
                f"{differing(first, header.names)}. All files of `example_gen.input` need the same columns; their "
                "order may differ."
            )
    layouts = [
        CsvLayout(
            len(header.names),
            may_have_quotes(path, csv_format),
            tuple(header.names) if header.given else (),
            header.skip_lines,
            csv_format,
        )
        for path, header in zip(files, headers, strict=True)
    ]
    source = CsvSource(tuple(files), tuple(layouts), named, dict.fromkeys(first, "BYTES"), csv_format)
    reading = read_kinds(named, csv_format, len(files), source.read_named, source.place)
    check_units(named, [name for name, kind in reading.kinds.items() if kind in (*TIMES, "WHOLE")])
    return replace(source, kinds=reading.kinds, odd=reading.odd, doubts=tuple(reading.doubts), units=dict(named.units))
