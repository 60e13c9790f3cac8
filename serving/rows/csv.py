"""Reads and writes rows as CSV, in the format that settings state."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, cast

from crossnet.serving.protocol.csv_bytes import (
    START_BYTES,
    Decoded,
    NotDecodableError,
    misread_as,
    not_utf8,
    other_file,
)
from crossnet.serving.protocol.csv_format import DEFAULT, DELIMITER_NAMES, CsvFormat, delimiter_name, spelled
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.header_names import feature_names, repeated_headers
from crossnet.serving.protocol.limits import MAX_ROW_BYTES
from crossnet.serving.protocol.printable import shown
from crossnet.serving.rows.base import Row, Sink, Writer, check_not_taken, shortest_values, too_long_row
from crossnet.serving.status import RowsError

_AROUND = " \t\r\n\ufeff"  # a name in a header that stands again


class CsvReader:
    """Reads CSV; each row is a list of cells in the header's order.

    Args:
      stream: The file's bytes, with or without a byte-order mark.
      name: The file as it is named in a message.
      csv_format: How its bytes become cells.
      lines_before: The lines of the file that the stream lacks, behind its first.

    Attributes:
      csv_format: As given.
      header: The names of the columns, as they are in the file or in the format.
      header_place: The file and line of the header.
      bytes_read: Of the rows so far, as UTF-8.
      repeats: The places of rows that are the header again, and are left out, as in training.

    Raises:
      RowsError: The header is missing, cannot be read or does not fit the format, or two columns of it have one name.
    """

    def __init__(self, stream: BinaryIO, name: str, csv_format: CsvFormat = DEFAULT, lines_before: int = 0) -> None:
        self._name, self._lines_before = name, lines_before
        self.csv_format = csv_format
        self.bytes_read = self._row_bytes = 0
        self.repeats: list[str] = []
        self._comments = tuple(comment.encode() for comment in csv_format.comments)
        self._line, self._begins, self._begun = 0, True, 1  # the last one, whether a row begins after it, where
        self._ended = self._has_blank_rows = False  # whether the last line was read, and one of blanks is a row
        # Not strict: as in training, text after a closing quote is part of the cell.
        self._reader = csv.reader(self._text_lines(self._decoded_stream(stream)), **csv_format.dialect)
        first = self._next()
        if first is None:
            raise RowsError(f"{name} is empty. Expected a header with the names of the features, and rows below it.")
        self.header_place, self._has_blank_rows = self._place(), len(first) == 1
        self._first_row = None if csv_format.header else Row(self.header_place, first)
        self.header = self._named(first)
        if problem := repeated_headers(self.header, self.header_place):
            raise RowsError(problem)

    def rows(self) -> Iterator[Row]:
        """Yields the rows; empty lines are skipped, likewise those of blanks where there are several columns.

        So are lines that are the header again, as in files put together.

        Raises:
          RowsError: A row cannot be read, or has more or fewer cells than the header.
        """
        if self._first_row:
            yield self._first_row
            self._first_row = None
        folded = list(map(_folded, self.header))
        while (cells := self._next()) is not None:
            place = self._place()
            if len(cells) != len(self.header):
                raise RowsError(
                    f"{place} has {_cells(len(cells))}, and the header has {len(self.header)}. Fix the row; a cell "
                    f"that holds {delimiter_name(self.csv_format.delimiter)} must be quoted. A line that is not a row "
                    "is left out with `--comment`, which says how it begins."
                )
            if _folded(cells[0]) == folded[0] and len(cells) > 1 and list(map(_folded, cells)) == folded:
                self.repeats.append(place)
                continue
            yield Row(place, cells)

    def writer(self, stream: Sink) -> Writer:
        """Returns a writer of CSV with this header."""
        return _CsvWriter(stream, self.header, self.header_place, self.csv_format)

    def _decoded_stream(self, stream: BinaryIO) -> BinaryIO:
        """Returns the file's text in UTF-8.

        Raises:
          RowsError: Its first bytes are not those of a CSV file in the format's encoding.
        """
        peek = getattr(stream, "peek", None)
        start = peek(START_BYTES)[:START_BYTES] if peek else b""
        if other := other_file(start):
            advice = f"Give `--format {other.source}`." if other.source else other.advice
            raise RowsError(f"{self._name} is {other.what}, not a CSV file. {advice}")
        if encoding := misread_as(start, self.csv_format):
            raise RowsError(
                f"{self._name} begins as text in {encoding} does, and is read as {self.csv_format.encoding}. Give "
                f"`--encoding {encoding}`."
            )
        if self.csv_format.is_utf8:
            return stream
        return cast(BinaryIO, io.BufferedReader(Decoded(stream, self.csv_format)))

    def _named(self, first: list[str]) -> list[str]:
        """Returns the columns' names, by the first row that was read."""
        csv_format = self.csv_format
        if csv_format.names:
            if len(csv_format.names) != len(first):
                raise RowsError(
                    f"{self.header_place} has {_cells(len(first))}, and `names` gives {len(csv_format.names)}. Give "
                    "one name for each column."
                )
            return list(csv_format.names)
        if not csv_format.header:
            return feature_names([""] * len(first))
        marks = [mark for mark in DELIMITER_NAMES if mark != csv_format.delimiter and mark in first[0]]
        if len(first) == 1 and marks:
            mark = max(marks, key=first[0].count)
            raise RowsError(
                f"{self.header_place} has one column, `{shown(first[0])}`. Are there {DELIMITER_NAMES[mark]} between "
                f"cells? Give `--delimiter '{spelled(mark)}'`."
            )
        return first

    def _place(self) -> str:
        return f"{self._name}:{self._line}"

    def _next(self) -> list[str] | None:
        """Returns the cells of the next line that is not empty, or None at the end."""
        limit = csv.field_size_limit(MAX_ROW_BYTES)  # of the process: a cell may be as long as a row
        try:
            while True:
                self._row_bytes, self._begins = 0, True
                cells = next(self._reader, None)
                if cells and self._ended:  # it asked for one more line
                    raise RowsError(f"{self._name}:{self._begun} begins a row that does not end. Is a quote left open?")
                if cells or cells is None:
                    return cells
        except csv.Error as error:
            raise RowsError(f"{self._place()} cannot be read as CSV: {error}. Fix the line.") from error
        except NotDecodableError as error:
            raise RowsError(
                f"{self._name}:{error.line} is not text in {self.csv_format.encoding} ({error.reason}). Name the "
                "file's encoding with `--encoding`."
            ) from None
        finally:
            csv.field_size_limit(limit)

    def _text_lines(self, stream: BinaryIO) -> Iterator[str]:
        """Yields lines that may be rows, as text with their ends, which may be CR alone."""
        number, rest = 0, b""
        while line := stream.readline(MAX_ROW_BYTES + 1 - len(rest)):
            self.bytes_read += len(line)
            if rest:
                line = rest + line
            parts = line.splitlines(keepends=True) if b"\r" in line else [line]
            rest = b"" if line.endswith(b"\n") else parts.pop()  # its end, or the LF after its CR, is still to come
            for part in parts:
                number += 1
                if self._is_wanted(part, number):
                    yield self._decoded(part, number)
                if number == 1:
                    number += self._lines_before
            if len(rest) > MAX_ROW_BYTES:
                raise too_long_row(f"{self._name}:{number + 1}")
        if rest and self._is_wanted(rest, number + 1):
            yield self._decoded(rest, number + 1)
        self._ended = True

    def _is_wanted(self, line: bytes, number: int) -> bool:
        """Returns whether a line is not one of those that are left out; remembers on which a row begins."""
        self._line = number
        if number <= self.csv_format.skip_rows:
            return False
        if self._begins:
            line = line.removeprefix(codecs.BOM_UTF8 if number == 1 else b"")
            if line.startswith(self._comments):
                return False
            may_be_blank = line[:1] in (b" ", b"\t") and not self._has_blank_rows
            if may_be_blank and self.csv_format.is_blank(line.decode("latin-1")):
                return False
            self._begun, self._begins = number, False
        return True

    def _decoded(self, line: bytes, number: int) -> str:
        self._row_bytes += len(line)
        if self._row_bytes > MAX_ROW_BYTES:
            raise too_long_row(f"{self._name}:{number}")
        try:
            return line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise RowsError(
                f"{self._name}:{number} is not UTF-8: {error.reason} ({not_utf8(error.object)}). Name the file's "
                "encoding, such as `--encoding cp1252`, or save it as UTF-8."
            ) from error


class _CsvWriter(Writer):
    def __init__(self, stream: Sink, header: list[str], place: str, csv_format: CsvFormat) -> None:
        self._stream, self._header, self._place = stream, header, place
        self._format, self._dialect = csv_format, csv_format.dialect
        self._encoding = "utf-8" if csv_format.is_utf8 else csv_format.encoding
        self._encoder = codecs.getincrementalencoder(self._encoding)()
        self._outputs: list[str] | None = None

    def begin(self, outputs: Sequence[str]) -> None:
        check_not_taken(outputs, self._header, self._place)
        self._outputs = sorted(outputs)  # each answer has its outputs in an order of its own
        if self._format.header:
            self._write([[*self._header, *self._outputs]])

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        outputs = {name: array[:, 0] if array.shape[1:] == (1,) else array for name, array in outputs.items()}
        for name, array in outputs.items():
            if array.ndim != 1:
                raise RowsError(
                    f"Output `{name}` has shape {list(array.shape)}, which does not fit one cell per row. "
                    "Give the rows as JSON lines."
                )
        if self._outputs is None:
            self.begin(list(outputs))
        if sorted(outputs) != self._outputs:
            raise RowsError(
                f"The model's outputs changed from {self._outputs} to {sorted(outputs)}: the server now answers with "
                "another version. Name one with `--version`."
            )
        columns = [self._numbers(shortest_values(outputs[name])) for name in sorted(outputs)]
        self._write([*row.values, *cells] for row, *cells in zip(rows, *columns, strict=True))

    def _numbers(self, values: list[Any]) -> list[Any]:
        """Returns an output's values with the decimal mark of the file."""
        mark = self._format.decimal[0]
        return values if mark == "." else [str(v).replace(".", mark) if isinstance(v, float) else v for v in values]

    def _write(self, rows: Iterable[Sequence[Any]]) -> None:
        rows = list(rows)
        text = self._text(rows)
        # Before Python 3.13, QUOTE_MINIMAL does not quote a cell with a CR; and it knows no comments.
        seems_comment = any(f"\n{comment}" in f"\n{text}" for comment in self._format.comments)
        if "\r" in text or seems_comment:
            text = self._text(rows, csv.QUOTE_ALL)
        try:
            self._stream.write(self._encoder.encode(text))
        except UnicodeEncodeError as error:
            raise RowsError(
                f"An output holds '{error.object[error.start]}', which {self._encoding} cannot encode. Give the "
                "rows in UTF-8."
            ) from None

    def _text(self, rows: Iterable[Sequence[Any]], quoting: Literal[0, 1] = csv.QUOTE_MINIMAL) -> str:
        lines = io.StringIO()
        try:
            csv.writer(lines, lineterminator="\n", **({"quoting": quoting} | self._dialect)).writerows(rows)
        except csv.Error as error:
            raise RowsError(
                f"A value holds a delimiter or a line break, and cells are not quoted ({error}). Give `--quote`."
            ) from None
        return lines.getvalue()


def _folded(cell: str) -> str:
    """Returns a cell as names are compared: a header may stand again in capitals or behind a byte-order mark."""
    return cell.strip(_AROUND).casefold()


def _cells(count: int) -> str:
    return f"{count:,} cell{'' if count == 1 else 's'}"
