"""Provides the synthetic table as a source.

The article's recipe is one unit; the sharded recipe has a unit for each seeded block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from crossnet.components.artifacts.examples import ExampleColumn
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import SourceBatch
from crossnet.components.sources.doubts import Doubt
from crossnet.components.sources.formula import BLOCK_ROWS, article_rows, column_names, num_blocks, sharded_rows
from crossnet.components.sources.naming import NamedColumns, name_columns


@dataclass(frozen=True)
class SyntheticSource:
    """Rows made from a seed."""

    params: ExampleGenParams
    doubts: tuple[Doubt, ...] = ()

    @property
    def _named(self) -> NamedColumns:
        return name_columns(column_names(self.params.num_features), self.params, "the synthetic table")

    @property
    def columns(self) -> tuple[ExampleColumn, ...]:
        """x0, x1, ... and y, all FLOAT."""
        return tuple(ExampleColumn(name, source, "FLOAT") for source, name in self._named.names.items())

    @property
    def unwritten(self) -> tuple[str, ...]:
        """The columns that are read for a condition alone."""
        return self._named.unwritten

    @property
    def files(self) -> tuple[Path, ...]:
        """Empty: synthetic rows are not read from files."""
        return ()

    @property
    def sizes(self) -> list[int]:
        """Rows of each unit."""
        rows = self.params.num_examples
        if self.params.generator == "article":
            return [rows]
        return [min(BLOCK_ROWS, rows - block * BLOCK_ROWS) for block in range(num_blocks(rows))]

    def read(self, first_unit: int, last_unit: int) -> Iterator[SourceBatch]:
        """Yields the rows of some units."""
        named = self._named
        kept, names = list(named.names), list(named.names.values())
        for unit in range(first_unit, last_unit):
            row = 0
            for batch in self._rows(unit):
                key = batch.column(named.key) if named.key else None
                written = pa.RecordBatch.from_arrays(batch.select(kept).columns, names=names)
                yield SourceBatch(written, key, unit, row, batch if named.row else None)
                row += batch.num_rows

    def read_keys(self, unit: int) -> Iterator[pa.Array]:
        """Yields the split column of one unit."""
        for batch in self._rows(unit):
            yield batch.column(self._named.key)

    def place(self, unit: int, row: int) -> str:
        """Returns the row's number in the table, from 0."""
        return f"synthetic row {unit * BLOCK_ROWS + row}"

    def _rows(self, unit: int) -> Iterator[pa.RecordBatch]:
        params = self.params
        size = {"seed": params.seed, "num_examples": params.num_examples, "num_features": params.num_features}
        if params.generator == "article":
            return article_rows(**size)
        return sharded_rows(**size, first_block=unit, last_block=unit + 1)
