"""Writes records with text, missing values or several values per row.

Each column gives two pieces of every row: the header of its map entry, and its values. Arrow joins the pieces of all
columns row by row.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.records.tfrecord import length_crcs
from crossnet.components.records.wire_format import FEATURE_TAGS, is_list, number_values, varint_lengths
from crossnet.serving.protocol.tfrecord import mask_crc
from crossnet.serving.protocol.varint import varint


class _Ragged(NamedTuple):
    """Bytes of each row: `data[offsets[i]:offsets[i + 1]]`."""

    data: Any
    offsets: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)

    def arrow(self) -> pa.Array:
        buffers = [None, pa.py_buffer(np.ascontiguousarray(self.offsets)), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.large_binary(), len(self.offsets) - 1, buffers)


def encode_mixed(batch: pa.RecordBatch, types: list[str]) -> memoryview:
    """Returns the rows of `batch`, whose columns are sorted by name, as framed records."""
    rows = batch.num_rows
    pieces: list[_Ragged] = []
    for name, array, kind in zip(batch.schema.names, batch.columns, types, strict=True):
        pieces += _column_pieces(name.encode(), array, kind)
    features = np.zeros(rows, np.int64)
    for piece in pieces:
        features += piece.lengths
    head = _concatenate(rows, [b"\x0a", features])
    body = _join([head, *pieces])
    crcs = _record_crcs(body)
    header = np.zeros(rows, np.dtype([("length", "<u8"), ("crc", "<u4")]))
    header["length"] = body.lengths
    header["crc"] = length_crcs(body.lengths)
    footer = mask_crc(crcs).astype("<u4")
    return memoryview(_join([_fixed(header.view(np.uint8), 12), body, _fixed(footer.view(np.uint8), 4)]).data)


def _column_pieces(key: bytes, array: pa.Array, kind: str) -> list[_Ragged]:
    """Returns one column's map entries as pieces: header, then values; both empty where the value is missing."""
    if not array.null_count:
        return _entry_pieces(key, array, kind)
    present = array.is_valid().to_numpy(zero_copy_only=False)
    number = np.concatenate([[0], np.cumsum(present)])
    return [
        _Ragged(piece.data, piece.offsets[number])
        for piece in _entry_pieces(key, array.filter(pa.array(present)), kind)
    ]


def _entry_pieces(key: bytes, array: pa.Array, kind: str) -> list[_Ragged]:
    """Returns the pieces of a column without missing values."""
    rows = len(array)
    if not is_list(array.type):
        if kind == "FLOAT" and rows > 1:
            head = _entry_pieces(key, array[:1], kind)[0].data  # each row has the same bytes before its value
            entries = np.empty((rows, len(head) + 4), np.uint8)
            entries[:, :-4] = head
            entries[:, -4:] = number_values(array).view(np.uint8).reshape(rows, 4)
            return [_fixed(entries.reshape(-1), len(head) + 4)]
        data = _values(array, kind)
        inner: list[Any] = [b"\x0a", data.lengths]
        listed = 1 + varint_lengths(data.lengths) + data.lengths
    else:
        starts = array.offsets.to_numpy().astype(np.int64)
        starts = starts - starts[0]
        elements = _values(array.flatten(), kind)
        if kind == "BYTES":
            elements = _join([_concatenate(len(elements.offsets) - 1, [b"\x0a", elements.lengths]), elements])
        data = _Ragged(elements.data, elements.offsets[starts])
        inner, listed = [], data.lengths
        if kind != "BYTES":
            some = listed > 0
            inner = [(some, b"\x0a"), (some, data.lengths)]
            listed = np.where(some, 1 + varint_lengths(data.lengths) + data.lengths, 0)
    feature = 1 + varint_lengths(listed) + listed
    named = b"\x0a" + varint(len(key)) + key + b"\x12"
    entry = len(named) + varint_lengths(feature) + feature
    parts = [b"\x0a", entry, named, feature, bytes([FEATURE_TAGS[kind]]), listed, *inner]
    return [_concatenate(rows, parts), data]


def _values(values: pa.Array, kind: str) -> _Ragged:
    """Returns the bytes of each value, without tags and lengths."""
    if kind == "BYTES":
        return _text(values)
    return _floats(values) if kind == "FLOAT" else _varints(values)


def _concatenate(rows: int, parts: list[Any]) -> _Ragged:
    """Concatenates constants and varints row by row.

    Args:
      rows: How many rows.
      parts: Each a constant (bytes), numbers (int64 (rows,)) to write as varints, or a pair (mask, either of them).
    """
    columns: list[tuple[NDArray[Any] | int, NDArray[np.bool_] | None]] = []
    for part in parts:
        mask, content = part if isinstance(part, tuple) else (None, part)
        if isinstance(content, bytes):
            columns += [(byte, mask) for byte in content]
            continue
        width = int(varint_lengths(content).max(initial=1))
        for place in range(width):
            rest = content >> (7 * place)
            digit = rest if width == 1 else rest & 0x7F | np.where(rest > 0x7F, 0x80, 0)
            shown = mask if place == 0 else (rest > 0) if mask is None else (rest > 0) & mask
            columns.append((digit, shown))
    matrix = np.empty((rows, len(columns)), np.uint8)
    for index, (value, _) in enumerate(columns):
        matrix[:, index] = value
    if all(shown is None for _, shown in columns):
        return _fixed(matrix.reshape(-1), len(columns))
    keep = np.ones((rows, len(columns)), bool)
    sizes = np.full(rows, len(columns))
    for index, (_, shown) in enumerate(columns):
        if shown is not None:
            keep[:, index] = shown
            sizes -= ~shown
    return _Ragged(matrix[keep], np.concatenate([[0], np.cumsum(sizes)]))


def _text(values: pa.Array) -> _Ragged:
    """Returns the bytes of each text."""
    values = values.cast(pa.large_binary())
    offsets = np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]
    if not len(values):
        return _Ragged(b"", np.zeros(1, np.int64))
    return _Ragged(values.buffers()[2] or b"", offsets)


def _floats(values: pa.Array) -> _Ragged:
    """Returns the four bytes of each float32."""
    return _fixed(number_values(values).view(np.uint8), 4)


def _varints(values: pa.Array) -> _Ragged:
    """Returns each int64 as a varint; a negative takes ten bytes."""
    numbers = number_values(values)
    unsigned = numbers.view(np.uint64)
    width = max(1, -(-int(unsigned.max(initial=0)).bit_length() // 7))
    shifts = np.arange(width, dtype=np.uint64) * np.uint64(7)
    rest = unsigned[:, None] >> shifts
    matrix = (rest & np.uint64(0x7F) | np.where(rest > np.uint64(0x7F), np.uint64(0x80), np.uint64(0))).astype(np.uint8)
    keep = rest > 0
    keep[:, 0] = True
    offsets = np.zeros(len(numbers) + 1, np.int64)
    np.cumsum(keep.sum(axis=1), out=offsets[1:])
    return _Ragged(matrix[keep], offsets)


def _fixed(data: NDArray[np.uint8], width: int) -> _Ragged:
    """Returns pieces of `width` bytes each."""
    return _Ragged(data, np.arange(0, len(data) + 1, width))


def _join(pieces: list[_Ragged]) -> _Ragged:
    """Concatenates pieces row by row."""
    joined = pc.binary_join_element_wise(*(piece.arrow() for piece in pieces), pa.scalar(b"", pa.large_binary()))
    offsets = np.frombuffer(joined.buffers()[1], np.int64)[: len(joined) + 1]
    return _Ragged(memoryview(joined.buffers()[2])[: offsets[-1]], offsets)


def _record_crcs(records: _Ragged) -> NDArray[np.uint32]:
    """Returns the CRC32C of each record."""
    data, value, offsets = bytes(records.data), google_crc32c.value, records.offsets.tolist()
    crcs = [value(data[start:end]) for start, end in itertools.pairwise(offsets)]
    return np.array(crcs, np.uint32)
