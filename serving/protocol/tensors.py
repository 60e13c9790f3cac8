"""NumPy arrays to TensorProto and back.

Arrays go out as `tensor_content`, which is one copy of the bytes; text goes out as `string_val`, its only form. Answers
are read in every form that TensorFlow Serving may choose: `tensor_content` or the typed `*_val` fields, the latter also
when they hold fewer values than the shape says (the last one stands for the rest; none at all means zeros) or more (the
excess is dropped), as TensorFlow's own reader does (tensorflow/core/framework/tensor.cc).
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
_MOST_REPEATED_BYTES = 2**31  # of an answer that says its values in short
_TYPE_NAMES = {number: name for name, number in messages.DATA_TYPES.items()}


def type_name(number: int) -> str:
    """Returns TensorFlow's word for a DataType number, such as "float32" is DT_FLOAT's, in NumPy's spelling."""
    numpy = numpy_type(number)
    if numpy is None:
        return _TYPE_NAMES.get(number, f"DataType {number}")
    return "text" if numpy.kind == "O" else numpy.name


def data_type(dtype: Any) -> int:
    """Returns the DataType number of one of NumPy's types in `dtypes.TYPES`."""
    return NUMBERS[np.dtype(dtype)]


def write_tensor(array: Array) -> bytes:
    """Returns a serialized TensorProto.

    Args:
      array: Any shape; one of NumPy's types in `dtypes.TYPES`, `object` holding bytes.
    """
    number = data_type(array.dtype)
    if array.dtype.kind != "O":
        return head_of(number, array.shape)[0] + content_of(array)
    texts = messages.TensorProto(string_val=array.ravel().tolist())
    return _type_and_shape(number, array.shape) + texts.SerializeToString()


def head_of(number: int, shape: tuple[int, ...]) -> tuple[bytes, int]:
    """Returns what stands before the values of a serialized TensorProto of numbers, and the values' size in bytes."""
    size = math.prod(shape) * TYPES[number][0].itemsize
    return _type_and_shape(number, shape) + _CONTENT_TAG + varint(size), size


def content_of(array: Array) -> bytes | memoryview:
    """Returns an array's values in C order; those of a large contiguous array without a copy."""
    # Bytes are put together faster than views of memory, until the copy costs more.
    return array.data if array.nbytes > _LARGE_BYTES and array.flags.c_contiguous else array.tobytes()


def _type_and_shape(number: int, shape: tuple[int, ...]) -> bytes:
    tensor = messages.TensorProto(dtype=number)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor.SerializeToString()


_CONTENT_TAG = bytes([messages.TensorProto.DESCRIPTOR.fields_by_name["tensor_content"].number << 3 | 2])


def read_tensor(tensor: Any) -> Array:
    """Returns the values of a TensorProto as a new array; text as an array of bytes objects.

    Raises:
      ServerError: The type has no counterpart in NumPy, or the bytes do not fit the shape.
    """
    dtype = numpy_type(tensor.dtype)
    dimensions = tensor.tensor_shape.dim
    shape = (dimensions[0].size,) if len(dimensions) == 1 else tuple([dim.size for dim in dimensions])
    if dtype is None:
        raise ServerError(f"The answer holds a tensor of type {type_name(tensor.dtype)}, which NumPy does not know.")
    if tensor.tensor_shape.unknown_rank or (shape and min(shape) < 0):
        raise ServerError(f"The answer holds a tensor without a shape; received {list(shape)}.")
    size = math.prod(shape)
    if content := tensor.tensor_content:
        if len(content) != size * dtype.itemsize or dtype.kind == "O":
            raise ServerError(
                f"The answer holds {len(content)} bytes of {type_name(tensor.dtype)}, which is not shape {list(shape)}."
            )
        return _shaped(np.frombuffer(content, dtype), shape).copy()
    values = listed_values(tensor, dtype)
    if len(values) > size:
        values = values[:size]
    elif len(values) < size:
        # An absurd shape must not fill the memory.
        if size * dtype.itemsize > _MOST_REPEATED_BYTES:
            raise ServerError(f"The answer claims shape {list(shape)} and holds {len(values)} values.")
        values = _repeat_last(values, size, dtype)
    return values if len(shape) == 1 else _shaped(values, shape)


def _shaped(values: Array, shape: tuple[int, ...]) -> Array:
    try:
        return values.reshape(shape)
    except ValueError as error:
        raise ServerError(
            f"The answer holds a tensor that NumPy cannot: {error}; received shape {list(shape)}."
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
