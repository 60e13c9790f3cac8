"""JSON lines: one object per line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.rows.base import Row, Sink, Writer, refuse_complex, refuse_taken, shortest
from crossnet.serving.status import RowsError, shown


class JsonLines:
    """One JSON object per line; empty lines are skipped."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name

    def rows(self) -> Iterator[Row]:
        """Yields one mapping per line."""
        for number, line in enumerate(self._stream, 1):
            place = f"{self._name}:{number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip(" \t\r\n")  # JSON's blanks
                values = json.loads(text, object_pairs_hook=_object) if text else None
            except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, a number of thousands of digits
                reason = "a number of too many digits" if "int_max_str_digits" in str(error) else error
                raise RowsError(
                    f"{place} is no JSON: {reason}. Expected one object per line; another format is told by the file's "
                    "name or by `--format`."
                ) from error
            if not text:
                continue
            if not isinstance(values, dict):
                raise RowsError(f"{place} holds {shown(text)}; expected an object, such as {{...}}.")
            yield Row(place, values, text)

    def writer(self, stream: Sink) -> Writer:
        """Returns the writer of the same format."""
        return _JsonLinesWriter(stream)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object; of a key that stands twice Python would silently take the last."""
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(json.dumps(key) for key in keys if keys.count(key) > 1)} stands twice")
    return values


class _JsonLinesWriter(Writer):
    """Writes each line as it came, down to its digits, with the answers behind its last key."""

    def __init__(self, stream: Sink) -> None:
        self._stream = stream

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        refuse_complex(outputs, "JSON")
        columns = {name: [_json_value(v) for v in shortest(array)] for name, array in outputs.items()}
        lines = []
        for i, row in enumerate(rows):
            refuse_taken(columns, row.values, row.place)
            answer = json.dumps({name: column[i] for name, column in columns.items()}, ensure_ascii=False)
            comma = ", " if row.values and columns else ""
            lines.append(f"{row.text.removesuffix('}').rstrip()}{comma}{answer[1:]}\n")
        self._stream.write("".join(lines).encode())


def _json_value(value: Any) -> Any:
    """Returns a value as JSON has it: null for NaN and infinity."""
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
