"""Reads the cells of a CSV file with Arrow, block by block."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from crossnet.components.errors import DataError
from crossnet.components.progress import reached
from crossnet.components.sources.csv_lines import may_be_compressed, open_bytes, open_row, read_rows
from crossnet.components.sources.csv_rewrite import LinesLeftOut
from crossnet.serving.protocol.cell_values import FALSE, MISSING, TRUE
from crossnet.serving.protocol.csv_bytes import Decoded, NotDecodableError, Readable
from crossnet.serving.protocol.csv_format import DEFAULT, CsvFormat
from crossnet.serving.protocol.limits import MAX_ROW_BYTES
from crossnet.serving.protocol.memory_limits import check_threads
from crossnet.serving.protocol.printable import listed, shown

# Arrow goes through a block once for each column: it should fit into a cache, but have some 800 rows in wide files too,
# because each column of a block costs time. What follows takes several at once.
_BLOCK_BYTES = 1 << 19
_BLOCK_BYTES_PER_COLUMN = 1 << 13
_BATCH_BLOCKS = 2  # at least, and as many as have
_BATCH_BYTES = 1 << 22  # since each column of a batch costs some time too
_BLOCKS_AHEAD = 3
_COUNTED_BYTES = 1 << 17  # at once
_MAX_BLOCK_BYTES = MAX_ROW_BYTES  # a row must fit into a block
_NO_ROWS = ("Empty CSV file", "CSV parse error: Empty CSV file or block")
_TOO_SMALL = ("straddling object", *_NO_ROWS)  # a block, for a row and for the header
# A handler of such rows would get their text, and Arrow prints an exception where that is not UTF-8.
_BLANK_ROW = re.compile(r"^CSV parse error: (?:Row #\d+: )?Expected \d+ columns, got 1: [ \t\r\n]+(?:\.\.\.)?$")


@dataclass(frozen=True)
class CsvLayout:
    """Where the rows of a file are.

    Attributes:
      num_columns: Columns in the file.
      quoted: Whether cells may be quoted or escaped. Arrow reads faster where they are not.
      names: The columns' names where the file does not have them; empty: the first line that is read has them.
      skip_lines: Physical lines before that line or, with `names`, before the rows.
      csv_format: How bytes become cells.
      start, stop: The bytes that are read, where that is not the whole file: it begins and ends between rows.
      first_row: The number of the first row that is read, in the file.
      has_blanks: Whether it has lines of blanks, which are not rows.
    """

    num_columns: int
    quoted: bool = True
    names: tuple[str, ...] = ()
    skip_lines: int = 0
    csv_format: CsvFormat = DEFAULT
    start: int = 0
    stop: int | None = None
    first_row: int = 0
    has_blanks: bool = False


def read_blocks(path: Path, types: Mapping[str, Any], layout: CsvLayout) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a file in batches; the header is not a row.

    Args:
      path: The file.
      types: Arrow's type by name of the columns that are wanted.
      layout: Where the rows are.

    Raises:
      pyarrow.ArrowInvalid: A cell is of another kind or a row is misshapen.
      DataError: Bytes are not in the encoding; it names the line. Or the file lacks a column.
      MemoryError: Memory is limited, and what is left is not enough for Arrow's threads.
    """
    _check_columns(path, types, layout)
    parse, convert = _options(types, layout)
    block_bytes = min(max(_BLOCK_BYTES, _BLOCK_BYTES_PER_COLUMN * layout.num_columns), _MAX_BLOCK_BYTES)
    rows = 0
    while True:
        skip = rows
        try:
            given = list(layout.names) or None
            read = arrow_csv.ReadOptions(use_threads=False, block_size=block_bytes, column_names=given)
            # Not closed here: a thread may read ahead, and would read from another file opened under the same number.
            quotes, stream = _Quotes(layout), open_bytes(path)
            size = 0 if may_be_compressed(path) else path.stat().st_size
            ahead = _FewAhead(_content(stream, layout, quotes))
            source = pa.PythonFile(ahead, mode="r")
            try:
                check_threads()
                with arrow_csv.open_csv(source, read, parse, convert) as reader:
                    for batch in _joined(reader, ahead, max(_BATCH_BLOCKS, _BATCH_BYTES // block_bytes)):
                        dropped = min(skip, batch.num_rows)
                        skip -= dropped
                        reached(path, stream.tell() if size else 0, size)
                        if dropped < batch.num_rows:
                            rows += batch.num_rows - dropped
                            yield batch.slice(dropped)
            finally:
                ahead.stop()
            if quotes.are_odd and (problem := open_row(path, layout.csv_format)):
                raise problem
            return
        except NotDecodableError as error:
            raise DataError(
                f"`{path.name}:{error.line}` is not text in {layout.csv_format.encoding} ({error.reason}). Name its "
                "encoding in `example_gen.encoding`, or save the file as UTF-8."
            ) from None
        except pa.ArrowInvalid as error:
            # Not `in`: the messages about cells quote them.
            if str(error).startswith(_NO_ROWS) and not rows and _fits(path, layout, block_bytes):
                return
            if not layout.has_blanks and _BLANK_ROW.search(str(error)):
                layout = replace(layout, has_blanks=True)
                continue
            if not str(error).startswith(_TOO_SMALL) or block_bytes >= _MAX_BLOCK_BYTES:
                raise
            block_bytes = min(8 * block_bytes, _MAX_BLOCK_BYTES)


def _check_columns(path: Path, types: Mapping[str, Any], layout: CsvLayout) -> None:
    """Raises DataError where the file lacks a column; Arrow does too, and its thread then stops the process' end."""
    written = replace(layout.csv_format, skip_rows=layout.skip_lines)
    names = list(layout.names) or next((cells for _, cells in read_rows(path, written)), list(types))
    if missing := [shown(name) for name in types if name not in names]:
        lacks = f"`{path.name}` lacks the column `{missing[0]}`; it has {listed(names)}"
        raise DataError(f"{lacks}. Did the file change while it was read? Run again.")


def _options(types: Mapping[str, Any], layout: CsvLayout) -> tuple[Any, Any]:
    """Returns how Arrow parses rows and converts cells."""
    csv_format = layout.csv_format
    convert = arrow_csv.ConvertOptions(
        column_types=types,
        include_columns=list(types),
        null_values=[MISSING],
        strings_can_be_null=True,
        true_values=TRUE,
        false_values=FALSE,
        timestamp_parsers=[arrow_csv.ISO8601],
    )
    parse = arrow_csv.ParseOptions(
        delimiter=csv_format.delimiter,
        quote_char=(layout.quoted and csv_format.quote) or False,
        escape_char=csv_format.escape or False,
        newlines_in_values=layout.quoted,
    )
    return parse, convert


def _content(stream: pa.NativeFile, layout: CsvLayout, quotes: _Quotes | None = None) -> Any:
    """Returns the file as Arrow reads it, as it is where nothing is to be changed; `quotes` counts in it."""
    csv_format, content = layout.csv_format, stream
    if layout.stop is not None:
        content = _Piece(content, layout.start, layout.stop)
    if not csv_format.is_utf8:
        content = Decoded(content, csv_format)
    if csv_format.comment or layout.skip_lines or layout.has_blanks:
        content = LinesLeftOut(content, csv_format, layout.skip_lines, blanks=layout.has_blanks)
    if layout.quoted:
        content = _WholeLineEnds(content, quotes)
    return content


def _fits(path: Path, layout: CsvLayout, size: int) -> bool:
    """Returns whether the whole file is in a block of `size` bytes."""
    with open_bytes(path) as stream:
        content, left = _content(stream, layout), size
        while left >= 0 and (data := content.read(left + 1)):
            left -= len(data)
        return left >= 0


def _joined(blocks: Iterable[pa.RecordBatch], ahead: _FewAhead, number: int) -> Iterator[pa.RecordBatch]:
    """Yields the rows of `number` blocks at a time."""
    held: list[pa.RecordBatch] = []
    for block in blocks:
        ahead.used()
        held.append(block)
        if len(held) == number:
            joined, held = pa.Table.from_batches(held).combine_chunks().to_batches(), []
            del block  # its memory need not stay while the batch is used
            yield from joined
    if held:
        yield from pa.Table.from_batches(held).combine_chunks().to_batches()


class _FewAhead(io.RawIOBase):
    """A file that is read a few blocks ahead of those used: Arrow would read up to 32, which may be large.

    Args:
      content: The file.
      wait: Seconds after which a block is read although none was used, since a block may hold no row.
    """

    def __init__(self, content: Readable, wait: float = 0.2) -> None:
        self._content, self._wait = content, wait
        self._free = threading.Semaphore(_BLOCKS_AHEAD)
        self._stopped, self._reading, self._ended = False, threading.RLock(), threading.Event()

    def readable(self) -> bool:
        return True

    def used(self) -> None:
        """Says that a block was used."""
        self._free.release()

    def stop(self) -> None:
        """Ends the file here, and waits until a thread that reads ahead has seen the end, or reads no more.

        Where the process ended first, as after a look at a file's first rows, that thread would abort it.
        """
        self._stopped = True
        self._free.release()
        self._ended.wait(self._wait)
        with self._reading:
            pass

    def read(self, size: int = -1) -> bytes:
        with self._reading:
            if not self._stopped:  # `stop` frees one read, and more may follow it
                self._free.acquire(timeout=self._wait)
            if not (data := b"" if self._stopped else self._content.read(size)):
                self._ended.set()
            return data


class _Quotes:
    """Counts the quotes of a file: where one is open at its end, their number is odd, but for quotes within cells.

    Arrow takes such a cell as it is, with all rows below it.
    """

    def __init__(self, layout: CsvLayout) -> None:
        self._quote = layout.csv_format.quote.encode() if layout.quoted and not layout.csv_format.escape else b""
        self._count = 0

    @property
    def are_odd(self) -> bool:
        return self._count % 2 == 1

    def add(self, data: bytes) -> None:
        """Counts those of a piece."""
        if self._quote:
            # A seventh of the CPU of `bytes.count`, whose loop goes byte by byte; in parts that stay in the cache.
            for start in range(0, len(data), _COUNTED_BYTES):
                part = np.frombuffer(data, np.uint8, min(_COUNTED_BYTES, len(data) - start), start)
                self._count += int(np.count_nonzero(part == self._quote[0]))


class _WholeLineEnds(io.RawIOBase):
    """A file whose pieces never end between CR and LF.

    Where a block ends there, Arrow loses the LF of a quoted cell: https://github.com/apache/arrow/issues/51368
    """

    def __init__(self, stream: Readable, quotes: _Quotes | None) -> None:
        self._stream, self._quotes = stream, quotes
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        new = self._stream.read(size - len(self._held))
        if self._quotes:
            self._quotes.add(new)
        data = self._held + new
        self._held = b"\r" if len(data) > 1 and data.endswith(b"\r") else b""
        return data[: len(data) - len(self._held)]


class _Piece(io.RawIOBase):
    """Some bytes of a file."""

    def __init__(self, stream: Any, start: int, stop: int) -> None:
        stream.seek(start)
        self._stream, self._left = stream, stop - start

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data
