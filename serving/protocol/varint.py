"""Numbers as protobuf writes them: seven bits per byte, the lowest first. Its own functions for that are private."""

from __future__ import annotations

_LONGEST = 10  # bytes of 64 bits


def varint(number: int) -> bytes:
    """Returns a number of at least 0 as protobuf writes it."""
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Returns the number that begins at a byte of `data`, and where the next byte after it stands.

    Raises:
      IndexError: The data ends within it.
      ValueError: It has more than ten bytes, those of 64 bits.
    """
    number = 0
    for i in range(_LONGEST):
        byte = data[position + i]
        number |= (byte & 127) << 7 * i
        if byte < 128:
            return number, position + i + 1
    raise ValueError("a varint of more than ten bytes")
