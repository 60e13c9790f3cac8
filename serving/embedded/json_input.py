"""Reads the inputs of REST requests from JSON.

Rules and error messages are those of TensorFlow Serving's REST API. Row format: `{"instances": [...]}` ->
`{"predictions": [...]}`, one entry per row. Column format: `{"inputs": ...}` -> `{"outputs": ...}`, one entry per
tensor. NaN and Infinity are written bare in both directions: that is not JSON, but the real server reads and writes it.
Source: tensorflow/serving util/json_tensor.cc.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np

from crossnet.serving.embedded.json_document import parse_json
from crossnet.serving.embedded.json_values import decode_base64, is_base64, json_type, row_of
from crossnet.serving.protocol.bounded_text import cut, joined, json_text
from crossnet.serving.protocol.codes import invalid, status_of
from crossnet.serving.protocol.dtypes import DT_BFLOAT16, DT_HALF, DT_STRING, Array, tensorflow_numpy_type
from crossnet.serving.protocol.session import GraphSignature
from crossnet.serving.status import ServingError

_MAX_DIMENSIONS = 63  # NumPy has 64, of which the rows are one

_FLOATS = {1: "float", 2: "double"}  # DataType -> its word; they take every number
# DataType -> (its word, least and greatest integer it takes).
_INTEGERS: dict[int, tuple[str, int, int]] = {
    3: ("int32", -(2**31), 2**31 - 1),
    4: ("uint8", -(2**31), 2**31 - 1),
    5: ("int16", -(2**31), 2**31 - 1),
    6: ("int8", -(2**31), 2**31 - 1),
    9: ("int64", -(2**63), 2**63 - 1),
    22: ("uint32", 0, 2**32 - 1),
    23: ("uint64", 0, 2**64 - 1),
}
_OTHER_WORDS = {DT_HALF: "half", DT_BFLOAT16: "bfloat16", 8: "complex64", 17: "uint16", 18: "complex128"}
_DT_BOOL = 10
_NUMBERS = frozenset({int, float})
_FEW = 64  # values; fewer are converted by NumPy alone in less time


def read_body(body: bytes | bytearray) -> dict[str, Any]:
    """Returns the JSON object of a request.

    Raises:
      ServingError: INVALID_ARGUMENT, the body is not a JSON object.
    """
    document = parse_json(body)
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {json_text(document)} Is not object")
    if not isinstance(document.get("signature_name", ""), str):
        raise invalid(
            f"JSON Value: {json_text(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return document


@np.errstate(over="ignore")  # 1e39 is an infinite float32, as in the real server
def read_inputs(document: Mapping[str, Any], signature: GraphSignature) -> tuple[list[Array], bool]:
    """Returns the arrays in the order of `signature.inputs`, and whether they came row by row.

    Raises:
      ServingError: INVALID_ARGUMENT, they do not fit the signature.
    """
    rows, columns = "instances" in document, "inputs" in document
    if rows and columns:
        raise invalid(
            f"JSON Value: {json_text(document)} Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist "
        )
    if not rows and not columns:
        raise invalid("Missing 'inputs' or 'instances' key")
    if columns:
        return _read_columns(document["inputs"], signature), False
    instances = document["instances"]
    if not isinstance(instances, list):
        raise invalid(f"JSON Value: {json_text(document)} Excepting 'instances' to be an list/array")
    if not instances:
        raise invalid(f"JSON Value: {json_text(document)} No values in 'instances' array")
    return _read_rows(instances, signature), True


def _read_columns(given: Any, signature: GraphSignature) -> list[Array]:
    if not isinstance(given, dict) or is_base64(given):
        if len(signature.inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        (data_type,) = [data_type for _, data_type in signature.inputs.values()]
        return [_read_array(given, data_type)]
    missing = [name for name in signature.inputs if name not in given]
    if missing:
        raise invalid(f"Missing named input: {missing[0]} in 'inputs' object.")
    return [_read_array(given[name], data_type) for name, (_, data_type) in signature.inputs.items()]


def _read_rows(instances: list[Any], signature: GraphSignature) -> list[Array]:
    named = isinstance(instances[0], dict) and not is_base64(instances[0])
    if not isinstance(instances[0], dict) and len(signature.inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    if (plain := _plain_rows(instances, signature)) is not None:
        return plain
    rows = {name: _Rows(data_type) for name, (_, data_type) in signature.inputs.items()}
    for position, instance in enumerate(instances):
        if named != (isinstance(instance, dict) and not is_base64(instance)):
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise invalid(f"Expecting {expected} but got {got} at item {position} of input list")
        items = row_of(instance, position) if named else {next(iter(rows)): instance}
        for name, item in items.items():
            try:
                if name not in rows:
                    raise invalid(f"JSON object: does not have named input: {cut(name)}")
                rows[name].add(item)
            except ServingError as error:
                key = f" key: {cut(name)}" if named else ""
                raise invalid(
                    f"Failed to process element: {position}{key} of 'instances' list. Error: "
                    f"{status_of(error)[0].name}: {error}"
                ) from None
        if len(items) != len(rows):
            raise invalid(
                f"Failed to process element: {position} of 'instances' list. JSON object: {json_text(instance)} keys "
                f"must be equal to: {joined(rows)}"
            )
    return [column.array() for column in rows.values()]


def _plain_rows(instances: list[Any], signature: GraphSignature) -> list[Array] | None:
    """Returns the arrays of rows that are objects of numbers for float inputs, by column; None for any other rows.

    It took a tenth of the time that `_Rows` takes (2026-11-29, 1,000 rows of three).
    """
    inputs = signature.inputs
    if set(map(type, instances)) != {dict} or set(map(len, instances)) != {len(inputs)}:
        return None
    arrays = []
    for name, (_, data_type) in inputs.items():
        try:
            values = [row[name] for row in instances]
        except KeyError:
            return None
        if (plain := _plain_floats(values, data_type)) is None:
            return None
        arrays.append(plain)
    return arrays


def _plain_floats(values: list[Any], data_type: int) -> Array | None:
    """Returns the array of a list of numbers, for a float input; None for any other list or input.

    `struct` takes a fifth of the time that NumPy takes to convert a list, and takes what is a number, but also true and
    false, which become 1 and 0 (2026-11-30, 1,000 values).
    """
    if data_type not in _FLOATS or not values:
        return None
    if len(values) < _FEW:
        return _as_array(values, [len(values)], data_type) if _NUMBERS.issuperset(map(type, values)) else None
    try:
        array = np.frombuffer(struct.pack(f"{len(values)}d", *values))
    except (struct.error, OverflowError):
        return None
    places = np.flatnonzero((array == 0) | (array == 1))
    if bool in set(map(type, map(values.__getitem__, places.tolist()) if len(places) * 4 < len(values) else values)):
        return None
    return array.astype(tensorflow_numpy_type(data_type))


class _Rows:
    """The rows of one input: their values in one list, because an array for each would take many times as much memory.

    Args:
      data_type: DataType of the input.
    """

    def __init__(self, data_type: int) -> None:
        self._data_type = data_type
        self._shape: list[int] | None = None  # of each row
        self._values: list[Any] = []
        self._count = 0

    def add(self, item: Any) -> None:
        """Adds a row, which has the shape of the first.

        Raises:
          ServingError: INVALID_ARGUMENT, it has another shape or a value of another type.
        """
        shape, values = _read_values(item, self._data_type)
        if self._shape is None:
            self._shape = shape
        if shape != self._shape:
            size, expected = math.prod(shape), math.prod(self._shape)
            if size != expected:
                raise invalid(f"Expecting tensor size: {expected} but got: {size}")
            raise invalid(f"Expecting shape {_shape(self._shape)} but got: {_shape(shape)}")
        self._values += values
        self._count += 1

    def array(self) -> Array:
        """Returns the rows, shape `[rows, ...]`."""
        return _as_array(self._values, [self._count, *(self._shape or [])], self._data_type)


def _read_array(given: Any, data_type: int) -> Array:
    if isinstance(given, list) and (plain := _plain_floats(given, data_type)) is not None:
        return plain
    shape, values = _read_values(given, data_type)
    return _as_array(values, shape, data_type)


def _read_values(given: Any, data_type: int) -> tuple[list[int], list[Any]]:
    """Returns the shape and the values of nested lists. The first element of each list gives the shape of all."""
    if not isinstance(given, list):
        return [], [_read_value(given, data_type)]
    if data_type in _FLOATS and given and _NUMBERS.issuperset(map(type, given)):
        return [len(given)], given
    shape, inner = [], given
    while isinstance(inner, list):
        shape.append(len(inner))
        if not inner:
            break
        inner = inner[0]
    if len(shape) > _MAX_DIMENSIONS:
        raise invalid(f"JSON Value: {json_text(given)} has {len(shape)} dimensions, expected at most {_MAX_DIMENSIONS}")
    values: list[Any] = []
    _fill(values, given, 0, shape, data_type)
    return shape, values


def _fill(values: list[Any], part: Any, level: int, shape: list[int], data_type: int) -> None:
    """Appends the values of a part of nested lists. As a closure that calls itself it would free its values late."""
    if not isinstance(part, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {json_text(part)} found at incorrect level: {level + 1} in the JSON DOM. Expected at "
                f"level: {len(shape)}"
            )
        values.append(_read_value(part, data_type))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(part) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(part)} at level: {level} expected size: {shape[level]}"
        )
    for element in part:
        _fill(values, element, level + 1, shape, data_type)


def _as_array(values: list[Any], shape: list[int], data_type: int) -> Array:
    dtype = tensorflow_numpy_type(data_type)
    if data_type == DT_STRING:
        array = np.empty(len(values), np.object_)
        array[:] = values
    else:
        wide = np.int64 if dtype is not None and dtype.kind in "iu" and dtype.itemsize < 4 else dtype
        # int8, uint8 and int16 wrap, as the real server's int_val does.
        array = np.array(values, wide).astype(dtype, copy=False)
    return array.reshape(shape)


def _read_value(value: Any, data_type: int) -> Any:
    if data_type == DT_STRING:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict):
            return decode_base64(value)
        raise _type_error(value, "string")
    if data_type == _DT_BOOL:
        if isinstance(value, bool):
            return value
        raise _type_error(value, "bool")
    if data_type in _FLOATS:
        if type(value) in _NUMBERS:
            return value
        raise _type_error(value, _FLOATS[data_type])
    if data_type not in _INTEGERS:
        word = _OTHER_WORDS.get(data_type, f"DataType {data_type}")
        raise ServingError(
            f"Conversion of JSON Value: {json_text(value)} to type: {word}", grpc.StatusCode.UNIMPLEMENTED
        )
    word, least, greatest = _INTEGERS[data_type]
    if type(value) is int and least <= value <= greatest:
        return value
    raise _type_error(value, word)


def _type_error(value: Any, word: str) -> ServingError:
    return invalid(f"JSON Value: {json_text(value)} Type: {json_type(value)} is not of expected type: {word}")


def _shape(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"
