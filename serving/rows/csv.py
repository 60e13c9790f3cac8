"""Reads and writes rows as CSV with a header (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal

from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.header_names import repeated_headers
from crossnet.serving.protocol.limits import MAX_ROW_BYTES
from crossnet.serving.rows.base import Row, Sink, Writer, check_not_taken, shortest_values, too_long_row
from crossnet.serving.status import RowsError


class CsvReader:
    """Reads CSV with a header; each row is a list of cells in the header's order.

    Args:
      stream: The file's bytes, UTF-8 with or without a byte-order mark.
      name: The file as it is named in a message.

    Attributes:
      header: The names of the columns, as they are in the file.
      header_place: The file and line of the header.
      bytes_read: Of the rows so far.

    Raises:
      RowsError: There is no header, it cannot be read, or two columns of it have one name.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._name = name
        self.bytes_read = self._row_bytes = 0
        self._reader = csv.reader(self._text_lines(stream), strict=True)
        header = self._next()
        if header is None:
            raise RowsError(f"{name} is empty. Expected a header with the names of the features, and rows below it.")
        self.header, self.header_place = header, self._place()
        if problem := repeated_headers(header, self.header_place):
            raise RowsError(problem)

    def rows(self) -> Iterator[Row]:
        """Yields the rows; empty lines are skipped.

        Raises:
          RowsError: A row cannot be read, or has more or fewer cells than the header.
        """
        while (cells := self._next()) is not None:
            place = self._place()
            if len(cells) != len(self.header):
                raise RowsError(
                    f"{place} has {len(cells)} cells, and the header has {len(self.header)}. Fix the row; a cell that "
                    "holds a comma must be quoted."
                )
            yield Row(place, cells)

    def writer(self, stream: Sink) -> Writer:
        """Returns a writer of CSV with this header."""
        return _CsvWriter(stream, self.header, self.header_place)

    def _place(self) -> str:
        return f"{self._name}:{self._reader.line_num}"

    def _next(self) -> list[str] | None:
        """Returns the cells of the next line that is not empty, or None at the end."""
        begins = self._reader.line_num + 1
        limit = csv.field_size_limit(MAX_ROW_BYTES)  # of the process: a cell may be as long as a row
        try:
            while (cells := next(self._reader, None)) is not None:
                self._row_bytes, begins = 0, self._reader.line_num + 1
                if cells:
                    return cells
            return None
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise RowsError(
                    f"{self._name}:{begins} begins a row that does not end. Is a quote left open?"
                ) from error
            raise RowsError(f"{self._place()} cannot be read as CSV: {error}. Fix the line.") from error
        finally:
            csv.field_size_limit(limit)

    def _text_lines(self, stream: BinaryIO) -> Iterator[str]:
        """Yields lines as text with their ends, which may be CR alone."""
        number, rest = 0, b""
        while line := stream.readline(MAX_ROW_BYTES + 1 - len(rest)):
            self.bytes_read += len(line)
            if rest:
                line = rest + line
            parts = line.splitlines(keepends=True) if b"\r" in line else [line]
            rest = b"" if line.endswith(b"\n") else parts.pop()  # its end, or the LF after its CR, is still to come
            for part in parts:
                number += 1
                yield self._decoded(part, number)
            if len(rest) > MAX_ROW_BYTES:
                raise too_long_row(f"{self._name}:{number + 1}")
        if rest:
            yield self._decoded(rest, number + 1)

    def _decoded(self, line: bytes, number: int) -> str:
        self._row_bytes += len(line)
        if self._row_bytes > MAX_ROW_BYTES:
            raise too_long_row(f"{self._name}:{number}")
        try:
            return line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            raise RowsError(
                f"{self._name}:{number} is not UTF-8: {error.reason} (byte {byte:#04x}). Save the file as UTF-8."
            ) from error


class _CsvWriter(Writer):
    def __init__(self, stream: Sink, header: list[str], place: str) -> None:
        self._stream, self._header, self._place = stream, header, place
        self._outputs: list[str] | None = None

    def begin(self, outputs: Sequence[str]) -> None:
        check_not_taken(outputs, self._header, self._place)
        self._outputs = sorted(outputs)  # each answer has its outputs in an order of its own
        self._write([[*self._header, *self._outputs]])

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
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
        columns = [shortest_values(outputs[name]) for name in sorted(outputs)]
        self._write([*row.values, *cells] for row, *cells in zip(rows, *columns, strict=True))

    def _write(self, rows: Iterable[Sequence[Any]]) -> None:
        rows = list(rows)
        text = _csv_text(rows, csv.QUOTE_MINIMAL)
        if "\r" in text:  # before Python 3.13, QUOTE_MINIMAL does not quote a cell with a carriage return
            text = _csv_text(rows, csv.QUOTE_ALL)
        self._stream.write(text.encode())


def _csv_text(rows: Iterable[Sequence[Any]], quoting: Literal[0, 1]) -> str:
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n", quoting=quoting).writerows(rows)
    return lines.getvalue()
