"""Writes columns beside a spool of records while rows are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from crossnet.components.records.batches import ends_by_rows, steady_rows
from crossnet.components.records.kept_batches import columns_of, kept_batch, kept_schema
from crossnet.components.records.wire_format import feature_type, is_list


class Piece(NamedTuple):
    """A record batch of a file that `ColumnSpool` has written.

    Attributes:
      path: The file.
      number: The batch's number in it.
      rows: Its rows.
      lists: Names of the columns that hold several values per row.
      is_final: Whether it is as `write_columns` would write it, where a shard begins with the file.
    """

    path: Path
    number: int
    rows: int
    lists: frozenset[str]
    is_final: bool = False


class ColumnSpool:
    """Writes batches as they come, of any size, to files beside a spool of records.

    They are cut as `steady_batches` cuts a shard that begins with them, as long as such batches end by their rows: of a
    spool that becomes a shard, these need not be written again.

    Args:
      path: Where the spool is; the files have names that begin with its name.

    Attributes:
      pieces: What was written, in order.
    """

    def __init__(self, path: Path) -> None:
        self.pieces: list[Piece] = []
        self._path, self._schema = path, None
        self._writer: Any = None
        self._files = self._batches = 0
        self._held: list[pa.RecordBatch] = []
        self._rows = self._size = 0
        self._is_final = True
        self._taken: pa.Schema | None = None
        self._types: dict[str, str] = {}
        self._lists = frozenset[str]()

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends the rows of a batch. Batches may differ in which columns are lists."""
        if batch.schema != self._taken:
            self._is_final = self._is_final and self._taken is None
            self._put_held()
            self._taken = batch.schema
            self._types = {field.name: feature_type(field.type) for field in batch.schema}
            self._lists = frozenset(field.name for field in batch.schema if is_list(field.type))
        most, rest = steady_rows(max(batch.num_columns, 1)), batch
        while self._is_final and not self._lists and rest.num_rows:
            part = rest.slice(0, most - self._rows)
            self._size += part.nbytes if "BYTES" in self._types.values() else 0
            if not ends_by_rows(self._size):
                break
            self._held.append(part)
            self._rows += part.num_rows
            rest = rest.slice(part.num_rows)
            if self._rows == most:
                self._put_final()
        if rest.num_rows:
            self._is_final = False
            self._put_held()
            self._put(rest)

    def _put_held(self) -> None:
        """Writes as they came the batches of which none is made."""
        for batch in self._held:
            self._put(batch)
        self._held = []

    def _put_final(self) -> None:
        columns = columns_of(pa.concat_batches(self._held), self._types)
        batch, metadata = kept_batch(columns, kept_schema(self._types, frozenset(), 0))
        self._held, self._rows, self._size = [], 0, 0
        self._put(batch, metadata)

    def _put(self, batch: pa.RecordBatch, metadata: Mapping[bytes, str] | None = None) -> None:
        if batch.schema != self._schema:
            self._end_file()
            self._files, self._batches, self._schema = self._files + 1, 0, batch.schema
            self._writer = pa.ipc.new_file(str(self._file), batch.schema)
        self._writer.write_batch(batch, custom_metadata=metadata)
        self.pieces.append(Piece(self._file, self._batches, batch.num_rows, self._lists, metadata is not None))
        self._batches += 1

    @property
    def _file(self) -> Path:
        return self._path.with_name(f"{self._path.name}.{self._files}.arrow")

    def _end_file(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def close(self) -> None:
        """Ends the file that was written last."""
        if self._held:
            self._put_final()
        self._end_file()


class Part(NamedTuple):
    """Rows of a piece, from `start` up to, not including, `stop`."""

    piece: Piece
    start: int
    stop: int


def parts_of(pieces: Sequence[Piece], first_row: int, last_row: int) -> list[Part]:
    """Returns where the rows from `first_row` up to, not including, `last_row` are in these pieces."""
    parts, start = [], 0
    for piece in pieces:
        a, b = max(first_row - start, 0), min(last_row - start, piece.rows)
        if a < b:
            parts.append(Part(piece, a, b))
        start += piece.rows
    return parts
