"""Reads messages that equal an earlier message except for their tensors' values.

A client sends one request again and again with other values: for the same model, with the same names, types and shapes.
The serialized requests are then equal byte for byte except for the values, and so are the answers. A template keeps
what one message has around its values. A later message with the same bytes there is not parsed: its values are viewed
in place. Messages that match no template are parsed, and so are messages with text or with numbers that protobuf writes
as varints.

The server keeps it because it saves about 25 us of CPU per call. Predict without gRPC took 30 to 36 us from a template
and 54 to 55 us parsed (cross network, 1 row), or 57 to 63 us and 86 to 87 us (1,000 rows): these are the cases "Predict
without gRPC" of `python -m benchmarks serving`, run alone, twice, on 28 November 2026, on 2 cores under load. With gRPC
and one call in flight, docs/benchmarks.md has 524 us for 1,000 rows, which is 1.59 times an echo server. The goal is
1.6, and 25 us more would miss it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.varint import read_varint
from crossnet.serving.status import ServingError

_MAX_LENGTHS = 256  # lengths of messages for which templates are kept
_MAX_PER_LENGTH = 8  # each client process may write the tensors in another order
_MAX_FIXED_BYTES = 2**14
# Only one in so many messages without a template gives one: little is lost where no message ever repeats.
_REMEMBER_EVERY = 7

# Numbers of the fields that lead to the values: of an entry of a map of tensors, and of TensorProto.
_KEY, _VALUE, _CONTENT = 1, 2, 4
_PACKED = {np.dtype(np.float32): 5, np.dtype(np.float64): 6}  # float_val and double_val hold the array's own bytes
_VARINT, _LENGTH_DELIMITED = 0, 2  # wire types

T = TypeVar("T")


@dataclass(frozen=True)
class TensorPlace:
    """The place of a tensor's values in a message.

    Attributes:
      dtype: Their type.
      shape: The tensor's shape.
      size: The number of values.
      first: The position of their first byte.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    size: int
    first: int

    def view(self, message: bytes) -> Array:
        """Returns the values of a message, not copied."""
        array = np.frombuffer(message, self.dtype, self.size, self.first)
        return array if len(self.shape) == 1 else array.reshape(self.shape)


@dataclass(frozen=True, eq=False)
class MessageTemplate(Generic[T]):
    """A message without its values.

    Attributes:
      header: What `TemplateCache` was told to keep of the parsed message.
      fixed: First position, end and content of each part that is not values.
      tensors: The place of each tensor's values, in the order of the tensors' names.
    """

    header: T
    fixed: tuple[tuple[int, int, bytes], ...]
    tensors: Mapping[str, TensorPlace]

    def matches(self, message: bytes) -> bool:
        """Returns whether a message of the same length equals the template's except for the values."""
        for first, end, content in self.fixed:  # noqa: SIM110 - a generator would cost twice as much
            if message[first:end] != content:
                return False
        return True

    def arrays(self, message: bytes) -> dict[str, Array]:
        """Returns the tensors of a message that matches, by name: views of its bytes."""
        return {name: place.view(message) for name, place in self.tensors.items()}


class TemplateCache(Generic[T]):
    """Templates of earlier messages, for any number of threads.

    Args:
      field: Number of the messages' map from name to TensorProto.
      read_tensors: Returns the tensors of a parsed message by name.
      read_header: Returns what else of a parsed message is needed again: the template's `header`.
    """

    def __init__(
        self, field: int, read_tensors: Callable[[Any], Mapping[str, Array]], read_header: Callable[[Any], T]
    ) -> None:
        self._field, self._read_tensors, self._read_header = field, read_tensors, read_header
        self._templates: dict[int, tuple[MessageTemplate[T], ...]] = {}  # by length of the message
        self._misses = itertools.count()
        self._lock = threading.Lock()

    def find(self, message: bytes) -> MessageTemplate[T] | None:
        """Returns the template that a message matches; None where it matches none."""
        for template in self._templates.get(len(message), ()):
            if template.matches(message):
                return template
        return None

    def remember(self, message: bytes, parsed: Any) -> None:
        """Keeps the template of one in `_REMEMBER_EVERY` messages, where it has one.

        Args:
          message: A serialized message.
          parsed: The same, parsed.
        """
        if next(self._misses) % _REMEMBER_EVERY:
            return
        template = self.template_of(message, parsed)
        if template is None:
            return
        with self._lock:
            while len(self._templates) >= _MAX_LENGTHS and len(message) not in self._templates:
                self._templates.pop(next(iter(self._templates)), None)
            self._templates[len(message)] = (template, *self._templates.get(len(message), ()))[:_MAX_PER_LENGTH]

    def template_of(self, message: bytes, parsed: Any) -> MessageTemplate[T] | None:
        """Returns the template of a message; None where the values of a tensor are not one run of bytes.

        Args:
          message: A serialized message.
          parsed: The same, parsed.
        """
        places, fixed, end = {}, [], 0
        try:
            arrays = self._read_tensors(parsed)
            for name, first in _first_bytes(message, self._field, arrays):
                array = arrays[name]
                places[name] = TensorPlace(array.dtype, array.shape, array.size, first)
                fixed.append((end, first, message[end:first]))
                end = first + array.nbytes
            fixed.append((end, len(message), message[end:]))
            if not places or sum(len(content) for _, _, content in fixed) > _MAX_FIXED_BYTES:
                return None
            return MessageTemplate(self._read_header(parsed), tuple(fixed), dict(sorted(places.items())))
        except (ValueError, ServingError):
            return None


def _first_bytes(message: bytes, field: int, arrays: Mapping[str, Array]) -> Iterator[tuple[str, int]]:
    """Yields each tensor's name and the position of the first byte of its values, in the order of the message.

    Raises:
      ValueError: A tensor occurs twice or has no name, or its values are not one run of bytes.
    """
    found = set()
    for number, first, end in _fields(message, 0, len(message)):
        if number != field:
            continue
        parts = [(number, (first, end)) for number, first, end in _fields(message, first, end)]
        if sorted(number for number, _ in parts) != [_KEY, _VALUE]:
            raise ValueError
        entry = dict(parts)
        name = message[slice(*entry[_KEY])].decode()
        if name not in arrays:  # of an entry with other fields, protobuf takes nothing
            raise ValueError
        array = arrays[name]
        numbers = (_CONTENT, _PACKED.get(array.dtype))
        runs = [run for run in _fields(message, *entry[_VALUE]) if run[0] in numbers]
        if name in found or array.dtype.hasobject or not array.size or len(runs) != 1:
            raise ValueError
        found.add(name)
        _, first, end = runs[0]
        if end - first != array.nbytes:  # the last of too few values is repeated, and values beyond the shape are left
            raise ValueError
        yield name, first


def _fields(message: bytes, first: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yields number, first position and end of each length-delimited field, and skips varints.

    Raises:
      ValueError: A field of another wire type.
    """
    while first < end:
        tag, first = read_varint(message, first)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            _, first = read_varint(message, first)
        elif wire_type == _LENGTH_DELIMITED:
            length, first = read_varint(message, first)
            yield number, first, first + length
            first += length
        else:
            raise ValueError
