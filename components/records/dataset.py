"""Reads an Examples artifact as batches of columns.

Statistics, training and evaluation all read with it. It does not import TensorFlow. It checks the checksums of all
that it reads. Training keeps rows in memory and shuffles them in `crossnet.components.training.rows`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import DataError
from crossnet.components.features import Feature
from crossnet.components.records.batches import Columns, cut, num_rows, rebatch, steady_batches
from crossnet.components.records.kept_columns import has_columns, read_kept
from crossnet.components.records.kept_rows import batch_rows
from crossnet.components.records.mixed_reader import read_mixed_records
from crossnet.components.records.row_blocks import RowBlocks
from crossnet.components.records.texts import as_objects
from crossnet.components.records.tfrecord import check_frames, check_header, read_chunks, split_frames, truncated
from crossnet.components.records.uniform_reader import Column, RecordTemplate, find_template
from crossnet.components.records.wire_format import record_order
from crossnet.serving.protocol.tfrecord import FOOTER_BYTES, HEADER_BYTES

__all__ = ["Column", "Columns", "read_columns", "read_dataset", "read_file", "read_shard"]

_BATCH_ROWS = 1 << 12
_MAX_BATCH_BYTES = 64 << 20

Batch = tuple[dict[str, NDArray[Any]], "NDArray[np.float32] | None"]


def read_columns(
    examples: Examples,
    split: str,
    *,
    batch_size: int | None = None,
    columns: Sequence[str] | None = None,
    shard: Path | None = None,
    blocks: RowBlocks | None = None,
) -> Iterator[Columns]:
    """Yields batches of columns as recorded, in record order; the last batch may be smaller.

    Args:
      batch_size: Rows of a batch; None: as `steady_batches` cuts each shard, which takes the least time.
      columns: Names of the columns to yield; None: all.
      shard: The one shard to read; None: all, and batches run across their ends. Who reads shard by shard calls
        `check_count` with the rows of all.
      blocks: The rows to read, of all shards; None: all. Of columns that are kept beside a shard, no batch is read that
        has none of them.

    Raises:
      DataError: A file is truncated or damaged, a record is not a tf.train.Example, or the split has more or fewer
        records than were written.
    """
    # In the order in which records hold them.
    columns_by_name = examples.column_types
    types = {name: columns_by_name[name] for name in sorted(columns_by_name, key=record_order)}
    wanted = list(types) if columns is None else list(columns)
    if missing := [name for name in wanted if name not in types]:
        raise DataError(
            f"`{examples.path}` has no column {_names(missing)}. Its columns: {_names(types)}. Use the schema that was "
            "made for these Examples."
        )
    if blocks is not None:
        counted = _read_blocks(examples, split, types, wanted, blocks)
    else:
        paths = examples.shards(split) if shard is None else [shard]
        chunks = (chunk for path in paths for chunk in read_shard(path, examples.compression, types, wanted))
        counted = _counted(chunks, examples, split) if shard is None else chunks
    yield from counted if batch_size is None else rebatch(counted, batch_size)


def read_dataset(
    examples: Examples,
    split: str,
    features: Sequence[Feature],
    label: Feature | None,
    *,
    batch_size: int,
    shard: Path | None = None,
    blocks: RowBlocks | None = None,
) -> Iterator[Batch]:
    """Yields batches in the form of a model's input; `shard` and `blocks` as for `read_columns`.

    Numbers are float32 or int64, as `Feature.dtype` says. A missing value is NaN (float32) or b"" (text, dtype object).
    The label is float32 (rows,).

    Raises:
      DataError: As `read_columns`; or a feature has several values in a row, or is missing where it is required.
    """
    wanted = [*features, *([label] if label else [])]
    names = [feature.name for feature in wanted]
    for batch in read_columns(examples, split, batch_size=batch_size, columns=names, shard=shard, blocks=blocks):
        inputs = {feature.name: _model_input(feature.name, feature.dtype, batch[feature.name]) for feature in features}
        yield inputs, None if label is None else _model_input(label.name, "float32", batch[label.name])


def read_shard(path: Path, compression: str, types: dict[str, str], names: Sequence[str]) -> Iterator[Columns]:
    """Yields the columns `names` of a shard, batch by batch; the batches do not depend on the way they are read.

    They are read from the columns that are kept beside the shard or, where there are none, from its records.

    Args:
      path: The shard.
      compression: "" or "GZIP".
      types: Type by name of all its columns, best in the order of `record_order`.
      names: Columns to yield.

    Raises:
      DataError: A file is truncated or damaged, or a record is not a tf.train.Example.
    """
    if has_columns(path, types):
        yield from read_kept(path, names)
        return
    for batch in steady_batches(read_file(path, compression, types), len(types)):
        yield {name: batch[name] for name in names}


def _read_blocks(
    examples: Examples, split: str, types: dict[str, str], names: Sequence[str], blocks: RowBlocks
) -> Iterator[Columns]:
    """Yields the columns `names` of some blocks of a split's rows."""
    place = 0
    for path in examples.shards(split):
        if has_columns(path, types):
            starts = place + np.cumsum([0, *batch_rows(path)])
            parts = [list(blocks.parts(*ends)) for ends in itertools.pairwise(starts.tolist())]
            numbers = [number for number, found in enumerate(parts) if found]
            for number, batch in zip(numbers, read_kept(path, names, numbers), strict=True):
                yield from _parts(batch, parts[number])
            place = int(starts[-1])
        else:  # records do not say where a row begins
            for batch in read_shard(path, examples.compression, types, names):
                rows = num_rows(batch)
                yield from _parts(batch, blocks.parts(place, place + rows))
                place += rows
    check_count(examples, split, place)


def _parts(batch: Columns, parts: Iterable[tuple[int, int]]) -> Iterator[Columns]:
    for start, stop in parts:
        yield {name: cut(column, start, stop) for name, column in batch.items()}


def read_file(path: Path, compression: str, types: dict[str, str], *, strict: bool = False) -> Iterator[Columns]:
    """Yields the columns of one TFRecord file, chunk by chunk.

    Args:
      compression: "" or "GZIP".
      types: Type by name of the columns.
      strict: Whether features that are not in `types` are an error.

    Raises:
      DataError: The file is truncated or damaged, or a record is not a tf.train.Example.
      UnknownFeatureError: `strict`, and a record has another feature.
    """
    template: RecordTemplate | None = None
    rest, record, needed, ended = b"", 0, HEADER_BYTES, False
    chunks = read_chunks(path, compression)
    while not ended:
        rest, ended = _extend(rest, chunks, needed)
        if len(rest) < HEADER_BYTES:
            break
        size = check_header(path, rest, 0, record)
        if record == 0 and len(rest) >= HEADER_BYTES + size + FOOTER_BYTES:
            template = find_template(rest[HEADER_BYTES : HEADER_BYTES + size], types)
            if template is not None and not ended and len(rest) < (needed := _batch_bytes(template)):
                continue
        if template is not None and (rows := len(rest) // template.size):
            columns = template.columns(rest, rows)
            if columns is not None:
                yield columns
                record += rows
                rest = rest[rows * template.size :]
        offsets, lengths, position = split_frames(rest)
        if len(offsets):
            template = None  # the file has other records too
            check_frames(path, rest, offsets, lengths, record)
            yield read_mixed_records(rest, offsets, lengths, types, path=path, first_record=record, strict=strict)
            record += len(offsets)
            rest = rest[position:]
        needed = HEADER_BYTES if template is None else _batch_bytes(template)
        if len(rest) >= HEADER_BYTES:  # a long record: read on without looking again
            needed = max(needed, HEADER_BYTES + check_header(path, rest, 0, record) + FOOTER_BYTES)
    if rest:
        raise truncated(path, record)


def _extend(rest: bytes, chunks: Iterator[bytes], needed: int) -> tuple[bytes, bool]:
    """Returns `rest` with chunks joined to it until it has `needed` bytes, and whether there are no more chunks."""
    pieces, size = [rest] if rest else [], len(rest)
    while size < needed:
        chunk = next(chunks, b"")
        if not chunk:
            return b"".join(pieces), True
        pieces.append(chunk)
        size += len(chunk)
    return b"".join(pieces), False


def _batch_bytes(template: RecordTemplate) -> int:
    """Returns how many bytes of equally long records to read at once: each column of a batch costs some time."""
    return min(_BATCH_ROWS * template.size, _MAX_BATCH_BYTES)


def check_count(examples: Examples, split: str, rows: int) -> None:
    """Raises where a split has another number of records than were written, as after a cut between two records.

    Raises:
      DataError: It has.
    """
    expected = examples.counts.get(split, rows)
    if rows != expected:
        found = f"more than {expected:,}" if rows > expected else f"{rows:,}"
        raise DataError(
            f"Split `{split}` of `{examples.path}` has {found} records, expected {expected:,}: its shards were cut or "
            "replaced after they were written. Remove the folder and call `crossnet run` again."
        )


def _counted(chunks: Iterator[Columns], examples: Examples, split: str) -> Iterator[Columns]:
    """Yields the chunks and compares their rows with what was written, as soon as there is one too many."""
    rows, most = 0, examples.counts.get(split)
    for chunk in chunks:
        rows += num_rows(chunk)
        if most is not None and rows > most:
            break
        yield chunk
    check_count(examples, split, rows)


def _names(names: Sequence[str] | dict[str, str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _model_input(name: str, dtype: str, column: Column) -> NDArray[Any]:
    if column.lengths is not None:
        raise DataError(
            f"`{name}` has several values in some rows; a model takes one per row. "
            "Add it to `example_gen.exclude`, or reduce it to one value per row in the source."
        )
    if dtype == "string":
        return as_objects(column.values)  # as TensorFlow takes it
    if dtype == "int64":
        if column.present is not None:
            raise DataError(
                f"`{name}` is missing in {int((~column.present).sum()):,} rows, but the schema requires it in every "
                "row. Let the schema allow missing values, or fill the gaps in the source."
            )
        return column.values
    values = column.values.astype(np.float32, copy=False)
    return values if column.present is None else np.where(column.present, values, np.float32("nan"))
