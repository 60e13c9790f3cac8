"""Serializes values and how often each occurs, the most frequent first."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.records.texts import TEXT, as_texts, text_buffers
from crossnet.serving.protocol.varint import varint

_BUCKET, _LOW, _HIGH, _LABEL, _COUNT = b"\x0a", b"\x08", b"\x10", b"\x22", b"\x29"  # tags
_END = b""  # what stands between pieces that are joined
_TABLE_SIZE = 1 << 14  # numbers whose varints are made once


def encoded_ranks(labels: pa.Array, counts: NDArray[Any]) -> bytes:
    """Returns a tensorflow.metadata.v0.RankHistogram, serialized, to be read: it holds each 0 and each empty label.

    A message for each of 10,000 buckets, and a Python object for each value, take 2.5 times as long (2026-11-30).

    Args:
      labels: In UTF-8, as binary or string.
      counts: How often each occurs, (labels,).
    """
    if not len(labels):
        return b""
    ranks, labels = _varints(np.arange(len(labels))), labels.cast(TEXT)
    rows = pa.py_buffer(np.ascontiguousarray(counts, "<f8"))
    counted = pa.Array.from_buffers(TEXT, len(labels), [None, pa.py_buffer(np.arange(0, 8 * len(labels) + 1, 8)), rows])
    buckets = _joined(_LOW, ranks, _HIGH, ranks, _LABEL, _lengths(labels), labels, _COUNT, counted)
    offsets, data = text_buffers(_joined(_BUCKET, _lengths(buckets), buckets))
    return bytes(memoryview(data)[int(offsets[0]) : int(offsets[-1])])


def _joined(*pieces: pa.Array | bytes) -> pa.Array:
    texts = [pa.scalar(piece, TEXT) if isinstance(piece, bytes) else piece for piece in (*pieces, _END)]
    return pc.binary_join_element_wise(*texts)


def _lengths(texts: pa.Array) -> pa.Array:
    return _varints(np.diff(text_buffers(texts)[0]))


def _varints(numbers: NDArray[np.int64]) -> pa.Array:
    if numbers.max() < _TABLE_SIZE:
        return _table().take(pa.array(numbers))
    found, places = np.unique(numbers, return_inverse=True)
    return as_texts(map(varint, found.tolist())).take(pa.array(places))


@functools.cache
def _table() -> pa.Array:
    return as_texts(map(varint, range(_TABLE_SIZE)))
