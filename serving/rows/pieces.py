"""Cuts a large file of rows into pieces for several processes.

A file is cut where every line is a row: between lines, and in CSV without quotes, escapes or lone carriage returns. So
a piece is cut before the first line that is not plain, and what follows is one piece that is not. Every piece but the
last has whole batches, so the model is asked about the same rows together as without cuts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.limits import MAX_ROW_BYTES

PIECE_BYTES = 4 << 20  # about
_MAX_PIECE_BYTES = 64 << 20  # of one batch or of many rows
_BLANK_LINE = re.compile(rb"(?:\A|\n)[ \t\r]*\n")


class Piece(NamedTuple):
    """A part of a file.

    Attributes:
      start: Its first byte.
      end: The byte after its last; None: that of the file.
      lines: The lines before it.
    """

    start: int
    end: int | None
    lines: int


def may_cut(kind: str, csv_format: CsvFormat) -> bool:
    """Whether files of that kind can have places to cut."""
    if kind == "csv":
        return csv_format.is_utf8 and csv_format.header and not (csv_format.comment or csv_format.skip_rows)
    return kind == "jsonl"


def cut(stream: BinaryIO, kind: str, csv_format: CsvFormat, batch_size: int) -> Iterator[Piece]:
    """Yields the pieces in order. The last has no `end` where it is not plain: then it may be of any size.

    Args:
      stream: The file, at its start.
      kind: "csv", whose first line is the header and in no piece, or "jsonl".
      csv_format: How the bytes of a CSV become cells.
      batch_size: Rows that the model is asked about together.
    """
    marks = [mark.encode() for mark in (csv_format.quote, csv_format.escape) if mark] if kind == "csv" else []

    def is_plain(data: bytes) -> bool:
        if any(mark in data for mark in marks) or _BLANK_LINE.search(data):
            return False
        return kind != "csv" or data.count(b"\r") == data.count(b"\r\n")

    start = lines = 0
    if kind == "csv":
        header = stream.readline(MAX_ROW_BYTES)
        if not is_plain(header) or not header.endswith(b"\n"):
            yield Piece(0, None, 0)
            return
        start, lines = len(header), 1
    data = b""
    while more := stream.read(PIECE_BYTES):
        data += more
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        rows = len(ends) // batch_size * batch_size
        size = int(ends[rows - 1]) + 1 if rows else 0
        if not is_plain(data[:size]) or len(data) - size > _MAX_PIECE_BYTES:
            break
        if size:
            yield Piece(start, start + size, lines)
            start, lines, data = start + size, lines + rows, data[size:]
    else:
        if data and is_plain(data):
            yield Piece(start, start + len(data), lines)
            return
    if data:
        yield Piece(start, None, lines)
