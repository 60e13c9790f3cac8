"""Reads the tensors of requests and writes those of answers.

In requests, `tensor_content` is viewed, not copied, and the typed `*_val` fields are read by the rules of TensorFlow's
`Tensor::FromProto` (core/framework/tensor.cc). Answers always have typed fields, as tensorflow_model_server writes
them, because many clients read `float_val` only. Protobuf's Python API fills such a field value by value; here the
array's own bytes become the packed field, between tags that are written by hand.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from crossnet.serving.protocol.codes import invalid
from crossnet.serving.protocol.dtypes import (
    DT_BFLOAT16,
    DT_HALF,
    DT_STRING,
    MAX_INT64,
    NUMBERS,
    Array,
    as_bytes,
    listed_values,
    tensorflow_numpy_type,
)
from crossnet.serving.protocol.varint import read_varint, varint

_MAX_DIMENSIONS = 254
# A few bytes may describe a huge tensor whose last value is repeated. The real server would try to allocate it, and the
# graph then computes as much again for each of its layers.
MAX_IMPLIED_MIB = 16
_TEXT_BYTES = 24  # TensorFlow's own size of a text value, beside its characters

# Fields whose packed form is the array's own little-endian bytes: field number.
_SPLICED = {1: 5, 2: 6, 8: 9, 10: 11, 18: 12}
# Fields of variable-length numbers: field number. Strings are field 8, one entry each.
_VARINTS = {3: 7, 4: 7, 5: 7, 6: 7, 17: 7, 9: 10, 22: 16, 23: 17}
_CONTENT_FIELD = 4


class ImpliedValues:
    """Counts the memory for values that one request implies but does not hold."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_IMPLIED_MIB * 2**20

    def add(self, size: int, alias: str) -> None:
        """Adds some bytes of an input.

        Raises:
          ServingError: INVALID_ARGUMENT, the request implies more than `MAX_IMPLIED_MIB` in all.
        """
        self._left -= size
        if self._left < 0:
            raise invalid(
                f"tensor parsing error: {alias}: the inputs of a request may imply at most {MAX_IMPLIED_MIB} MiB of "
                "values that it does not hold. Send each value, or fewer rows."
            )


def data_type_of(array: Array) -> int:
    """Returns the DataType number of an array."""
    number = NUMBERS.get(array.dtype)
    return DT_BFLOAT16 if number is None and array.dtype.name == "bfloat16" else number or 0


def read_tensor(tensor: Any, alias: str, implied: ImpliedValues | None = None) -> Array:
    """Returns the values of a TensorProto; a view of the message's bytes where that is possible.

    Args:
      tensor: The TensorProto.
      alias: The input's name, for the error.
      implied: Counts what the request implies, in this tensor and in others; None for a tensor alone.

    Raises:
      ServingError: INVALID_ARGUMENT `tensor parsing error: ALIAS`, wherever TensorFlow cannot read the tensor, and
        where the request implies too much.
    """
    dtype = tensorflow_numpy_type(tensor.dtype)
    content = tensor.tensor_content
    dims = tensor.tensor_shape.dim
    is_vector = content and len(dims) == 1 and dtype is not None and tensor.dtype != DT_STRING
    if is_vector and len(content) == dims[0].size * dtype.itemsize:  # type: ignore[union-attr]
        return np.frombuffer(content, dtype)  # nearly every request takes this path, without the checks below
    shape = tuple([dim.size for dim in dims])
    size = math.prod(shape)
    if (
        dtype is None
        or size < 0
        or size > MAX_INT64
        or len(shape) > _MAX_DIMENSIONS
        or tensor.tensor_shape.unknown_rank
        or any(dim < 0 for dim in shape)
    ):
        raise invalid(f"tensor parsing error: {alias}")
    if content and size:
        if tensor.dtype == DT_STRING:
            return _shaped(_as_objects(_split_strings(content, size, alias)), shape, alias)
        if len(content) != size * dtype.itemsize:
            raise invalid(f"tensor parsing error: {alias}")
        return _shaped(np.frombuffer(content, dtype), shape, alias)
    values = listed_values(tensor, dtype)
    if len(values) > size:
        values = values[:size]
    elif len(values) < size:
        each = dtype.itemsize
        if tensor.dtype == DT_STRING:  # TensorFlow copies text for each element
            each += _TEXT_BYTES + (len(values[-1]) if len(values) else 0)
        (implied or ImpliedValues()).add((size - len(values)) * each, alias)
        filled = np.full(size, values[-1] if len(values) else b"" if tensor.dtype == DT_STRING else 0, dtype)
        filled[: len(values)] = values
        values = filled
    return _shaped(values, shape, alias)


def _shaped(values: Array, shape: tuple[int, ...], alias: str) -> Array:
    try:
        return values.reshape(shape)
    except ValueError:  # NumPy has at most 64 dimensions, and rejects [0, 2**62, 2**62], which has no values
        raise invalid(f"tensor parsing error: {alias}") from None


def _as_objects(values: list[bytes]) -> Array:
    array = np.empty(len(values), np.object_)
    array[:] = values
    return array


def _split_strings(content: bytes, count: int, alias: str) -> list[bytes]:
    """Reads text from `tensor_content`: all lengths as varints, then all bytes (core/platform/coding.h)."""
    if count > len(content):  # each length takes at least one byte
        raise invalid(f"tensor parsing error: {alias}")
    lengths, position = [], 0
    try:
        for _ in range(count):
            length, position = read_varint(content, position)
            lengths.append(length)
    except (IndexError, ValueError):
        lengths = [-1]
    if position + sum(lengths) != len(content):
        raise invalid(f"tensor parsing error: {alias}")
    values = []
    for length in lengths:
        values.append(content[position : position + length])
        position += length
    return values


def write_tensor(array: Array, *, as_content: bool = False) -> bytes:
    """Returns the serialized TensorProto of an array, all values in the typed field.

    Args:
      array: Any shape; text as `object`, of bytes.
      as_content: Write `tensor_content` instead (`--enable_serialization_as_tensor_content`).
    """
    number = data_type_of(array)
    head = _head(number, array.shape)
    if as_content:
        body = _join_strings(array) if number == DT_STRING else array.tobytes()
        return head + _field(_CONTENT_FIELD, body) if body else head
    if number == DT_STRING:
        return head + b"".join([_field(8, as_bytes(value)) for value in array.ravel().tolist()])
    if not array.size:
        return head
    if number in _SPLICED:
        return head + _field(_SPLICED[number], array.tobytes())
    if number in (DT_HALF, DT_BFLOAT16):
        return head + _field(13, b"".join([varint(bits) for bits in array.view(np.uint16).ravel().tolist()]))
    mask = 2**64 - 1  # a negative number is written as 64 bits, two's complement
    return head + _field(_VARINTS[number], b"".join([varint(value & mask) for value in array.ravel().tolist()]))


def _join_strings(array: Array) -> bytes:
    values = [as_bytes(value) for value in array.ravel().tolist()]
    return b"".join([varint(len(value)) for value in values] + values)


@lru_cache(maxsize=4096)
def _head(data_type: int, shape: tuple[int, ...]) -> bytes:
    """Returns the serialized `dtype` and `tensor_shape`; the latter is written for a scalar too."""
    dims = b"".join([_field(2, b"\x08" + varint(size)) for size in shape])
    return b"\x08" + varint(data_type) + _field(2, dims)


def _field(number: int, value: bytes) -> bytes:
    """Returns a length-delimited field."""
    return varint(number << 3 | 2) + varint(len(value)) + value


@lru_cache(maxsize=4096)
def _output_head(alias: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes | None:
    """Returns an entry of `outputs` up to its values; None where it is empty or has other bytes."""
    number = NUMBERS.get(dtype, 0)
    size = math.prod(shape) * dtype.itemsize
    if number not in _SPLICED or not size:
        return None
    tensor = _head(number, shape) + varint(_SPLICED[number] << 3 | 2) + varint(size)
    entry = _field(1, alias.encode()) + varint(2 << 3 | 2) + varint(len(tensor) + size) + tensor
    return varint(1 << 3 | 2) + varint(len(entry) + size) + entry


@lru_cache(maxsize=4096)
def _model_spec_field(model_spec: bytes) -> bytes:
    return _field(2, model_spec)


def write_predict_response(outputs: dict[str, Array], model_spec: bytes, *, as_content: bool = False) -> bytes:
    """Returns a serialized PredictResponse.

    Args:
      outputs: Name of the output -> its values.
      model_spec: The serialized ModelSpec.
      as_content: See `write_tensor`.
    """
    entries: list[bytes] = []
    for alias, array in outputs.items():
        head = None if as_content else _output_head(alias, array.dtype, array.shape)
        if head is not None:  # nearly every answer takes this path: the bytes before the values are cached
            entries += (head, array.tobytes())
        else:
            tensor = write_tensor(array, as_content=as_content)
            entries.append(_field(1, _field(1, alias.encode()) + _field(2, tensor)))
    entries.append(_model_spec_field(model_spec))
    return b"".join(entries)


def write_predict_request(inputs: dict[str, Array], model_spec: bytes) -> bytes:
    """Returns a serialized PredictRequest, as a client over gRPC would have sent it.

    Args:
      inputs: Name of the input -> its values.
      model_spec: The serialized ModelSpec.
    """
    entries = [_field(2, _field(1, name.encode()) + _field(2, write_tensor(a))) for name, a in inputs.items()]
    return b"".join([_field(1, model_spec), *entries])
