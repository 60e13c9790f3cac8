"""Messages that differ from an earlier one in their tensors' values only: read without being parsed.

A client asks again and again for the same model, with the same names, types and shapes. Its requests are then equal
byte for byte but for the values, and so are the answers; where the values stand is known from the first. Comparing the
rest and viewing the values in place is the same as parsing, at a fraction of its cost (benchmarks/serving.py,
benchmarks/client.py). A message that is like no earlier one is parsed; so is each that has text, or numbers that are
written one by one.
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

_MOST_LENGTHS = 256  # lengths of messages of which layouts are kept
_MOST_PER_LENGTH = 8  # each process may write the tensors in an order of its own
_MOST_FIXED_BYTES = 2**14
_LEARN_EVERY = 7  # of the messages that are like no other, so that learning costs little where none ever repeats

# Of an entry of a map of tensors, and of TensorProto: numbers of the fields that lead to the values.
_KEY, _VALUE, _CONTENT = 1, 2, 4
_PACKED = {np.dtype(np.float32): 5, np.dtype(np.float64): 6}  # float_val and double_val: the array's own bytes
_BYTES = 2  # wire type of what has a length

T = TypeVar("T")


@dataclass(frozen=True)
class Values:
    """Where a tensor's values stand in a message.

    Attributes:
      dtype: Their type.
      shape: The tensor's shape.
      count: How many there are.
      first: The first one's first byte.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    count: int
    first: int

    def view(self, message: bytes) -> Array:
        """Returns the values of a message, not copied."""
        array = np.frombuffer(message, self.dtype, self.count, self.first)
        return array if len(self.shape) == 1 else array.reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Layout(Generic[T]):
    """What a message's bytes say, whatever its values.

    Attributes:
      said: What `Layouts` was told to keep of the first such message.
      fixed: First byte, end and content of each part that is not values.
      values: Each tensor's, in the order of their names.
    """

    said: T
    fixed: tuple[tuple[int, int, bytes], ...]
    values: Mapping[str, Values]

    def fits(self, message: bytes) -> bool:
        """Returns whether a message of the same length says the same, values aside."""
        for first, end, content in self.fixed:  # noqa: SIM110 - a generator would cost twice as much
            if message[first:end] != content:
                return False
        return True

    def arrays(self, message: bytes) -> dict[str, Array]:
        """Returns the tensors of a message that fits, by name: views of its bytes."""
        return {name: values.view(message) for name, values in self.values.items()}


class Layouts(Generic[T]):
    """The layouts of earlier messages; for any number of threads.

    Args:
      field: Number of the messages' map from name to TensorProto.
      read: Returns the tensors of a parsed message by name.
      keep: Returns what else of a parsed message is wanted again: the layout's `said`.
    """

    def __init__(self, field: int, read: Callable[[Any], Mapping[str, Array]], keep: Callable[[Any], T]) -> None:
        self._field, self._read, self._keep = field, read, keep
        self._known: dict[int, tuple[Layout[T], ...]] = {}  # by length of the message
        self._misses = itertools.count()
        self._lock = threading.Lock()

    def find(self, message: bytes) -> Layout[T] | None:
        """Returns the layout that a message has; None where no earlier one was like it."""
        for layout in self._known.get(len(message), ()):
            if layout.fits(message):
                return layout
        return None

    def learn(self, message: bytes, parsed: Any) -> None:
        """Keeps the layout of a message, if it has one, now and then.

        Args:
          message: A serialized message.
          parsed: The same, parsed.
        """
        if next(self._misses) % _LEARN_EVERY:
            return
        layout = self.layout_of(message, parsed)
        if layout is None:
            return
        with self._lock:
            while len(self._known) >= _MOST_LENGTHS and len(message) not in self._known:
                self._known.pop(next(iter(self._known)), None)
            self._known[len(message)] = (layout, *self._known.get(len(message), ()))[:_MOST_PER_LENGTH]

    def layout_of(self, message: bytes, parsed: Any) -> Layout[T] | None:
        """Returns the layout of a message; None where its values are no single run of bytes per tensor, or none.

        Args:
          message: A serialized message.
          parsed: The same, parsed.
        """
        values, fixed, end = {}, [], 0
        try:
            arrays = self._read(parsed)
            runs = dict(_runs(message, self._field, arrays))
            if not runs or len(runs) != len(arrays):
                return None
            for name, first in sorted(runs.items(), key=lambda run: run[1]):
                array = arrays[name]
                values[name] = Values(array.dtype, array.shape, array.size, first)
                fixed.append((end, first, message[end:first]))
                end = first + array.nbytes
            fixed.append((end, len(message), message[end:]))
            if sum(len(content) for _, _, content in fixed) > _MOST_FIXED_BYTES:
                return None
            return Layout(self._keep(parsed), tuple(fixed), dict(sorted(values.items())))
        except (IndexError, ValueError, ServingError):
            return None


def _runs(message: bytes, field: int, arrays: Mapping[str, Array]) -> Iterator[tuple[str, int]]:
    """Yields each tensor's name, and the byte at which its values start.

    Raises:
      ValueError: A tensor twice, or without a name, or one whose values are not one run of bytes.
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
        array = arrays[name]
        numbers = (_CONTENT, _PACKED.get(array.dtype))
        runs = [run for run in _fields(message, *entry[_VALUE]) if run[0] in numbers]
        if name in found or array.dtype.hasobject or not array.size or len(runs) != 1:
            raise ValueError
        found.add(name)
        _, first, end = runs[0]
        if end - first != array.nbytes:
            raise ValueError
        yield name, first


def _fields(message: bytes, first: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yields number, first byte and end of the fields of a message that have a length, and passes over varints.

    Raises:
      ValueError: A field of another wire type.
    """
    while first < end:
        tag, first = read_varint(message, first)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            _, first = read_varint(message, first)
        elif wire_type == _BYTES:
            length, first = read_varint(message, first)
            yield number, first, first + length
            first += length
        else:
            raise ValueError
