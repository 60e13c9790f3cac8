"""Converts NumPy arrays to TensorProto and back.

Arrays are written as `tensor_content`, which is one copy of the bytes; text is written as `string_val`, its only form.
Both forms of a response are read: `tensor_content` and the typed `*_val` fields. If the latter have fewer values than
the shape, the last one repeats, and an empty list means zeros; if they have more, the excess is dropped. TensorFlow's
own reader does the same (tensorflow/core/framework/tensor.cc).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.dtypes import NUMBERS, TYPES, Array, listed_values, numpy_type
from crossnet.serving.protocol.varint import varint
from crossnet.serving.status import ServerError

_LARGE_BYTES = 2**16
_MAX_REPEATED_BYTES = 2**31  # of a response with fewer values than its shape
_TYPE_NAMES = {number: name for name, number in messages.DATA_TYPES.items()}


def type_name(number: int) -> str:
    """Returns NumPy's name for a DataType number, such as "float32" for DT_FLOAT; "text" for DT_STRING."""
    numpy = numpy_type(number)
    if numpy is None:
        return _TYPE_NAMES.get(number, f"DataType {number}")
    return "text" if numpy.kind == "O" else numpy.name


def data_type(dtype: Any) -> int:
    """Returns the DataType number of a NumPy type in `dtypes.TYPES`."""
    return NUMBERS[np.dtype(dtype)]


def write_tensor(array: Array) -> bytes:
    """Returns a serialized TensorProto.

    Args:
      array: Any shape; a NumPy type in `dtypes.TYPES`, where `object` holds bytes.
    """
    number = data_type(array.dtype)
    if array.dtype.kind != "O":
        return head_of(number, array.shape)[0] + content_of(array)
    texts = messages.TensorProto(string_val=array.ravel().tolist())
    return _type_and_shape(number, array.shape) + texts.SerializeToString()


def head_of(number: int, shape: tuple[int, ...]) -> tuple[bytes, int]:
    """Returns the bytes before the values in a serialized TensorProto of numbers, and the values' size in bytes."""
    size = math.prod(shape) * TYPES[number][0].itemsize
    return _type_and_shape(number, shape) + _CONTENT_TAG + varint(size), size


def content_of(array: Array) -> bytes | memoryview:
    """Returns an array's values in C order, without a copy if the array is large and contiguous."""
    # Joining bytes is faster than joining memory views, until the copy costs more.
    return array.data if array.nbytes > _LARGE_BYTES and array.flags.c_contiguous else array.tobytes()


def _type_and_shape(number: int, shape: tuple[int, ...]) -> bytes:
    tensor = messages.TensorProto(dtype=number)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor.SerializeToString()


_CONTENT_TAG = bytes([messages.TensorProto.DESCRIPTOR.fields_by_name["tensor_content"].number << 3 | 2])


def read_tensor(tensor: Any) -> Array:
    """Returns the values of a TensorProto as a new array of its shape; text as an array of bytes objects.

    Raises:
      ServerError: NumPy has no such type, or the bytes do not fit the shape.
    """
    dtype = numpy_type(tensor.dtype)
    dimensions = tensor.tensor_shape.dim
    shape = (dimensions[0].size,) if len(dimensions) == 1 else tuple([dim.size for dim in dimensions])
    if dtype is None:
        raise ServerError(f"The answer has a tensor of type {type_name(tensor.dtype)}, which NumPy does not have.")
    if tensor.tensor_shape.unknown_rank or (shape and min(shape) < 0):
        raise ServerError(f"The answer has a tensor of unknown shape; received {list(shape)}.")
    size = math.prod(shape)
    if content := tensor.tensor_content:
        if len(content) != size * dtype.itemsize or dtype.kind == "O":
            raise ServerError(
                f"The answer has {len(content)} bytes of {type_name(tensor.dtype)}, not shape {list(shape)}."
            )
        return _shaped(np.frombuffer(content, dtype), shape).copy()
    values = listed_values(tensor, dtype)
    if len(values) > size:
        values = values[:size]
    elif len(values) < size:
        # A malformed shape must not use up the memory.
        if size * dtype.itemsize > _MAX_REPEATED_BYTES:
            raise ServerError(f"The answer has a tensor of shape {list(shape)} with only {len(values)} values.")
        values = _repeat_last(values, size, dtype)
    return values if len(shape) == 1 else _shaped(values, shape)


def _shaped(values: Array, shape: tuple[int, ...]) -> Array:
    try:
        return values.reshape(shape)
    except ValueError as error:
        raise ServerError(
            f"The answer has a tensor that NumPy cannot hold: {error}; received shape {list(shape)}."
        ) from None


def _repeat_last(values: Array, size: int, dtype: np.dtype[Any]) -> Array:
    if len(values):
        last = values[-1]
    else:
        last = b"" if dtype.kind == "O" else dtype.type(0)
    filled = np.empty(size, dtype)
    filled[: len(values)] = values
    filled[len(values) :] = last
    return filled
