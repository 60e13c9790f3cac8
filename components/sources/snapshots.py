"""Keeps the rows of a query as a Parquet file.

A run writes the rows that its query gives now, and reads that file from then on. Equal rows in the same order give
equal bytes, so a run whose query gives what it gave before has nothing to do.

File structure, below the root's snapshots/:
  <digest of query and connection>/<digest of the file>/query_rows.parquet
                                                        snapshot.json: taken_at, rows, sha256
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossnet.components import interrupts
from crossnet.components.errors import DataError, UnreadableFileError
from crossnet.components.files import read_object, write_json
from crossnet.serving.protocol.printable import shown

if TYPE_CHECKING:
    import pyarrow as pa

    from crossnet.components.params.example_gen import ExampleGenParams

ROWS_FILE = "query_rows.parquet"
FACTS_FILE = "snapshot.json"
_UNFINISHED = ".tmp-"
_DIGITS = 16
_GROUP_CELLS, _MIN_GROUP_ROWS, _MAX_GROUP_ROWS = 1 << 22, 1 << 10, 1 << 16


@dataclass(frozen=True)
class Snapshot:
    """A query's rows as they were at a time.

    Attributes:
      path: The Parquet file.
      taken_at: When the query gave these rows last, UTC, ISO 8601.
      rows: How many.
      is_new: Whether the snapshot before it held other rows, or there was none; set where it is taken.
    """

    path: Path
    taken_at: str
    rows: int
    is_new: bool = False

    def __str__(self) -> str:
        day, _, time = self.taken_at.partition("T")
        return f"snapshot of {day} {time[:5]} UTC, {self.rows:,} rows"


def take_snapshot(folder: Path, params: ExampleGenParams) -> Snapshot:
    """Runs the query of `params` and keeps its rows below `folder`, whole or not at all.

    Raises:
      PipelineError: The extra `sql` is not installed.
      SettingsError, DataError: The query fails, or gives no rows. The snapshot before it stays.
    """
    from crossnet.components.sources.queries import rows_of_query

    before = newest_snapshot(folder, params)
    parent = _folder_of(folder.absolute(), params)
    with _working_folder(parent) as work:
        with rows_of_query(params, work) as reader:
            rows = _write_rows(work / ROWS_FILE, reader)
        if not rows:
            raise DataError(
                "The query gives no rows. Expected at least two. Check the conditions in `example_gen.query`."
            )
        digest = _digest(work / ROWS_FILE)
        snapshot = Snapshot(parent / digest[:_DIGITS] / ROWS_FILE, _now(), rows)
        facts = {"taken_at": snapshot.taken_at, "rows": rows, "sha256": digest}
        if snapshot.path.is_file() and _digest(snapshot.path) == digest:
            write_json(snapshot.path.with_name(FACTS_FILE), facts)
        else:
            write_json(work / FACTS_FILE, facts)
            shutil.rmtree(snapshot.path.parent, ignore_errors=True)  # damaged, if it is there
            for leftover in set(work.iterdir()) - {work / ROWS_FILE, work / FACTS_FILE}:  # what a sort spilled
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            work.rename(snapshot.path.parent)
    return dataclasses.replace(snapshot, is_new=before is None or before.path != snapshot.path)


def newest_snapshot(folder: Path, params: ExampleGenParams) -> Snapshot | None:
    """Returns the last snapshot of the query of `params` below `folder`; None where there is none."""
    found = snapshots_in(_folder_of(folder, params))
    return found[-1] if found else None


def snapshots_in(folder: Path) -> list[Snapshot]:
    """Returns the snapshots of one query, the newest last; skips those that are damaged."""
    found = []
    for facts_file in folder.glob(f"[!.]*/{FACTS_FILE}"):
        with contextlib.suppress(OSError, UnreadableFileError, KeyError, TypeError, ValueError):
            facts = read_object(facts_file)
            snapshot = Snapshot(facts_file.with_name(ROWS_FILE), str(facts["taken_at"]), int(facts["rows"]))
            if snapshot.path.is_file():
                found.append(snapshot)
    return sorted(found, key=lambda snapshot: snapshot.taken_at)


def _folder_of(folder: Path, params: ExampleGenParams) -> Path:
    """Returns the folder of a query's snapshots; a secret is not in its name, `${NAME}` is."""
    from crossnet.components.sources.queries import query_text

    text = json.dumps([query_text(params), params.connection, params.query_folder])
    return folder / hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


@contextlib.contextmanager
def _working_folder(parent: Path) -> Iterator[Path]:
    """Gives a folder that has no final name yet; removes it after an error, and those of processes that were killed."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.parent.glob(f"*/{_UNFINISHED}*"):
        if not Path("/proc", left.name.removeprefix(_UNFINISHED)).exists():
            shutil.rmtree(left, ignore_errors=True)
    work = parent / f"{_UNFINISHED}{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        with contextlib.suppress(OSError):
            parent.rmdir()  # where this was to be its first


def _write_rows(path: Path, reader: pa.RecordBatchReader) -> int:
    """Writes a stream as Parquet in groups of a fixed number of rows, and returns how many rows there are.

    The bytes depend on the rows alone, not on how they were cut into batches.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = min(max(_GROUP_CELLS // max(len(reader.schema), 1), _MIN_GROUP_ROWS), _MAX_GROUP_ROWS)
    schema = pa.schema([pa.field(field.name, _plain_type(field)) for field in reader.schema])
    waiting, rows, total = [], 0, 0
    _check_types(schema)
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=True) as writer:

        def write(table: pa.Table) -> None:
            writer.write_table(table.combine_chunks(), row_group_size=size)

        for batch in reader:
            interrupts.check()
            plain = [_plain_array(batch.column(n), schema.field(n)) for n in range(len(schema))]
            waiting.append(pa.RecordBatch.from_arrays(plain, schema=schema))
            rows, total = rows + batch.num_rows, total + batch.num_rows
            while rows >= size:
                table = pa.Table.from_batches(waiting)
                write(table.slice(0, size))
                waiting, rows = table.slice(size).to_batches(), rows - size
        if rows:
            write(pa.Table.from_batches(waiting))
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return total


def _check_types(schema: pa.Schema) -> None:
    """Raises DataError where Parquet has no such type, such as an interval."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for field in schema:
        try:
            pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([field])).close()
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            raise DataError(
                f"The query's column `{shown(field.name)}` is of type {field.type}, which cannot be kept. Give a "
                "number or a text of it with CAST, or leave it out of `example_gen.query`."
            ) from None


def _plain_type(field: pa.Field) -> Any:
    """Returns the type in which a column is kept: an extension's storage; float64 for PostgreSQL's numeric."""
    import pyarrow as pa

    if (field.metadata or {}).get(b"ADBC:postgresql:typname") == b"numeric" or _extension(field.type) == "numeric":
        return pa.float64()  # the driver gives its digits as text
    return field.type.storage_type if isinstance(field.type, pa.BaseExtensionType) else field.type


def _extension(arrow_type: Any) -> str:
    return str(getattr(arrow_type, "type_name", ""))


def _plain_array(array: pa.Array, field: pa.Field) -> pa.Array:
    if hasattr(array, "storage"):
        array = array.storage
    return array if array.type == field.type else array.cast(field.type)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()
