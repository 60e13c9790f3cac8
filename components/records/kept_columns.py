"""Keeps the columns of a shard beside its records.

Steps read them instead of parsing the records again. The file is Arrow IPC, which pandas and polars read too: float32,
int64 and large_binary, or lists of these; null, or an empty list, where a value is missing. Its schema says how many
bytes the shard has, so that a shard that was replaced is parsed. Each batch has a CRC32C for each column.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
import pyarrow as pa

from crossnet.components.artifacts.examples import columns_path
from crossnet.components.errors import DataError
from crossnet.components.progress import reached
from crossnet.components.records.arrow_columns import as_array, as_column, stored_type
from crossnet.components.records.batches import Columns, ends_by_rows, steady_batches, steady_rows
from crossnet.components.records.wire_format import is_list
from crossnet.serving.protocol.memory_limits import is_refusal

_SHARD_BYTES = b"shard_bytes"
_CHECKSUMS = b"crc32c"
_HEX_DIGITS = 8


class Piece(NamedTuple):
    """A record batch of a file that `ColumnSpool` has written.

    Attributes:
      path: The file.
      number: The batch's number in it.
      rows: Its rows.
      lists: Names of the columns that hold several values per row.
    """

    path: Path
    number: int
    rows: int
    lists: frozenset[str]


class ColumnSpool:
    """Writes batches as they come, of any size, to files beside a spool of records.

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
        self._lists = frozenset[str]()

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends the rows of a batch. Batches may differ in which columns are lists."""
        if batch.schema != self._schema:
            self.close()
            self._files, self._batches, self._schema = self._files + 1, 0, batch.schema
            self._lists = frozenset(field.name for field in batch.schema if is_list(field.type))
            self._writer = pa.ipc.new_file(str(self._file), batch.schema)
        self._writer.write_batch(batch)
        self.pieces.append(Piece(self._file, self._batches, batch.num_rows, self._lists))
        self._batches += 1

    @property
    def _file(self) -> Path:
        return self._path.with_name(f"{self._path.name}.{self._files}.arrow")

    def close(self) -> None:
        """Ends the file that was written last."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


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


def write_columns(shard: Path, parts: Sequence[Part], types: Mapping[str, str]) -> None:
    """Writes the columns of a finished shard beside it.

    Args:
      shard: The shard.
      parts: Where its rows are.
      types: Type ("FLOAT", "INT", "BYTES") by name of the columns.
    """
    rows, total = 0, sum(part.stop - part.start for part in parts)
    lists = frozenset[str]().union(*(part.piece.lists for part in parts))
    metadata = {_SHARD_BYTES: str(shard.stat().st_size)}
    fields = [pa.field(name, stored_type(kind, name in lists)) for name, kind in types.items()]
    schema = pa.schema(fields, metadata)
    with pa.ipc.new_file(str(columns_path(shard)), schema) as writer:
        for columns in _steady_columns(_batches_of(parts), types, lists):
            arrays = [as_array(columns[field.name], field.type) for field in fields]
            batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
            if not all(map(_is_plain, arrays)):
                batch = pa.ipc.read_record_batch(batch.serialize(), schema)  # with the very buffers of the file
            checksums = "".join(f"{_checksum(array):0{_HEX_DIGITS}x}" for array in batch.columns)
            writer.write_batch(batch, custom_metadata={_CHECKSUMS: checksums})
            rows += batch.num_rows
            del columns, arrays, batch  # before the next are read
            reached(shard, rows, total)


def _is_plain(array: pa.Array) -> bool:
    """Returns whether the file has the buffers of an array of `as_array` as they are: numbers, and none is missing."""
    return not array.null_count and bool(pa.types.is_primitive(array.type))


def _batches_of(parts: Sequence[Part]) -> Iterator[pa.RecordBatch]:
    opened: Path | None = None
    for part in parts:
        if part.piece.path != opened:
            opened = part.piece.path
            reader = pa.ipc.open_file(pa.OSFile(str(opened)), options=pa.ipc.IpcReadOptions(use_threads=False))
        yield reader.get_batch(part.piece.number).slice(part.start, part.stop - part.start)


def _steady_columns(
    batches: Iterator[pa.RecordBatch], types: Mapping[str, str], lists: Collection[str]
) -> Iterator[Columns]:
    """Yields columns as `steady_batches` cuts them.

    Where batches end by their rows, since no column is a list and texts are not long, Arrow joins all columns at once.
    """
    most, has_text = steady_rows(len(types)), "BYTES" in types.values()
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        rest = batch
        while rest.num_rows:
            part = rest.slice(0, most - rows)
            rest = rest.slice(part.num_rows)
            held.append(part)
            rows, size = rows + part.num_rows, size + (part.nbytes if has_text else 0)
            if lists or part.schema != held[0].schema or (has_text and not ends_by_rows(size)):
                others = itertools.chain(held, [rest], batches)
                yield from steady_batches((_columns(other, types) for other in others), len(types))
                return
            if rows == most:
                joined, held, rows, size = pa.concat_batches(held), [], 0, 0  # the parts need not stay while it is used
                yield _columns(joined, types)
                del joined
    if held:
        yield _columns(pa.concat_batches(held), types)


def _columns(batch: pa.RecordBatch, names: Iterable[str]) -> Columns:
    return {name: as_column(batch.column(name)) for name in names}


def has_columns(shard: Path, types: Mapping[str, str]) -> bool:
    """Returns whether the columns `types` are kept beside a shard, and the shard is the one they were kept for.

    Raises:
      DataError: The file is damaged.
    """
    path = columns_path(shard)
    if not path.is_file():
        return False
    with _opened(path, None) as reader:
        schema = reader.schema
    size = (schema.metadata or {}).get(_SHARD_BYTES, b"")
    found = {field.name: field.type for field in schema}
    stored = {kind: (stored_type(kind, False), stored_type(kind, True)) for kind in set(types.values())}
    fits = all(found.get(name) in stored[kind] for name, kind in types.items())
    return fits and size == str(shard.stat().st_size).encode()


def read_kept(shard: Path, names: Sequence[str], numbers: Sequence[int] | None = None) -> Iterator[Columns]:
    """Yields the columns `names` that are kept beside a shard, as `steady_batches` cuts its rows.

    Args:
      shard: The shard.
      names: The columns.
      numbers: The batches to read, ascending; None: all of them.

    Raises:
      DataError: The file is damaged.
    """
    path = columns_path(shard)
    with _opened(path, None) as reader:
        all_names = reader.schema.names  # made anew each time it is asked for
    wanted = frozenset(names)
    places = [place for place, name in enumerate(all_names) if name in wanted]
    stored = [all_names[place] for place in places]
    with _opened(path, places) as reader:
        for number in range(reader.num_record_batches) if numbers is None else numbers:
            reached(shard, number, reader.num_record_batches)
            batch, metadata = reader.get_batch_with_custom_metadata(number)
            expected = (metadata or {}).get(_CHECKSUMS, b"").decode(errors="replace")
            for place, name in zip(places, stored, strict=True):
                found = f"{_checksum(batch.column(name)):0{_HEX_DIGITS}x}"
                if found != expected[place * _HEX_DIGITS : (place + 1) * _HEX_DIGITS]:
                    raise damaged(path, f"the checksum (CRC32C) of `{name}` in batch {number:,} is wrong")
            yield _columns(batch, names)


@contextmanager
def _opened(path: Path, places: Sequence[int] | None) -> Iterator[Any]:
    """Opens a file of columns, of which those at `places` are read; it is not mapped, so memory does not grow."""
    options = pa.ipc.IpcReadOptions(included_fields=places, use_threads=False)
    try:
        with pa.OSFile(str(path)) as file, pa.ipc.open_file(file, options=options) as reader:
            yield reader
    except (pa.ArrowException, OSError) as error:
        if is_refusal(error):
            raise
        raise damaged(path, str(error)) from None


def damaged(path: Path, problem: str) -> DataError:
    """Returns what is said of a file of columns that cannot be read."""
    return DataError(
        f"`{path}` is damaged: {problem}. Expected the columns of the shard beside it, as ExampleGen keeps them. Call "
        "`crossnet run` again, which makes damaged artifacts again."
    )


def _checksum(array: pa.Array) -> int:
    crc = 0
    for buffer in array.buffers():
        if buffer is not None and buffer.size:
            crc = google_crc32c.extend(crc, buffer)
    return int(crc)
