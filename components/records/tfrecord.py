"""Reads TFRecord files in chunks, and checks many records at once.

The format of one record is in `crossnet.serving.protocol.tfrecord`.

CRC32C is affine over GF(2): the checksum of a message is the checksum of a template XOR what each differing byte adds,
and that depends only on the byte and on how many bytes follow it. So the checksums of all records that share one
layout are a few table look-ups per record, as long as these are few.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from crossnet.components.errors import DataError
from crossnet.components.progress import reached
from crossnet.serving.protocol.limits import MAX_RECORD_BYTES, mebibytes
from crossnet.serving.protocol.tfrecord import FOOTER_BYTES, HEADER_BYTES, mask_crc, read_header

_READ_BYTES = 4 << 20
_GZIP_READ_BYTES = 1 << 16  # what is left of it is copied for each GZIP member, and members may have 20 bytes

# Beyond so many bytes of numbers in a record, its checksum is computed faster from all its bytes: 28 float32 columns on
# an AMD EPYC, 2026-11-29. The tables then no longer fit into the processor's cache.
MAX_TABLE_BYTES = 112
MAX_TABLES = 128  # of up to 256 KiB

Bytes = NDArray[np.uint8]


@functools.lru_cache(maxsize=MAX_TABLES)
def crc_table(width: int, following: int) -> NDArray[np.uint32]:
    """Returns what a little-endian number of `width` (1 or 2) bytes, with `following` bytes after it, adds to a CRC32C.

    Returns:
      uint32 (256 ** width,): entry `v` is the XOR difference that `v` makes, compared with zero in its place.
    """
    zero = google_crc32c.value(bytes(width + following))
    table = np.zeros(1, np.uint32)
    for bit in range(8 * width):
        message = (1 << bit).to_bytes(width, "little") + bytes(following)
        table = np.concatenate([table, table ^ np.uint32(google_crc32c.value(message) ^ zero)])
    return table


def add_uint32_crcs(crcs: NDArray[np.uint32], numbers: NDArray[np.uint32], following: int) -> None:
    """Adds, in place, what a 4-byte little-endian number in each record, `following` bytes before its end, adds."""
    low, high = numbers & np.uint32(0xFFFF), numbers >> np.uint32(16)
    for half, after in ((low, following + 2), (high, following)):
        crcs ^= np.take(crc_table(2, after), half, mode="clip")  # 16 bits are always in bounds: no check


def equal_length_crcs(data: bytes | memoryview, size: int, records: int) -> NDArray[np.uint32]:
    """Returns the CRC32C of the data of framed records that all have `size` bytes with their frames."""
    value, stop = google_crc32c.value, size - FOOTER_BYTES
    starts = range(0, records * size, size)
    return np.array([value(bytes(data[start + HEADER_BYTES : start + stop])) for start in starts], np.uint32)


def length_crcs(lengths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Returns the masked CRC32C of each record length, as in the header."""
    halves = np.ascontiguousarray(lengths, "<u8").view("<u2").reshape(-1, 4)
    crcs = np.full(len(lengths), google_crc32c.value(bytes(8)), np.uint32)
    for place in range(4 if lengths.max(initial=0) > 0xFFFF else 1):
        crcs ^= crc_table(2, 6 - 2 * place)[halves[:, place]]
    return mask_crc(crcs)


def number_view(records: NDArray[np.uint8], offset: int, dtype: str) -> NDArray[Any]:
    """Returns a view of one number in each of many equally long records, at any byte offset."""
    return np.ndarray((len(records),), dtype, records, offset, (records.shape[1],))


def read_chunks(path: Path, compression: str, chunk_bytes: int = _READ_BYTES) -> Iterator[bytes]:
    """Yields the content of a file in pieces of about `chunk_bytes`, decompressed where `compression` is "GZIP".

    No more than twice that is in memory, however much the file unpacks to.

    Raises:
      DataError: The file is not GZIP, or ends early.
    """
    with path.open("rb") as stream:
        done, whole = 0, path.stat().st_size
        if compression != "GZIP":
            while chunk := stream.read(chunk_bytes):
                done += len(chunk)
                reached(path, done, whole)
                yield chunk
            return
        pieces: list[bytes] = []
        size = 0
        for piece in _inflated(path, stream, chunk_bytes):
            pieces.append(piece)
            size += len(piece)
            if size >= chunk_bytes:
                yield b"".join(pieces)
                pieces, size = [], 0
        if pieces:
            yield b"".join(pieces)


def _inflated(path: Path, stream: BinaryIO, most: int) -> Iterator[bytes]:
    """Yields what the GZIP members of a file hold, at most `most` bytes at once; zeros between members are padding."""
    inflate = zlib.decompressobj(31)
    pending = b""
    try:
        while chunk := pending or stream.read(_GZIP_READ_BYTES):
            if inflate.eof:
                if not (chunk := chunk.lstrip(b"\0")):
                    pending = b""
                    continue
                inflate = zlib.decompressobj(31)
            if data := inflate.decompress(chunk, most):
                yield data
            pending = inflate.unconsumed_tail or inflate.unused_data
    except zlib.error as error:
        raise DataError(f"`{path}` cannot be decompressed as GZIP: {error}. Make the file again.") from None
    if not inflate.eof and stream.tell():
        raise DataError(f"`{path}` ends in the middle of its GZIP data. Make the file again.")


def truncated(path: Path, record: int) -> DataError:
    """Returns the error for a file that ends inside a record."""
    return DataError(
        f"`{path}` ends in the middle of record {record:,}: the file is truncated. "
        "Copy or make the file again; the records before it are whole."
    )


def corrupted(path: Path, record: int, part: str) -> DataError:
    """Returns the error for a record whose checksum is wrong."""
    return DataError(
        f"`{path}` is damaged: the checksum (CRC32C) of the {part} of record {record:,} is wrong. "
        "Expected TFRecord data, as written by tf.io.TFRecordWriter. Copy or make the file again, "
        "and check whether it is compressed."
    )


def split_frames(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Finds the records at the start of `data`.

    Returns:
      Offset and length of each whole record's bytes, and where the first record begins that is not whole.
    """
    starts = [0]
    start, last = 0, len(data) - HEADER_BYTES
    unpack, frame = struct.Struct("<Q").unpack_from, HEADER_BYTES + FOOTER_BYTES
    while start <= last:  # as little as can be: it is done for each record
        start += unpack(data, start)[0] + frame
        starts.append(start)
    if starts[-1] > len(data):
        del starts[-1]
    ends = np.array(starts, np.int64)
    return ends[:-1] + HEADER_BYTES, np.diff(ends) - frame, starts[-1]


def frame_start(data: bytes, record: int, records: int) -> int:
    """Returns where record number `record` begins in `data`, which is `records` whole records."""
    if len(data) % records == 0:
        lengths = np.frombuffer(data, np.uint8).reshape(records, -1)[:, :8]
        if (lengths == lengths[0]).all():  # all records have one length
            return record * (len(data) // records)
    position = 0
    unpack = struct.Struct("<Q").unpack_from
    for _ in range(record):
        position += HEADER_BYTES + unpack(data, position)[0] + FOOTER_BYTES
    return position


def check_header(path: Path, data: bytes, position: int, record: int) -> int:
    """Returns the length of the record that begins at `position`, where its whole header is.

    Raises:
      DataError: Its checksum is wrong, or the record is longer than `MAX_RECORD_BYTES`.
    """
    try:
        length = read_header(data[position : position + HEADER_BYTES])
    except ValueError:
        raise corrupted(path, record, "length") from None
    if length > MAX_RECORD_BYTES:
        raise DataError(
            f"`{path}` record {record:,} has {length:,} bytes by its header; a record holds at most "
            f"{mebibytes(MAX_RECORD_BYTES)}. Write rows of numbers and text, each as a record of its own."
        )
    return length


def check_frames(
    path: Path, data: bytes, offsets: NDArray[np.int64], lengths: NDArray[np.int64], first_record: int
) -> None:
    """Checks both checksums of each record.

    Raises:
      DataError: One is wrong; it names the record's number in the file, from 0.
    """
    if not len(offsets):
        return
    array = np.frombuffer(data, np.uint8)
    ends = offsets + lengths
    stored_length_crcs = _gather_uint32(array, offsets - FOOTER_BYTES)
    stored_crcs = _gather_uint32(array, ends)
    value = google_crc32c.value
    bounds = zip(offsets.tolist(), ends.tolist(), strict=True)
    crcs = np.array([value(data[start:end]) for start, end in bounds], np.uint32)
    wrong_length = length_crcs(lengths) != stored_length_crcs
    wrong = np.flatnonzero(wrong_length | (mask_crc(crcs) != stored_crcs))
    if len(wrong):
        part = "length" if wrong_length[wrong[0]] else "data"
        raise corrupted(path, first_record + int(wrong[0]), part)


def _gather_uint32(array: Bytes, offsets: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Returns the little-endian uint32 at each offset."""
    return np.ascontiguousarray(array[offsets[:, None] + np.arange(4)]).view("<u4")[:, 0]


def read_records(path: Path, compression: str) -> Iterator[tuple[bytes, NDArray[np.int64], NDArray[np.int64], int]]:
    """Yields pieces of a file: bytes, offset and length of each record in them, number of the first record.

    Both checksums of every record are checked.

    Raises:
      DataError: The file is truncated or damaged.
    """
    rest, first_record = b"", 0
    needed = HEADER_BYTES
    for chunk in read_chunks(path, compression):
        rest += chunk
        if len(rest) < needed:
            continue
        offsets, lengths, position = split_frames(rest)
        check_frames(path, rest, offsets, lengths, first_record)
        if len(offsets):
            yield rest, offsets, lengths, first_record
            first_record += len(offsets)
        rest = rest[position:]
        needed = HEADER_BYTES
        if len(rest) >= HEADER_BYTES:  # a long record: read on without looking again
            needed += check_header(path, rest, 0, first_record) + FOOTER_BYTES
    if rest:
        raise truncated(path, first_record)
