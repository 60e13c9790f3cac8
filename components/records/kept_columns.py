"""Keeps the columns of a shard beside its records.

Steps read them instead of parsing the records again. The file is Arrow IPC, which pandas and polars read too: float32,
int64 and large_binary, or lists of these; null, or an empty list, where a value is missing. Its schema says how many
bytes the shard has, so that a shard that was replaced is parsed. Each batch has a CRC32C for each column.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from crossnet.components.artifacts.examples import columns_path
from crossnet.components.errors import DataError
from crossnet.components.progress import reached
from crossnet.components.records.arrow_columns import as_column, stored_type
from crossnet.components.records.arrow_index import graft
from crossnet.components.records.batches import Columns, ends_by_rows, steady_batches, steady_rows
from crossnet.components.records.column_spool import Part
from crossnet.components.records.kept_batches import (
    CHECKSUMS,
    HEX_DIGITS,
    SHARD_BYTES,
    checksum,
    columns_of,
    kept_batch,
    kept_schema,
)
from crossnet.serving.protocol.memory_limits import is_refusal


def write_columns(shard: Path, parts: Sequence[Part], types: Mapping[str, str], *, is_spool: bool = False) -> None:
    """Writes the columns of a finished shard beside it.

    Args:
      shard: The shard.
      parts: Where its rows are.
      types: Type ("FLOAT", "INT", "BYTES") by name of the columns.
      is_spool: Whether nobody else needs the files of `parts`, so that the first one may become the shard's.
    """
    total = sum(part.stop - part.start for part in parts)
    lists = frozenset[str]().union(*(part.piece.lists for part in parts))
    schema = kept_schema(types, lists, shard.stat().st_size)
    kept = _final_parts(parts, schema) if is_spool else []
    rows = sum(part.stop for part in kept)
    with pa.ipc.new_file(str(columns_path(shard)), schema) as writer:
        for _ in kept:
            writer.write_batch(pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema))
        for columns in _steady_columns(_batches_of(parts[len(kept) :]), types, lists):
            batch, metadata = kept_batch(columns, schema)
            writer.write_batch(batch, custom_metadata=metadata)
            rows += batch.num_rows
            del columns, batch  # before the next are read
            reached(shard, rows, total)
    if kept:
        graft(columns_path(shard), kept[0].piece.path, len(kept))


def _final_parts(parts: Sequence[Part], schema: pa.Schema) -> Sequence[Part]:
    """Returns the parts, of the first ones, that are whole batches of one file, cut and written as the shard's are."""
    most, number = steady_rows(max(len(schema), 1)), 0
    for part in parts:
        piece, is_last = part.piece, number == len(parts) - 1
        is_whole = part == Part(piece, 0, piece.rows) and (piece.rows == most or is_last)
        if not (piece.is_final and is_whole and (piece.path, piece.number) == (parts[0].piece.path, number)):
            break
        number += 1
    if number:
        with _opened(parts[0].piece.path, None) as reader:
            number = number if reader.schema.equals(schema) else 0
    return parts[:number]


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
                yield from steady_batches((columns_of(other, types) for other in others), len(types))
                return
            if rows == most:
                joined, held, rows, size = pa.concat_batches(held), [], 0, 0  # the parts need not stay while it is used
                yield columns_of(joined, types)
                del joined
    if held:
        yield columns_of(pa.concat_batches(held), types)


def has_columns(shard: Path, types: Mapping[str, str]) -> bool:
    """Returns whether the columns `types` are kept beside a shard, and the shard is the one they were kept for.

    Raises:
      DataError: The file is damaged.
    """
    path = columns_path(shard)
    if not path.is_file():
        return False
    found, size = _schema_of(path)
    stored = {kind: (stored_type(kind, False), stored_type(kind, True)) for kind in set(types.values())}
    fits = all(found.get(name) in stored[kind] for name, kind in types.items())
    return fits and size.isdigit() and int(size) == shard.stat().st_size


def _schema_of(path: Path) -> tuple[Mapping[str, pa.DataType], bytes]:
    """Returns the type of each column of a file, by name in its order, and what it says of its shard's bytes."""
    found = path.stat()
    return _read_schema(path, (found.st_ino, found.st_size, found.st_mtime_ns))


@functools.lru_cache(maxsize=8)
def _read_schema(path: Path, file: tuple[int, ...]) -> tuple[Mapping[str, pa.DataType], bytes]:
    """Does so for a `file` that was not replaced: of 1,000 columns, which are read in groups, each time takes 1 ms."""
    with _opened(path, None) as reader:
        schema = reader.schema
    return {field.name: field.type for field in schema}, (schema.metadata or {}).get(SHARD_BYTES, b"")


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
    wanted = frozenset(names)
    stored = {name: place for place, name in enumerate(_schema_of(path)[0]) if name in wanted}
    places = [*stored.values()]
    with _opened(path, places) as reader:
        for number in range(reader.num_record_batches) if numbers is None else numbers:
            reached(shard, number, reader.num_record_batches)
            batch, metadata = reader.get_batch_with_custom_metadata(number)
            expected = (metadata or {}).get(CHECKSUMS, b"").decode(errors="replace")
            columns: Columns = {}
            for (name, place), array in zip(stored.items(), batch.columns, strict=True):
                found = f"{checksum(array):0{HEX_DIGITS}x}"
                if found != expected[place * HEX_DIGITS : (place + 1) * HEX_DIGITS]:
                    raise damaged(path, f"the checksum (CRC32C) of `{name}` in batch {number:,} is wrong")
                columns[name] = as_column(array)
            yield {name: columns[name] for name in names}


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
