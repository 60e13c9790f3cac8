"""Writes and reads protobuf's variable-length integers (varints).

Each byte has seven bits, the lowest first; its high bit says whether another byte follows. Protobuf's own functions for
this are private. Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmap import mmap

_MAX_BYTES = 10  # of 64 bits


def varint(number: int) -> bytes:
    """Returns the encoding of a number of at least 0."""
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def read_varint(data: bytes | mmap, position: int) -> tuple[int, int]:
    """Returns the number that begins at byte `position`, and the position of the first byte after it.

    Raises:
      IndexError: The data ends within it.
      ValueError: It has more than ten bytes.
    """
    number = 0
    for i in range(_MAX_BYTES):
        byte = data[position + i]
        number |= (byte & 127) << 7 * i
        if byte < 128:
            return number, position + i + 1
    raise ValueError("a varint has more than ten bytes")
