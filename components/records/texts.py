"""Holds the texts of many rows as one Arrow array.

No text is a Python object until one is asked for: an array of type large_binary without nulls holds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

TEXT = pa.large_binary()


def as_texts(values: Iterable[bytes]) -> pa.Array:
    """Returns these texts as an array."""
    return pa.array(values, TEXT)


def sliced_texts(data: bytes, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> pa.Array:
    """Returns the texts `data[start:stop]`; each begins where the one before it ends, or later."""
    offsets = np.empty(2 * len(starts), np.int64)
    offsets[::2], offsets[1::2] = starts, stops
    if not len(starts):
        return as_texts([])
    # The texts and what is between them, of which Arrow takes every second one.
    pieces = pa.Array.from_buffers(TEXT, len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    return pieces.take(pa.array(np.arange(0, len(pieces), 2)))


def spread_texts(texts: pa.Array, present: NDArray[np.bool_]) -> pa.Array:
    """Returns one text per row: the next one where `present`, else no bytes. The bytes are not copied."""
    offsets, data = text_buffers(texts)
    rows = offsets[np.concatenate([[0], np.cumsum(present)])]
    return pa.Array.from_buffers(TEXT, len(present), [None, pa.py_buffer(rows), data])


def text_buffers(texts: pa.Array) -> tuple[NDArray[Any], pa.Buffer]:
    """Returns the offsets (texts + 1,) and the bytes of binary or large_binary."""
    _, offsets, data = texts.buffers()
    width = np.int64 if pa.types.is_large_binary(texts.type) else np.int32
    if offsets is None or not len(texts):
        return np.zeros(1, width), data or pa.py_buffer(b"")
    ends = np.frombuffer(offsets, width, len(texts) + 1, texts.offset * np.dtype(width).itemsize)
    return ends, data or pa.py_buffer(b"")


def is_text(values: Any) -> bool:
    """Returns whether a column's values are texts: an Arrow array, not a NumPy one."""
    return isinstance(values, pa.Array)


def chosen(values: Any, mask: NDArray[np.bool_]) -> Any:
    """Returns the values, numbers or texts, where `mask` is true."""
    return values.filter(pa.array(mask)) if is_text(values) else values[mask]


def joined(parts: Sequence[Any]) -> Any:
    """Returns all values, numbers or texts, one part after the other."""
    return pa.concat_arrays(parts) if is_text(parts[0]) else np.concatenate(parts)


def as_objects(values: Any) -> NDArray[Any]:
    """Returns texts as bytes, dtype object; numbers as they are."""
    return values.to_numpy(zero_copy_only=False) if is_text(values) else values
