"""Maps TensorFlow's data types to NumPy's and reads listed values.

Server and client share the table. Source: tensorflow/core/framework/types.proto, tensor.proto and tensor.cc.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

DT_STRING = 7
DT_BFLOAT16 = 14
DT_HALF = 19

MAX_INT64 = 2**63 - 1  # also the largest version

# DataType number -> (NumPy type, typed field of a TensorProto that may hold its values). Text is `object`, holding
# bytes. bfloat16 is not listed: NumPy has it only with TensorFlow.
TYPES: dict[int, tuple[np.dtype[Any], str]] = {
    1: (np.dtype(np.float32), "float_val"),
    2: (np.dtype(np.float64), "double_val"),
    3: (np.dtype(np.int32), "int_val"),
    4: (np.dtype(np.uint8), "int_val"),
    5: (np.dtype(np.int16), "int_val"),
    6: (np.dtype(np.int8), "int_val"),
    DT_STRING: (np.dtype(np.object_), "string_val"),
    8: (np.dtype(np.complex64), "scomplex_val"),
    9: (np.dtype(np.int64), "int64_val"),
    10: (np.dtype(np.bool_), "bool_val"),
    17: (np.dtype(np.uint16), "int_val"),
    18: (np.dtype(np.complex128), "dcomplex_val"),
    DT_HALF: (np.dtype(np.float16), "half_val"),
    22: (np.dtype(np.uint32), "uint32_val"),
    23: (np.dtype(np.uint64), "uint64_val"),
}
NUMBERS = {numpy: number for number, (numpy, _) in TYPES.items()}
_MAX_LISTED = 64  # fewer values than this are read faster as a list than as an array


def numpy_type(number: int) -> np.dtype[Any] | None:
    """Returns the NumPy type of a DataType number, None if there is none; `object`, holding bytes, for text."""
    known = TYPES.get(number)
    return known[0] if known else None


def tensorflow_numpy_type(number: int) -> np.dtype[Any] | None:
    """Returns the same as `numpy_type`, but for bfloat16 the type from TensorFlow, which it imports then."""
    known = TYPES.get(number)
    if known is None and number == DT_BFLOAT16:
        return np.dtype(_bfloat16())
    return known[0] if known else None


@lru_cache(maxsize=1)
def _bfloat16() -> Any:
    import tensorflow as tf

    return tf.bfloat16.as_numpy_dtype


def listed_values(tensor: Any, dtype: np.dtype[Any]) -> Array:
    """Returns all values in the typed field of a TensorProto, shape `[number of values]`.

    Args:
      tensor: A TensorProto of a type in `TYPES`, or of bfloat16.
      dtype: Its NumPy type.
    """
    if tensor.dtype in (DT_HALF, DT_BFLOAT16):  # `half_val` holds the bits of each value as an integer
        return np.array(tensor.half_val, np.int32).astype(np.uint16).view(dtype)
    listed = getattr(tensor, TYPES[tensor.dtype][1])
    if dtype.kind == "O":
        values = np.empty(len(listed), np.object_)
        values[:] = listed
        return values
    if dtype.kind == "c":  # real and imaginary parts alternate
        parts = np.array(listed, np.float32 if dtype == np.complex64 else np.float64)
        return parts[: len(parts) // 2 * 2].view(dtype)
    if dtype.kind in "iu" and dtype.itemsize < 4:  # int_val is wider than the type
        return np.array(listed, np.int32).astype(dtype)
    return np.array(listed[:] if len(listed) < _MAX_LISTED else listed, dtype)


def as_bytes(value: bytes | str) -> bytes:
    """Returns text as bytes, TensorFlow's form, encoded as UTF-8."""
    return value.encode() if isinstance(value, str) else value
