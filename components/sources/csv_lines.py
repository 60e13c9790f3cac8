"""Finds the physical line of a row in a CSV file.

The file is read serially, and only when a message needs the line. Lines count from 1, the header's included, and those
that are left out; an empty line is not a row, and where there are several columns one of blanks is neither; a quoted
cell may contain line breaks.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from crossnet.components.errors import DataError
from crossnet.components.formats import counted
from crossnet.components.sources.csv_skipped import Skipped, skip_rows
from crossnet.serving.protocol.csv_bytes import COMPRESSIONS
from crossnet.serving.protocol.csv_format import DEFAULT, CsvFormat, delimiter_name
from crossnet.serving.protocol.limits import MAX_ROW_BYTES, mebibytes

_MAX_WORD = 40  # characters of a line's first word that a message proposes

COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
_TOLD_BY_BYTES = (".gz", ".bz2")  # all their files begin alike; those of zstd and lz4 may begin with a frame to skip
_PIECE_BYTES = 1 << 20


def open_bytes(path: Path) -> pa.NativeFile:
    """Opens a file, decompressed where its first bytes say so (gzip, bz2, zstd, lz4), or those and its name do."""
    kind = _compression(path) or (None if path.suffix in _TOLD_BY_BYTES else "detect")
    return pa.input_stream(str(path), compression=kind)


def may_be_compressed(path: Path) -> bool:
    """Returns whether a file is compressed, by its first bytes or the end of its name."""
    return path.suffix in COMPRESSED or bool(_compression(path))


def may_have_quotes(path: Path, csv_format: CsvFormat) -> bool:
    """Returns whether a file may contain a quote or an escape; one that is compressed or in UTF-16 counts as one."""
    if csv_format.escape or (csv_format.quote and (not csv_format.is_utf8 or may_be_compressed(path))):
        return True
    if not csv_format.quote or not path.stat().st_size:
        return False
    quote, held = csv_format.quote.encode(), b""
    with path.open("rb", buffering=0) as stream:
        while piece := stream.read(_PIECE_BYTES):  # a mapped file would count as memory of this process
            if quote in held + piece:
                return True
            held = piece[len(piece) - len(quote) + 1 :]  # a quote may have several bytes
    return False


def _compression(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(max(map(len, COMPRESSIONS)))
    return next((kind for magic, kind in COMPRESSIONS.items() if start.startswith(magic)), "")


@contextmanager
def _raised_field_limit() -> Iterator[None]:
    limit = csv.field_size_limit(MAX_ROW_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


class _Lines:
    """The lines of a file that may be rows, or pieces of one that is longer than a row may be.

    Attributes:
      begins: Whether the next line begins a row, and is left out where it is a comment; set by who reads the rows.
      has_blank_rows: Whether a line of blanks is a row, as where there is one column; likewise.
      characters: Of the lines since `begins` was set.
      first, last: The physical lines of the row, from 1.
      blank: The last line of blanks that was left out; 0: none.
      ended: Whether a line was asked for after the last one.
    """

    def __init__(self, stream: pa.NativeFile, csv_format: CsvFormat) -> None:
        encoding = "utf-8" if csv_format.is_utf8 else csv_format.encoding
        errors = "surrogateescape" if csv_format.is_utf8 else "replace"
        self._text = io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="")
        self._format, self._comments = csv_format, csv_format.comments
        self.begins, self.characters, self.first, self.last = True, 0, 1, 0
        self.has_blank_rows = self.ended = False
        self.blank = 0

    def __iter__(self) -> Iterator[str]:
        while self.characters <= MAX_ROW_BYTES and (line := self._text.readline(MAX_ROW_BYTES + 1)):
            self.last += 1
            if self.last == 1:
                line = line.removeprefix("\ufeff")
            if self.last <= self._format.skip_rows:
                continue
            if self.begins:
                if self._comments and line.startswith(self._comments):
                    continue
                if not self.has_blank_rows and self._format.is_blank(line):
                    self.blank = self.last
                    continue
                self.first, self.begins = self.last, False
            self.characters += len(line)
            yield line
        self.ended = True


class CsvRow(NamedTuple):
    """A row.

    Attributes:
      line, last_line: The physical lines on which it begins and ends.
      cells: Its cells.
      is_open: Whether the file ends within a quote that it opens.
      blank_line: The last line of blanks above it that is not a row; 0: none.
    """

    line: int
    last_line: int
    cells: list[str]
    is_open: bool = False
    blank_line: int = 0


def read_csv_rows(path: Path, csv_format: CsvFormat, skipped: Skipped | None = None) -> Iterator[CsvRow]:
    """Yields all rows, or those from a place on, with their physical lines; the header first, where there is one.

    A byte that is not in the encoding becomes a surrogate in UTF-8, else a replacement character.

    Raises:
      DataError: A row is longer than `MAX_ROW_BYTES`.
    """
    with open_bytes(path) as stream, _raised_field_limit():
        lines = _Lines(stream, csv_format)
        if skipped and skipped.offset:  # a compressed file cannot be entered
            stream.seek(skipped.offset)
            lines.last = skipped.lines
        reader = csv.reader(iter(lines), **csv_format.dialect)
        while True:
            lines.begins, lines.characters = True, 0
            try:
                cells = next(reader, None)
            except csv.Error:  # a cell longer than the limit: nothing else is wrong to a reader that is not strict
                raise too_long_row(path, lines.first) from None
            if lines.characters > MAX_ROW_BYTES:
                raise too_long_row(path, lines.first)
            if cells is None:
                return
            if cells:
                lines.has_blank_rows = len(cells) == 1  # the first row's, since others have as many
                yield CsvRow(lines.first, lines.last, cells, lines.ended, lines.blank)


def read_rows(path: Path, csv_format: CsvFormat = DEFAULT) -> Iterator[tuple[int, list[str]]]:
    """Yields the physical line on which each row starts, and its cells; see `read_csv_rows`."""
    return ((row.line, row.cells) for row in read_csv_rows(path, csv_format))


def too_long_row(path: Path, line: int) -> DataError:
    """Returns the error for a row that is longer than `MAX_ROW_BYTES`."""
    return DataError(
        f"`{path.name}:{line}` begins a row of more than {mebibytes(MAX_ROW_BYTES)}, the most that a row may have. "
        "Is a quote left open, or is the file not CSV? Fix the row."
    )


def row_line(path: Path, row: int, csv_format: CsvFormat = DEFAULT) -> int | None:
    """Returns the physical line on which data row `row` (from 0) begins; None where the file has no such row."""
    wanted = row + csv_format.header
    skipped = Skipped() if may_be_compressed(path) else skip_rows(path, csv_format, wanted)
    rows = enumerate(read_csv_rows(path, csv_format, skipped), skipped.rows)
    try:
        return next((found.line for number, found in rows if number == wanted), None)
    except DataError:  # it is in use for a message about something else
        return None


def open_row(path: Path, csv_format: CsvFormat) -> DataError | None:
    """Returns the error for a quote that is open at the end of a file, or None.

    Raises:
      DataError: A row is longer than `MAX_ROW_BYTES`.
    """
    for row in read_csv_rows(path, csv_format):
        if row.is_open:
            return DataError(
                f"`{path.name}:{row.line}` begins a row that does not end. Is a quote left open? Fix the row, or set "
                '`example_gen.quote = ""` if quotes are parts of cells.'
            )
    return None


def misshapen_row(path: Path, num_columns: int, csv_format: CsvFormat = DEFAULT) -> DataError | None:
    """Returns the error for the first row with more or fewer cells than there are columns, or None.

    Raises:
      DataError: A row before it is longer than `MAX_ROW_BYTES`.
    """
    for row in read_csv_rows(path, csv_format):
        line, cells = row.line, row.cells
        if len(cells) != num_columns:
            how = "short" if len(cells) < num_columns else "long"
            whose = "the header has" if csv_format.header and not csv_format.names else "there are"
            return DataError(
                f"`{path.name}:{line}` is a {how} row: it has {counted(len(cells), 'cell')}, {whose} "
                f"{counted(num_columns, 'column')}. {_fix(row, num_columns, csv_format)}{_advice(row, csv_format)}"
            )
    return None


def _fix(row: CsvRow, num_columns: int, csv_format: CsvFormat) -> str:
    """Returns, for a message, what to do about a row of too few or too many cells."""
    between = delimiter_name(csv_format.delimiter)
    if len(row.cells) > num_columns:
        if not csv_format.escape and len(row.cells) - sum(map(_ends_escaped, row.cells[:-1])) == num_columns:
            return (
                'Does a backslash stand before a delimiter that is part of a cell? Set `example_gen.escape = "\\\\"`.'
            )
        return f"Fix the row; a cell that holds {between} must be quoted."
    if row.last_line > row.line:
        return f"A cell of it runs to line {row.last_line:,}: is a quote left open? Fix the row."
    if len(row.cells) == 1 and len(row.cells[0].split(csv_format.delimiter)) == num_columns:
        return "Quotes stand around the whole row: write the file without them."
    return f"Fix the row; an empty cell needs its delimiter ({between}) too."


def _ends_escaped(cell: str) -> bool:
    """Returns whether a cell ends with a backslash that is not itself after one."""
    return (len(cell) - len(cell.rstrip("\\"))) % 2 == 1


def _advice(row: CsvRow, csv_format: CsvFormat) -> str:
    """Returns, for a message, how to leave out a line that may be a note or a sum and not a row."""
    word = (row.cells[0].split() or [row.cells[0]])[0]  # a line of blanks begins with them
    if (
        any(row.cells[1:])
        or csv_format.delimiter in row.cells[0]
        or row.line != row.last_line
        or not word
        or len(word) > _MAX_WORD
    ):
        return ""
    return (
        f" If it is a note and not a row, leave it out: `example_gen.comment = {json.dumps(word, ensure_ascii=False)}`."
    )
