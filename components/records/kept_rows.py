"""Counts the rows of kept columns from the file's own index.

An Arrow IPC file ends with a footer that says where each batch begins, and a batch begins with its number of rows. Both
are FlatBuffers. So who wants some of the rows knows in which batches they are, and reads no others.

Sources: arrow.apache.org/docs/format/Columnar.html (IPC File Format), flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from crossnet.components.artifacts.examples import columns_path
from crossnet.components.records.kept_columns import damaged

_MAGIC = b"ARROW1"
_CONTINUES = 0xFFFFFFFF
_BLOCK = struct.Struct("<qi4xq")  # where a batch begins, bytes of its metadata, bytes of its columns
_BATCHES_OF_FOOTER, _HEADER_OF_MESSAGE, _LENGTH_OF_BATCH = 3, 2, 0  # numbers of fields


def batch_rows(shard: Path) -> list[int]:
    """Returns how many rows each batch of the columns beside a shard has; of the columns nothing is read.

    Raises:
      DataError: The file is damaged.
    """
    path = columns_path(shard)
    try:
        with path.open("rb") as file:
            return [_rows(file, offset, size) for offset, size, _ in _batches(file)]
    except (OSError, ValueError, struct.error) as error:
        raise damaged(path, f"its index cannot be read ({error})") from None


def _batches(file: BinaryIO) -> list[tuple[int, int, int]]:
    end = 4 + len(_MAGIC)
    begin = file.seek(-end, 2)
    tail = file.read(end)
    (size,) = struct.unpack_from("<i", tail)
    if tail[4:] != _MAGIC or not 0 < size <= begin:
        raise ValueError("it does not end as an Arrow file does")
    file.seek(begin - size)
    footer = file.read(size)
    vector = _field(footer, _number("<I", footer, 0), _BATCHES_OF_FOOTER)
    if not vector:
        return []
    vector += _number("<I", footer, vector)
    count = _number("<I", footer, vector)
    return [_BLOCK.unpack_from(footer, vector + 4 + i * _BLOCK.size) for i in range(count)]


def _rows(file: BinaryIO, offset: int, size: int) -> int:
    file.seek(offset)
    metadata = file.read(size)
    start = 8 if _number("<I", metadata, 0) == _CONTINUES else 4  # before it are its size and, since 0.15, a mark
    message = metadata[start:]
    header = _field(message, _number("<I", message, 0), _HEADER_OF_MESSAGE)
    header += _number("<I", message, header)
    length = _field(message, header, _LENGTH_OF_BATCH)
    return _number("<q", message, length) if length else 0


def _field(data: bytes, table: int, number: int) -> int:
    """Returns where a field of a FlatBuffers table is; 0 where the table does not hold it."""
    index = table - _number("<i", data, table)
    entry = 4 + 2 * number
    offset = _number("<H", data, index + entry) if entry < _number("<H", data, index) else 0
    return table + offset if offset else 0


def _number(kind: str, data: bytes, at: int) -> int:
    if at < 0:
        raise ValueError("an offset is negative")
    (found,) = struct.unpack_from(kind, data, at)
    return int(found)
