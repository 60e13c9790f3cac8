"""States how a tf.train.Example is written: types, tags, lengths, order.

Source: tensorflow/core/example/{example,feature}.proto; protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crossnet.serving.protocol.varint import varint

FEATURE_TAGS = {"BYTES": 0x0A, "FLOAT": 0x12, "INT": 0x1A}  # fields 1, 2, 3 of tf.train.Feature

# Compared by their numbers: of wide tables, each batch asks for some types a thousand times.
NUMBERS = _FLOAT, _INT = pa.float32().id, pa.int64().id
_LISTS = (pa.list_(pa.int64()).id, pa.large_list(pa.int64()).id)


def feature_type(arrow_type: Any) -> str:
    """Returns "FLOAT", "INT" or "BYTES" for an Arrow column that the encoder takes."""
    value_type = arrow_type.value_type if is_list(arrow_type) else arrow_type
    if value_type.id == _FLOAT:
        return "FLOAT"
    return "INT" if value_type.id == _INT else "BYTES"


def is_list(arrow_type: Any) -> bool:
    """Returns whether a column holds several values per row."""
    return arrow_type.id in _LISTS


def record_order(name: str) -> list[int]:
    """Returns the sort key of a feature's name in a record.

    Protobuf's Python runtime sorts by bytes, and puts a name before its own beginning: `x10` comes before `x1`.
    """
    return [*name.encode(), 256]


def number_values(array: pa.Array) -> NDArray[Any]:
    """Returns the values of a float32 or int64 column; where one is null, any number."""
    dtype = "<f4" if array.type.id == _FLOAT else "<i8"
    return np.frombuffer(array.buffers()[1] or b"", dtype, len(array) + array.offset)[array.offset :]


def varint_lengths(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns how many bytes each int64 takes as a varint: 1 to 10 (ten for a negative)."""
    lengths = np.ones(len(values), np.uint8)  # added up in a third of the time that int64 takes
    unsigned = values.view(np.uint64)
    largest = int(unsigned.max(initial=0))
    for bits in range(7, 64, 7):
        if largest >> bits == 0:
            break
        lengths += (unsigned >= np.uint64(1 << bits)).view(np.uint8)
    return lengths.astype(np.int64)


def tagged(tag: int, content: bytes) -> bytes:
    """Returns a length-delimited protobuf field."""
    return heading(tag, len(content)) + content


def heading(tag: int, size: int) -> bytes:
    """Returns what stands before the content of a length-delimited protobuf field, of `size` bytes."""
    return bytes([tag]) + varint(size)
