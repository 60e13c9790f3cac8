"""PredictRequests as bytes, put together around the arrays' own memory.

To fill a message and serialize it would copy large arrays three times; this copies them once. For one row it is the
faster way too: all that stands around the values depends on names, types and shapes, and is remembered.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.tensors import content_of, data_type, head_of, write_tensor
from crossnet.serving.protocol.varint import varint


def _tag(message: Any, field: str) -> bytes:
    """Returns what stands before a length-delimited field on the wire."""
    return varint(message.DESCRIPTOR.fields_by_name[field].number << 3 | 2)


_MODEL_SPEC = _tag(messages.PredictRequest, "model_spec")
_INPUTS = _tag(messages.PredictRequest, "inputs")
_KEY = b"\x0a"  # field 1 of an entry of a map
_VALUE = b"\x12"  # field 2

_MOST_FRAMES = 256
_MOST_FRAMED_BYTES = 2**16  # of one request; from there on the copies cost more than what a frame saves


def predict_request(model_spec: bytes, arrays: Mapping[str, Array]) -> bytes:
    """Returns a serialized PredictRequest.

    Args:
      model_spec: A serialized ModelSpec.
      arrays: Input name -> values.
    """
    pieces: list[bytes | memoryview] = [_lead(model_spec)]
    for name, array in arrays.items():
        if array.dtype.kind == "O":
            tensor = write_tensor(array)
            pieces.append(_entry(name, len(tensor)))
            pieces.append(tensor)
        else:
            pieces.append(_numbers_entry(name, array.dtype.char, array.shape))
            pieces.append(content_of(array))
    return b"".join(pieces)


class Frames:
    """Requests that differ from earlier ones in their values only, filled in without another check.

    Arrays with the names, types and shapes of arrays that passed the checks as they were pass them as they are. So this
    holds for one version of a model. For any number of threads.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[tuple[bytes, str], ...]] = {}

    def fill(self, signature: str, inputs: Any) -> bytes | None:
        """Returns the serialized PredictRequest of some inputs; None where none like it was learned.

        Args:
          signature: The name of the signature.
          inputs: As a client gets them.
        """
        key = _frame_key(signature, inputs)
        frame = self._known.get(key) if key else None
        if frame is None:
            return None
        pieces = []
        for head, name in frame:
            pieces.append(head)
            pieces.append(inputs[name].tobytes())
        return b"".join(pieces)

    def learn(self, signature: str, inputs: Any, model_spec: bytes, arrays: Mapping[str, Array]) -> None:
        """Remembers what stands around the values of a request.

        Args:
          signature: The name of the signature.
          inputs: As a client got them.
          model_spec: A serialized ModelSpec, which names the same signature.
          arrays: What of the inputs was sent, in one request.
        """
        key = _frame_key(signature, inputs)
        if key is None or not arrays or sum(array.nbytes for array in arrays.values()) > _MOST_FRAMED_BYTES:
            return
        if any(array is not inputs[name] or array.dtype.hasobject for name, array in arrays.items()):
            return
        if len(self._known) >= _MOST_FRAMES:
            self._known.clear()
        lead, frame = _lead(model_spec), []
        for name, array in arrays.items():
            frame.append((lead + _numbers_entry(name, array.dtype.char, array.shape), name))
            lead = b""
        self._known[key] = tuple(frame)


def _frame_key(signature: str, inputs: Any) -> tuple[Any, ...] | None:
    """Returns all that a request depends on but the values; None for what is no mapping from names to arrays."""
    if type(inputs) is not dict:
        return None
    key: list[Any] = [signature, *inputs]
    for array in inputs.values():
        if type(array) is not np.ndarray:
            return None
        key.append(array.dtype)
        key.append(array.shape)
    return tuple(key)


def _lead(model_spec: bytes) -> bytes:
    """Returns a request up to its inputs."""
    return _MODEL_SPEC + varint(len(model_spec)) + model_spec


def _entry(name: str, size: int) -> bytes:
    """Returns an entry of `inputs` up to its TensorProto of `size` bytes."""
    key = name.encode()
    entry = _KEY + varint(len(key)) + key + _VALUE + varint(size)
    return _INPUTS + varint(len(entry) + size) + entry


@functools.lru_cache(4096)
def _numbers_entry(name: str, dtype: str, shape: tuple[int, ...]) -> bytes:
    """Returns an entry of `inputs` up to the values of its tensor."""
    head, content_size = head_of(data_type(dtype), shape)
    return _entry(name, len(head) + content_size) + head
