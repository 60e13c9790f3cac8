"""Leaves out lines of a CSV file before Arrow parses it.

Arrow knows no comments, takes a line of blanks for a row, and skips lines only within its first block. The file is read
piece by piece; what is held back is at most one row.
"""

from __future__ import annotations

import codecs
import io
import itertools
import re
from collections.abc import Iterator
from typing import Any

from crossnet.serving.protocol.csv_bytes import Readable
from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.limits import MAX_ROW_BYTES

_PIECE_BYTES = 1 << 20
_LINE_END = re.compile(rb"\r\n|\r|\n")


class LinesLeftOut(io.RawIOBase):
    """A file in UTF-8 without its first lines, its comments and, if asked for, its lines of blanks.

    Args:
      stream: The file, in UTF-8.
      csv_format: Says how comments begin and how cells are quoted.
      skip_lines: Lines that are left out at the start.
      blanks: Whether lines of blanks alone are left out too.
    """

    def __init__(self, stream: Readable, csv_format: CsvFormat, skip_lines: int, *, blanks: bool = False) -> None:
        self._pieces = self._written(stream, csv_format, skip_lines, blanks)
        self._left = b""

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills `buffer`, or what is left of the file."""
        parts, size = [self._left], len(self._left)
        while size < len(buffer) and (piece := next(self._pieces, None)) is not None:
            parts.append(piece)
            size += len(piece)
        data = b"".join(parts)
        count = min(len(buffer), len(data))
        buffer[:count], self._left = data[:count], data[count:]
        return count

    @staticmethod
    def _written(stream: Readable, csv_format: CsvFormat, skip_lines: int, blanks: bool) -> Iterator[bytes]:
        pieces = _from_line(_pieces_of(stream), skip_lines)
        return _without_lines(pieces, _tokens(csv_format, blanks)) if csv_format.comment or blanks else pieces


def _pieces_of(stream: Readable) -> Iterator[bytes]:
    """Yields a file without its byte-order mark; no piece ends between CR and LF."""
    first = stream.read(max(_PIECE_BYTES, len(codecs.BOM_UTF8))).removeprefix(codecs.BOM_UTF8)
    held = b""
    for piece in itertools.chain([first], iter(lambda: stream.read(_PIECE_BYTES), b"")):
        data = held + piece
        held = b"\r" if data.endswith(b"\r") else b""
        yield data[: len(data) - len(held)]
    yield held


def _from_line(pieces: Iterator[bytes], skip_lines: int) -> Iterator[bytes]:
    for piece in pieces:
        start = 0
        while skip_lines and (end := _LINE_END.search(piece, start)):
            start, skip_lines = end.end(), skip_lines - 1
        if not skip_lines:
            yield piece[start:]


def _without_lines(pieces: Iterator[bytes], tokens: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yields the pieces without the lines that `tokens` finds outside quoted cells."""
    held = b""
    for piece in pieces:
        held += piece
        lines, end = _find(held, tokens)
        if len(held) - end > MAX_ROW_BYTES:  # an open quote: whoever parses the row says so
            lines, end = [], len(held)
        yield _cut(held[:end], lines)
        held = held[end:]
    yield _cut(held, _find(held + b"\n", tokens)[0])


def _tokens(csv_format: CsvFormat, blanks: bool) -> re.Pattern[bytes]:
    """Returns a pattern of lines to leave out (its first group), and of what may hold what only looks like one."""
    delimiter, quote, escape = (
        re.escape(mark.encode()) for mark in (csv_format.delimiter, csv_format.quote, csv_format.escape)
    )
    starts = rb"(?:(?m:^)|(?<=\r))"
    comments = [re.escape(comment.encode()) for comment in csv_format.comments]
    lines = [b"(?:" + b"|".join(comments) + rb")[^\r\n]*"] if comments else []
    if blanks:
        blank = b" \t".replace(csv_format.delimiter.encode(), b"")
        lines.append(b"[" + blank + rb"]+(?=[\r\n]|\Z)")
    tokens = [b"(" + starts + b"(?:" + b"|".join(lines) + rb")(?:\r\n|\r|\n|\Z))"]
    if escape:
        marks = [*comments, *([quote] if quote else [])]
        tokens.append(escape + rb"[\s\S](?:" + b"|".join(marks) + b")?")  # what follows does not begin a line or a cell
    if quote:
        plain = b"[^" + quote + escape + b"]*"
        inside = quote + quote + (b"|" + escape + rb"[\s\S]" if escape else b"")
        cell_starts = b"(?:" + starts + b"|(?<=" + delimiter + b"))"
        tokens.append(cell_starts + quote + plain + b"(?:(?:" + inside + b")" + plain + b")*(?:" + quote + rb"|\Z)")
    return re.compile(b"|".join(tokens))


def _find(text: bytes, tokens: re.Pattern[bytes]) -> tuple[list[tuple[int, int]], int]:
    """Returns where lines to leave out begin and end, and where the last whole row of `text` ends."""
    lines, cells = [], []  # `cells`: those of several lines
    for token in tokens.finditer(text):
        if token[1] is not None:
            lines.append(token.span())
        elif _LINE_END.search(text, *token.span()):
            cells.append(token.span())
    end = _last_line_end(text, len(text))
    while cells and cells[-1][0] < end:
        first, last = cells.pop()
        if end <= last:
            end = _last_line_end(text, first)
    return [span for span in lines if span[1] <= end], end


def _last_line_end(text: bytes, before: int) -> int:
    return max(text.rfind(b"\n", 0, before), text.rfind(b"\r", 0, before)) + 1


def _cut(text: bytes, spans: list[tuple[int, int]]) -> bytes:
    if not spans:
        return text
    parts, start = [], 0
    for first, last in spans:
        parts.append(text[start:first])
        start = last
    return b"".join([*parts, text[start:]])
