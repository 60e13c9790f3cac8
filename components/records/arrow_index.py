"""Finds the batches of an Arrow IPC file by its own index.

The file ends with a footer, a FlatBuffers table, that says where each batch begins, and a batch begins with its number
of rows.

Sources: arrow.apache.org/docs/format/Columnar.html (IPC File Format), flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

MAGIC = b"ARROW1"
_CONTINUES = 0xFFFFFFFF
_BLOCK = struct.Struct("<qi4xq")
_BATCHES_OF_FOOTER, _HEADER_OF_MESSAGE, _LENGTH_OF_BATCH = 3, 2, 0  # numbers of fields


class Block(NamedTuple):
    """A batch: where it begins, bytes of its metadata, and bytes of its columns."""

    offset: int
    metadata: int
    columns: int

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.offset + self.metadata + self.columns


class Index(NamedTuple):
    """The index of a file.

    Attributes:
      start: Where it begins.
      footer: Its bytes.
      vector: Where the blocks are in these.
      blocks: The batches.
    """

    start: int
    footer: bytes
    vector: int
    blocks: list[Block]

    def tail(self, blocks: list[Block]) -> bytes:
        """Returns the end of a file with as many batches in other places."""
        footer = bytearray(self.footer)
        for number, block in enumerate(blocks):
            _BLOCK.pack_into(footer, self.vector + number * _BLOCK.size, *block)
        return bytes(footer) + struct.pack("<i", len(footer)) + MAGIC


def read_index(file: BinaryIO) -> Index:
    """Returns the index of an open file.

    Raises:
      OSError, ValueError, struct.error: It is damaged.
    """
    end = 4 + len(MAGIC)
    begin = file.seek(-end, 2)
    tail = file.read(end)
    (size,) = struct.unpack_from("<i", tail)
    if tail[4:] != MAGIC or not 0 < size <= begin:
        raise ValueError("it does not end as an Arrow file does")
    file.seek(begin - size)
    footer = file.read(size)
    vector = _field(footer, _number("<I", footer, 0), _BATCHES_OF_FOOTER)
    if not vector:
        return Index(begin - size, footer, 0, [])
    vector += _number("<I", footer, vector)
    count = _number("<I", footer, vector)
    first = vector + 4
    blocks = [Block(*_BLOCK.unpack_from(footer, first + i * _BLOCK.size)) for i in range(count)]
    return Index(begin - size, footer, first, blocks)


def rows_of(file: BinaryIO, block: Block) -> int:
    """Returns the rows of a batch.

    Raises:
      OSError, ValueError, struct.error: It is damaged.
    """
    file.seek(block.offset)
    metadata = file.read(block.metadata)
    start = 8 if _number("<I", metadata, 0) == _CONTINUES else 4  # before it are its size and, since 0.15, a mark
    message = metadata[start:]
    header = _field(message, _number("<I", message, 0), _HEADER_OF_MESSAGE)
    header += _number("<I", message, header)
    length = _field(message, header, _LENGTH_OF_BATCH)
    return _number("<q", message, length) if length else 0


def graft(path: Path, stem: Path, number: int) -> None:
    """Replaces the first batches of a file, which have no rows, by those of another one, which then takes its name.

    Their bytes are not copied. The result is the file that would have been written with their rows.

    Args:
      path: The file.
      stem: A file on the same file system; its schema takes as many bytes.
      number: How many batches.

    Raises:
      ValueError: The schemas differ.
    """
    with path.open("rb") as file, stem.open("r+b") as target:
        index, blocks = read_index(file), read_index(target).blocks[:number]
        first, last = index.blocks[number - 1].end, blocks[-1].end
        file.seek(0)
        target.seek(0)
        if target.write(file.read(index.blocks[0].offset)) != blocks[0].offset:
            raise ValueError("the schemas of the two files differ")
        file.seek(first)
        target.truncate(last)
        target.seek(last)
        target.write(file.read(index.start - first))
        moved = [block._replace(offset=block.offset + last - first) for block in index.blocks[number:]]
        target.write(index.tail([*blocks, *moved]))
    path.unlink()  # ext4 allocates all blocks of a file that replaces another one, at once and on this thread
    stem.rename(path)


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
