"""Writes and reads TFRecord frames: records with length and checksums.

    uint64 length | uint32 masked CRC32C of the length | length bytes | uint32 masked CRC32C of the bytes

Source: tensorflow/core/lib/io/record_writer.h, tensorflow/core/lib/hash/crc32c.h.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 12
FOOTER_BYTES = 4

_MASK_DELTA = 0xA282EAD8


@overload
def mask_crc(crc: int) -> int: ...
@overload
def mask_crc(crc: NDArray[np.uint32]) -> NDArray[np.uint32]: ...
def mask_crc(crc: Any) -> Any:
    """Returns the masked form in which TFRecord stores a CRC32C; for a uint32 array, that of each element."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def write_frame(record: bytes) -> bytes:
    """Returns a record with its header and footer."""
    return b"".join((header_of(len(record)), record, footer_of((record,))))


def header_of(length: int) -> bytes:
    """Returns what stands before a record of `length` bytes."""
    packed = struct.pack("<Q", length)
    return packed + _checksum(packed)


def footer_of(pieces: Sequence[bytes], crc: int = 0) -> bytes:
    """Returns what stands behind a record.

    Args:
      pieces: The record, in pieces of any size.
      crc: The CRC32C of what comes before them in the record.
    """
    import google_crc32c

    for piece in pieces:
        crc = google_crc32c.extend(crc, piece)
    return struct.pack("<I", mask_crc(crc))


def read_header(header: bytes) -> int:
    """Returns the length of the record that follows a header, in bytes.

    Raises:
      ValueError: The header is not 12 bytes long, or its checksum is wrong.
    """
    if header[8:] != _checksum(header[:8]):
        raise ValueError("a TFRecord header is cut short, or its checksum is wrong")
    return int.from_bytes(header[:8], "little")


def read_body(body: bytes, length: int) -> bytes:
    """Returns the record of `length` bytes from a frame's bytes after the header: the record and its footer.

    Raises:
      ValueError: The body has another size, or the record's checksum is wrong.
    """
    record = body[:length]
    if body[length:] != _checksum(record):
        raise ValueError("a TFRecord is cut short, or its checksum is wrong")
    return record


def _checksum(data: bytes) -> bytes:
    import google_crc32c  # only when a record is read or written: a client for other formats works without it

    return struct.pack("<I", mask_crc(google_crc32c.value(data)))
