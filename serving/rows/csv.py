"""CSV with a header."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal

from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.header_names import repeated_headers
from crossnet.serving.rows.base import Row, Sink, Writer, refuse_taken, shortest
from crossnet.serving.status import RowsError


class Csv:
    """CSV as RFC 4180 tells, with a header; rows are lists of text in the header's order."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._name = name
        self._reader = csv.reader(_text_lines(stream, name), strict=True)
        header = self._next()
        if header is None:
            raise RowsError(f"{name} is empty; expected a header with the names of the features.")
        self.header, self.header_place = header, self._place()
        if problem := repeated_headers(header, self.header_place):
            raise RowsError(problem)

    def _place(self) -> str:
        return f"{self._name}:{self._reader.line_num}"

    def _next(self) -> list[str] | None:
        """Returns the next row; empty lines are skipped."""
        try:
            return next((cells for cells in self._reader if cells), None)
        except csv.Error as error:
            if "field limit" in str(error):
                most = f"{csv.field_size_limit():,} characters"
                raise RowsError(f"{self._place()} has a cell of more than {most}. Is a quote left open?") from error
            raise RowsError(f"{self._place()} cannot be read as CSV: {error}.") from error

    def rows(self) -> Iterator[Row]:
        """Yields one list of cells per row; empty lines are skipped."""
        while (cells := self._next()) is not None:
            place = self._place()
            if len(cells) != len(self.header):
                raise RowsError(f"{place} has {len(cells)} cells; the header has {len(self.header)}.")
            yield Row(place, cells)

    def writer(self, stream: Sink) -> Writer:
        """Returns the writer of the same format."""
        return _CsvWriter(stream, self.header, self.header_place)


def _text_lines(stream: BinaryIO, name: str) -> Iterator[str]:
    """Yields lines as text with their ends, which may be CR alone."""
    number = 0
    for line in stream:
        try:
            text = line.decode("utf-8-sig" if number == 0 else "utf-8")
        except UnicodeDecodeError as error:
            before = error.object[: error.start]  # without a byte order mark
            number += 1 + before.replace(b"\r\n", b"\n").count(b"\r")
            byte = error.object[error.start]
            raise RowsError(
                f"{name}:{number} is no UTF-8: {error.reason} (byte {byte:#04x}). Write the file as UTF-8."
            ) from error
        for part in io.StringIO(text, newline="") if "\r" in text.rstrip("\r\n") else [text]:
            number += 1
            yield part


class _CsvWriter(Writer):
    def __init__(self, stream: Sink, header: list[str], place: str) -> None:
        self._stream, self._header, self._place = stream, header, place
        self._outputs: list[str] | None = None

    def begin(self, outputs: Sequence[str]) -> None:
        refuse_taken(outputs, self._header, self._place)
        self._outputs = sorted(outputs)  # answers come in any order
        self._write([[*self._header, *self._outputs]])

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        for name, array in outputs.items():
            if array.ndim != 1:
                raise RowsError(f"Output `{name}` has shape {list(array.shape)}, no cell. Give the rows as JSON.")
        if self._outputs is None:
            self.begin(list(outputs))
        if sorted(outputs) != self._outputs:
            raise RowsError(
                f"The model's outputs changed on the way, from {self._outputs} to {sorted(outputs)}: another version "
                "is in service. Ask for one with `--version`."
            )
        columns = [shortest(outputs[name]) for name in sorted(outputs)]
        self._write([*row.values, *cells] for row, *cells in zip(rows, *columns, strict=True))

    def _write(self, rows: Iterable[Sequence[Any]]) -> None:
        rows = list(rows)
        text = _csv_text(rows, csv.QUOTE_MINIMAL)
        if "\r" in text:  # until Python 3.13 a cell with a carriage return gets no quotes of its own
            text = _csv_text(rows, csv.QUOTE_ALL)
        self._stream.write(text.encode())


def _csv_text(rows: Iterable[Sequence[Any]], quoting: Literal[0, 1]) -> str:
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n", quoting=quoting).writerows(rows)
    return lines.getvalue()
