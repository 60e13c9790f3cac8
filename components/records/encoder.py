"""Writes columns as framed tf.train.Example records, without a loop over rows.

Where each row has at most one number per column, rows are grouped by layout: which values are present, and how many
bytes each integer takes. All rows of a group are copies of one template, into which the values are written as arrays.
All other columns (text, several values per row, very many layouts) go to `crossnet.components.records.mixed_encoder`.

The bytes equal those of `tf.train.Example(...).SerializeToString(deterministic=True)` in `tf.io.TFRecordWriter`: keys
sorted, numbers packed. A null value is an absent key; an empty list is a key with an empty list.

Source: tensorflow/core/example/{example,feature}.proto; protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import google_crc32c
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crossnet.components.records.mixed_encoder import encode_mixed
from crossnet.components.records.tfrecord import (
    MAX_TABLE_BYTES,
    MAX_TABLES,
    add_uint32_crcs,
    crc_table,
    equal_length_crcs,
    number_view,
)
from crossnet.components.records.wire_format import (
    FEATURE_TAGS,
    are_floats,
    feature_type,
    is_list,
    number_table,
    number_values,
    record_order,
    tagged,
    varint_lengths,
)
from crossnet.serving.protocol.tfrecord import FOOTER_BYTES, HEADER_BYTES, mask_crc, write_frame

_MAX_LAYOUTS = 64  # beyond it, groups are too small to be worth it
_SLICE_ROWS = 1 << 14  # each column of a slice costs some time, which few rows do not repay
_SLICE_BYTES = 8 << 20
_FLOAT_BYTES = 4


class EncodedRecords(NamedTuple):
    """Framed records.

    Attributes:
      data: Their bytes, as in a file.
      rows: The number of records.
    """

    data: memoryview
    rows: int


@dataclass(frozen=True)
class _Placeholder:
    """Where a template takes a value: the column's index in the batch, offset in the frame, width in bytes."""

    column: int
    offset: int
    width: int


def slices(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Cuts a batch into pieces of bounded rows and bytes."""
    rows = batch.num_rows
    size = _FLOAT_BYTES * batch.num_columns * rows if are_floats(batch) else batch.nbytes
    most = max(1, min(_SLICE_ROWS, rows * _SLICE_BYTES // max(1, size)))
    step = max(1, -(-rows // max(1, -(-rows // most))))  # about equal ones
    return [batch.slice(start, step) for start in range(0, rows, step)]


def encode_examples(batch: pa.RecordBatch) -> EncodedRecords:
    """Returns the rows of `batch` as framed records, in order.

    Args:
      batch: Columns of float32, int64, binary or large_binary, or lists of these.
    """
    batch = batch.select(_in_order(tuple(batch.schema.names)))
    if not batch.num_rows:
        return EncodedRecords(memoryview(b""), 0)
    if (table := number_table(batch)) is not None:
        types, layout = ["FLOAT"] * len(table), np.full((1, len(table)), _FLOAT_BYTES)
        return EncodedRecords(_encode_by_template(batch.schema.names, [*table], types, None, layout), batch.num_rows)
    types = [feature_type(field.type) for field in batch.schema]
    plain = all(t != "BYTES" for t in types) and not any(is_list(field.type) for field in batch.schema)
    if plain:
        layouts = _layouts(batch, types)
        if layouts is not None:
            columns = [number_values(array) for array in batch.columns]
            return EncodedRecords(_encode_by_template(batch.schema.names, columns, types, *layouts), batch.num_rows)
    return EncodedRecords(encode_mixed(batch, types), batch.num_rows)


@functools.lru_cache(maxsize=8)
def _in_order(names: tuple[str, ...]) -> list[str]:
    return sorted(names, key=record_order)


def _layouts(batch: pa.RecordBatch, types: list[str]) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]] | None:
    """Groups rows by layout: each column's bytes of value, 0 where it is missing.

    Returns:
      The number of each row's layout (None: all rows have the first), and the layouts, int64 (layouts, columns);
      None where there are too many.
    """
    states = np.zeros((batch.num_columns, batch.num_rows), np.int8)
    uniform = True
    for index, (array, kind) in enumerate(zip(batch.columns, types, strict=True)):
        states[index] = 4 if kind == "FLOAT" else varint_lengths(number_values(array))
        if array.null_count:
            states[index][array.is_null().to_numpy(zero_copy_only=False)] = 0
        uniform = uniform and (not batch.num_rows or bool((states[index] == states[index, 0]).all()))
    if uniform:
        return None, states[:, :1].T.astype(np.int64)
    keys = np.zeros(batch.num_rows, np.uint64)
    for index in range(batch.num_columns):
        if index and index % 16 == 0:  # 11 states per column: 16 columns fill 64 bits
            keys = np.unique(keys, return_inverse=True)[1].astype(np.uint64)
        keys = keys * np.uint64(11) + states[index].astype(np.uint64)
        if index % 16 == 15 and len(np.unique(keys)) > _MAX_LAYOUTS:
            return None
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) > _MAX_LAYOUTS:
        return None
    return inverse, states[:, first].T.astype(np.int64)


@functools.lru_cache(maxsize=2 * _MAX_LAYOUTS)
def _template(
    names: tuple[str, ...], types: tuple[str, ...], layout: tuple[int, ...]
) -> tuple[bytes, list[_Placeholder]]:
    """Returns a framed record with zeros for values (its data checksum is that of zeros), and where values go.

    Most batches of a table need the same ones: of 1,000 columns, to make one takes a third of the CPU of encoding
    1,400 rows (2026-11-30).
    """
    features, placeholders = b"", []
    for index, width in enumerate(layout):
        if width == 0:
            continue
        packed = tagged(0x0A, bytes(width))
        feature = tagged(FEATURE_TAGS[types[index]], packed)
        features += tagged(0x0A, tagged(0x0A, names[index].encode()) + tagged(0x12, feature))
        placeholders.append(_Placeholder(index, len(features) - width, width))
    record = tagged(0x0A, features)
    shift = HEADER_BYTES + len(record) - len(features)
    return write_frame(record), [
        _Placeholder(placeholder.column, placeholder.offset + shift, placeholder.width) for placeholder in placeholders
    ]


def _encode_by_template(
    names: list[str],
    columns: list[NDArray[Any]],
    types: list[str],
    groups: NDArray[np.int64] | None,
    layouts: NDArray[np.int64],
) -> memoryview:
    """Returns the framed records of all rows."""
    templates = [_template(tuple(names), tuple(types), tuple(layout)) for layout in layouts.tolist()]
    halves = [2 if kind == "FLOAT" else 1 for kind in types]  # a table for two bytes of a float, or one of an integer
    with_tables = layouts.sum(axis=1).max() <= MAX_TABLE_BYTES and (layouts // halves).sum() <= MAX_TABLES
    if groups is None:
        return _fill(*templates[0], columns, types, len(columns[0]), bool(with_tables)).reshape(-1).data
    sizes = np.array([len(template) for template, _ in templates])[groups]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    data = np.empty(int(offsets[-1]), np.uint8)
    for number, (template, placeholders) in enumerate(templates):
        rows = np.flatnonzero(groups == number)
        filled = _fill(
            template, placeholders, [column[rows] for column in columns], types, len(rows), bool(with_tables)
        )
        data[offsets[rows][:, None] + np.arange(len(template))] = filled
    return data.data


def _fill(
    template: bytes,
    placeholders: list[_Placeholder],
    columns: list[NDArray[Any]],
    types: list[str],
    rows: int,
    with_tables: bool,
) -> NDArray[np.uint8]:
    """Returns uint8 (rows, template bytes): the template with each row's values and its data checksum."""
    size = len(template)
    data_end = size - FOOTER_BYTES
    records = np.empty((rows, size), np.uint8)
    records[:] = np.frombuffer(template, np.uint8)
    crcs = np.full(rows, google_crc32c.value(template[HEADER_BYTES:data_end]), np.uint32)
    for placeholder in placeholders:
        values = np.ascontiguousarray(columns[placeholder.column])
        if types[placeholder.column] == "FLOAT":
            number_view(records, placeholder.offset, "<f4")[:] = values
            if with_tables:
                add_uint32_crcs(crcs, values.view("<u4"), data_end - placeholder.offset - 4)
            continue
        unsigned = values.view(np.uint64)
        for place in range(placeholder.width):
            digit = (unsigned >> np.uint64(7 * place)).astype(np.uint8) & np.uint8(0x7F)
            if place < placeholder.width - 1:
                digit |= np.uint8(0x80)
            records[:, placeholder.offset + place] = digit
            if with_tables:
                crcs ^= np.take(crc_table(1, data_end - placeholder.offset - place - 1), digit, mode="clip")
    if not with_tables:
        crcs = equal_length_crcs(records.reshape(-1).data, size, rows)
    number_view(records, data_end, "<u4")[:] = mask_crc(crcs)
    return records
