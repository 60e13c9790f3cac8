"""Converts batches of columns to Arrow arrays and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.records.texts import TEXT, chosen, is_text, spread_texts, text_buffers
from crossnet.components.records.uniform_reader import Column
from crossnet.components.records.wire_format import NUMBERS, is_list, number_values

_STORED = {"FLOAT": pa.float32(), "INT": pa.int64(), "BYTES": TEXT}


def stored_type(kind: str, several: bool) -> pa.DataType:
    """Returns Arrow's type for a column of kind "FLOAT", "INT" or "BYTES", of several values per row or of one."""
    return pa.large_list(_STORED[kind]) if several else _STORED[kind]


def as_column(array: pa.Array) -> Column:
    """Returns an array of float32, int64, binary or large_binary, or lists of these, as a column.

    A null and an empty list are missing values. Lists of at most one value are read as single values, as records are.
    """
    if array.type.id in NUMBERS and not array.null_count:  # as most columns of wide tables
        return Column(number_values(array), None)
    if is_list(array.type):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        some = lengths > 0
        values = _values(array.flatten())
        if lengths.max(initial=0) > 1:
            return Column(values, None if some.all() else some, lengths)
        if some.all():
            return Column(values, None)
        if is_text(values):
            return Column(spread_texts(values, some), some)
        single = np.zeros(len(some), values.dtype)
        single[some] = values
        return Column(single, some)
    if not array.null_count:
        return Column(_values(array), None)
    present = presence(array)
    if pa.types.is_primitive(array.type):
        return Column(_values(array.fill_null(0)), present)
    lengths = np.diff(text_buffers(array)[0])
    if lengths[~present].any():
        return Column(_values(array.fill_null(b"")), present)
    _, *buffers = array.buffers()  # a missing text has no bytes, as in most files: nothing is to be copied
    return Column(
        _values(pa.Array.from_buffers(array.type, len(array), [None, *buffers], offset=array.offset)), present
    )


def presence(array: pa.Array) -> NDArray[np.bool_]:
    """Returns where an array with nulls has a value, bool (rows,): Arrow's own way takes ten times as long."""
    start, stop = array.offset, array.offset + len(array)
    bits = np.frombuffer(array.buffers()[0], np.uint8, -(-stop // 8) - start // 8, start // 8)
    first = start % 8
    return np.unpackbits(bits, count=first + len(array), bitorder="little")[first:].view(np.bool_)


def _values(array: pa.Array) -> Any:
    if pa.types.is_primitive(array.type):
        return number_values(array)
    return array if array.type == TEXT else array.cast(TEXT)


def as_array(column: Column, arrow_type: pa.DataType) -> pa.Array:
    """Returns a column as an array of a `stored_type`; a missing value is null, in lists an empty list."""
    if not is_list(arrow_type):
        return _flat(column.values, column.present)
    rows = len(column.values if column.lengths is None else column.lengths)
    values, lengths = column.values, column.lengths
    if lengths is None:
        mask = np.ones(rows, bool) if column.present is None else column.present
        values, lengths = chosen(values, mask), mask.astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return pa.LargeListArray.from_arrays(pa.array(offsets), _flat(values, None))


def _flat(values: Any, present: NDArray[np.bool_] | None) -> pa.Array:
    validity = None if present is None else pa.py_buffer(np.packbits(present, bitorder="little"))
    if is_text(values):
        offsets, data = text_buffers(values)
        first, last = int(offsets[0]), int(offsets[-1])  # Arrow would write all of `data`
        own = np.ascontiguousarray(offsets - first if first else offsets, np.int64)
        buffers = [validity, pa.py_buffer(own), data.slice(first, last - first)]
        return pa.Array.from_buffers(TEXT, len(values), buffers)
    arrow_type = pa.float32() if values.dtype == np.float32 else pa.int64()
    return pa.Array.from_buffers(arrow_type, len(values), [validity, pa.py_buffer(np.ascontiguousarray(values))])
