"""Reads and writes rows as JSON lines: one object per line."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.json_start import START_BYTES, advice_on_line, json_object, not_json_lines
from crossnet.serving.protocol.json_tables import is_table, not_rows
from crossnet.serving.protocol.limits import MAX_ROW_BYTES
from crossnet.serving.protocol.printable import shown
from crossnet.serving.rows.base import (
    Row,
    Sink,
    Writer,
    check_not_complex,
    check_not_taken,
    shortest_values,
    too_long_row,
)
from crossnet.serving.status import RowsError

_JSON_BLANKS = " \t\r\n"


class JsonLinesReader:
    """Reads one JSON object per line; each row is a mapping.

    Args:
      stream: The file's bytes, UTF-8 with or without a byte-order mark.
      name: The file as it is named in a message.
      lines_before: The lines of the file that the stream lacks.

    Attributes:
      bytes_read: Of the rows so far.
    """

    def __init__(self, stream: BinaryIO, name: str, lines_before: int = 0) -> None:
        self._stream, self._name, self._lines_before = stream, name, lines_before
        self.bytes_read = 0

    def rows(self) -> Iterator[Row]:
        """Yields the rows; empty lines are skipped.

        Raises:
          RowsError: The file is one array or not UTF-8, or a line is not a JSON object, has a key twice, or is longer
            than `MAX_ROW_BYTES`.
        """
        peek = getattr(self._stream, "peek", None)
        if not self._lines_before and peek and (what := not_json_lines(peek(START_BYTES)[:START_BYTES], self._name)):
            raise RowsError(f"{self._name} {what}")
        for number in itertools.count(self._lines_before + 1):
            place = f"{self._name}:{number}"
            line = self._stream.readline(MAX_ROW_BYTES + 1)
            if not line:
                return
            if len(line) > MAX_ROW_BYTES:
                raise too_long_row(place)
            self.bytes_read += len(line)
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip(_JSON_BLANKS)
                values = _DECODER.decode(text) if text else None
            except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, a number of 5,000 digits
                hint = advice_on_line(line.decode(errors="replace"))
                reason = "a number has too many digits" if "int_max_str_digits" in str(error) else error
                raise RowsError(
                    f"{place} is not JSON: {reason}.{hint} Expected one object per line; name another format with "
                    "`--format`, or by the end of the file's name."
                ) from error
            if not text:
                continue
            if not self._lines_before and number == 1 and peek and is_table(values) and not peek(1).strip():
                raise RowsError(f"{self._name} {not_rows(values, self._name)}")
            if not isinstance(values, dict):
                raise RowsError(f"{place} holds {shown(text)}. Expected an object, such as {{...}}.")
            yield Row(place, values, text)

    def writer(self, stream: Sink) -> Writer:
        """Returns a writer of JSON lines."""
        return _JsonLinesWriter(stream)


class TooLargeNumber:
    """A number beyond those that a float64 holds, which Python alone would take as infinity.

    Args:
      text: As it is in the file.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _float(text: str) -> float | TooLargeNumber:
    number = float(text)
    return TooLargeNumber(text) if math.isinf(number) else number


_DECODER = json.JSONDecoder(object_pairs_hook=json_object, parse_float=_float)


class _JsonLinesWriter(Writer):
    """Writes each line as it was read, to the last digit, with the outputs after its last key."""

    def __init__(self, stream: Sink) -> None:
        self._stream = stream

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        check_not_complex(outputs, "JSON")
        columns = {name: [json_number(v) for v in shortest_values(array)] for name, array in outputs.items()}
        lines = []
        for i, row in enumerate(rows):
            check_not_taken(columns, row.values, row.place)
            answer = json.dumps({name: column[i] for name, column in columns.items()}, ensure_ascii=False)
            comma = ", " if row.values and columns else ""
            lines.append(f"{row.text.removesuffix('}').rstrip()}{comma}{answer[1:]}\n")
        self._stream.write("".join(lines).encode())


def json_number(value: Any) -> Any:
    """Returns a value that JSON can hold: null in place of NaN and infinity."""
    if isinstance(value, list):
        return [json_number(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
