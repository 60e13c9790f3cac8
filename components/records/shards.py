"""Writes rows to spools while they are read, then to shards.

The number of rows in a shard is known only when all rows are counted. So workers write spools, and each shard is a
range of rows of all spools, in order, because TFRecord files can be cut and joined between records. The shards are
equal for any number of workers. A spool that is a whole shard is renamed, not copied.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from crossnet.components.artifacts.base import split_folder
from crossnet.components.artifacts.examples import columns_path, shard_path
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.progress import begin, reached
from crossnet.components.records.column_spool import ColumnSpool, Part, Piece, parts_of
from crossnet.components.records.encoder import encode_examples, slices
from crossnet.components.records.kept_columns import write_columns
from crossnet.components.records.tfrecord import frame_start

_COPY_BYTES = 4 << 20
_WRITE_BYTES = 1 << 20  # Linux 6.18 takes three to ten times the CPU to write 28 MiB at once (2026-11-30)
_GZIP_LEVEL = 4  # a third of the default level's time for a few percent more bytes


@dataclass
class Spool:
    """Records of one part of the source, uncompressed.

    Attributes:
      path: The file.
      blocks: The numbers of rows and of bytes of each write, to find a row.
      pieces: The columns of the same rows.
    """

    path: Path
    blocks: list[tuple[int, int]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows in the file."""
        return sum(rows for rows, _ in self.blocks)

    def offset_of(self, row: int) -> int:
        """Returns where row number `row` begins in the file; its size for the row after the last."""
        start = 0
        for rows, size in self.blocks:
            if row < rows:
                break
            row, start = row - rows, start + size
        if not row:
            return start
        with self.path.open("rb") as stream:
            stream.seek(start)
            block = stream.read(size)
        return start + frame_start(block, row, rows)


class SpoolWriter:
    """Writes batches to a spool; use it in a `with` block."""

    def __init__(self, path: Path):
        self._columns = ColumnSpool(path)
        self.spool = Spool(path, pieces=self._columns.pieces)

    def __enter__(self) -> SpoolWriter:
        self._file = self.spool.path.open("wb", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._columns.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends the rows of a batch, as records and as columns."""
        self._columns.write(batch)
        for piece in slices(batch):
            encoded = encode_examples(piece)
            rest = encoded.data
            while rest:
                rest = rest[self._file.write(rest[:_WRITE_BYTES]) :]
            self.spool.blocks.append((encoded.rows, len(encoded.data)))


@dataclass(frozen=True)
class _Range:
    """Bytes of a file."""

    path: Path
    start: int
    stop: int


_Job = tuple[Path, list[_Range], list[Part], Mapping[str, str]]


class SplitRows(NamedTuple):
    """The rows of a split: `first` up to, not including, `last` of the spools, one after the other."""

    spools: list[Spool]
    first: int
    last: int


def write_shards(
    folder: Path,
    splits: Mapping[str, SplitRows],
    *,
    num_shards: int,
    compression: str,
    types: Mapping[str, str],
    scratch: Path,
    engine: Engine = IN_PROCESS,
) -> None:
    """Writes the rows of each split to shards.

    The sizes of shards of a split differ by at most one row. A spool whose first rows are a whole shard becomes that
    shard, and its other rows are lost, after all splits that need them are written.

    Args:
      folder: The Examples folder.
      splits: The rows by split.
      compression: "" or "GZIP".
      types: Type ("FLOAT", "INT", "BYTES") by name of the columns.
      scratch: A folder on the same file system.
      engine: Runs one job per shard, those of all splits together.
    """
    copies: list[_Job] = []
    renames: list[_Job] = []
    for split, (spools, first_row, last_row) in splits.items():
        rows = last_row - first_row
        bounds = [first_row + rows * number // num_shards for number in range(num_shards + 1)]
        pieces = [piece for spool in spools for piece in spool.pieces]
        split_folder(folder, split).mkdir(parents=True, exist_ok=True)
        for number, (first, last) in enumerate(itertools.pairwise(bounds)):
            path = shard_path(folder, split, number, num_shards, compression)
            job = path, _ranges(spools, first, last), parts_of(pieces, first, last), types
            is_spool = num_shards == 1 and not compression and len(job[1]) == 1 and job[1][0].start == 0
            (renames if is_spool else copies).append(job)
    begin("shards", {path: sum(part.stop - part.start for part in ranges) for path, ranges, *_ in (*copies, *renames)})
    written = engine.map(_write, [(*job, compression, scratch) for job in copies])
    for job, _ in zip(copies, written, strict=True):
        reached(job[0])
    for job in renames:
        _rename(*job)
        reached(job[0])


def _write(
    path: Path, ranges: list[_Range], parts: list[Part], types: Mapping[str, str], compression: str, scratch: Path
) -> None:
    """Writes a shard and its columns in a new folder first: another attempt at the same job is not disturbed."""
    own = Path(tempfile.mkdtemp(dir=scratch)) / path.name
    (_compress if compression else _copy)(own, ranges)
    write_columns(own, parts, types)
    columns_path(own).replace(columns_path(path))
    own.replace(path)


def _rename(path: Path, ranges: list[_Range], parts: list[Part], types: Mapping[str, str]) -> None:
    """Makes a spool the shard."""
    (part,) = ranges
    os.truncate(part.path, part.stop)
    part.path.rename(path)
    write_columns(path, parts, types, is_spool=True)


def _ranges(spools: list[Spool], first_row: int, last_row: int) -> list[_Range]:
    """Returns where the bytes of a range of rows are."""
    ranges, start = [], 0
    for spool in spools:
        a, b = max(first_row - start, 0), min(last_row - start, spool.rows)
        if a < b:
            ranges.append(_Range(spool.path, spool.offset_of(a), spool.offset_of(b)))
        start += spool.rows
    return ranges


def _copy(path: Path, ranges: list[_Range]) -> None:
    with path.open("wb", buffering=0) as target:
        for part in ranges:
            with part.path.open("rb", buffering=0) as stream:
                position = part.start
                while position < part.stop:
                    position += os.sendfile(target.fileno(), stream.fileno(), position, part.stop - position)


def _compress(path: Path, ranges: list[_Range]) -> None:
    """Writes one GZIP member without a time stamp, so that equal rows give equal files."""
    deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)
    with path.open("wb") as target:
        for part in ranges:
            with part.path.open("rb") as stream:
                stream.seek(part.start)
                rest = part.stop - part.start
                while data := stream.read(min(_COPY_BYTES, rest)):
                    target.write(deflate.compress(data))
                    rest -= len(data)
        target.write(deflate.flush())
