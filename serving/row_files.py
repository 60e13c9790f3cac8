"""Files of rows: JSON lines, CSV with a header, TFRecord of tf.train.Example; each also as `.gz`.

A reader yields rows with the place of each; a writer takes the same batches back with the model's outputs
added, so that what came in goes out unchanged, in its order.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple, Protocol

from google.protobuf.message import DecodeError

from serving import messages
from serving.dtypes import Array
from serving.status import RowsError

FORMATS = ("jsonl", "csv", "tfrecord")

_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tfrecord": "tfrecord",
    ".tfrecords": "tfrecord",
}
_SHARD = re.compile(r"tfrecord-\d{5}-of-\d{5}$")


class Row(NamedTuple):
    """One row: where it stands, such as "rides.csv:871", and what is there."""

    place: str
    values: Any


class Writer(Protocol):
    """Writes rows with the outputs of the model added."""

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        """Writes one batch."""


def format_of(name: str) -> str | None:
    """Returns the format that a file's name tells: "jsonl", "csv" or "tfrecord"; None where it tells none."""
    name = name.removesuffix(".gz")
    if _SHARD.search(name):
        return "tfrecord"
    return next((kind for suffix, kind in _SUFFIXES.items() if name.lower().endswith(suffix)), None)


class JsonLines:
    """One JSON object per line; empty lines are skipped."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name

    def rows(self) -> Iterator[Row]:
        """Yields one mapping per line."""
        for number, line in enumerate(self._stream, 1):
            place = f"{self._name}:{number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                values = json.loads(text) if text else None
            except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, a number of thousands of digits
                raise RowsError(f"{place} is no JSON: {error}. Expected one object per line.") from error
            if not text:
                continue
            if not isinstance(values, dict):
                raise RowsError(f"{place} holds {json.dumps(values)[:40]}; expected an object, such as {{...}}.")
            yield Row(place, values)

    def writer(self, stream: BinaryIO) -> Writer:
        """Returns the writer of the same format."""
        return _JsonLinesWriter(stream)


class _JsonLinesWriter:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        columns = {name: [_json_value(v) for v in _shortest(array)] for name, array in outputs.items()}
        lines = []
        for i, row in enumerate(rows):
            _refuse_taken(columns, row.values, row.place)
            answer = {name: column[i] for name, column in columns.items()}
            lines.append(json.dumps({**row.values, **answer}, ensure_ascii=False) + "\n")
        self._stream.write("".join(lines).encode())


class Csv:
    """CSV as RFC 4180 tells, with a header; rows are lists of text in the header's order."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._name = name
        self._reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), strict=True)
        header = self._next()
        if header is None:
            raise RowsError(f"{name} is empty; expected a header with the names of the features.")
        self.header = header
        if doubled := sorted({column for column in header if header.count(column) > 1}):
            raise RowsError(f"{name}:1 names {', '.join(f'`{column}`' for column in doubled)} more than once.")

    def _next(self) -> list[str] | None:
        try:
            return next(self._reader, None)
        except (csv.Error, UnicodeDecodeError) as error:
            raise RowsError(f"{self._name}:{self._reader.line_num} cannot be read as CSV: {error}.") from error

    def rows(self) -> Iterator[Row]:
        """Yields one list of cells per row; empty lines are skipped."""
        while (cells := self._next()) is not None:
            place = f"{self._name}:{self._reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(self.header):
                raise RowsError(f"{place} has {len(cells)} cells; the header has {len(self.header)}.")
            yield Row(place, cells)

    def writer(self, stream: BinaryIO) -> Writer:
        """Returns the writer of the same format."""
        return _CsvWriter(stream, self.header, self._name)


class _CsvWriter:
    def __init__(self, stream: BinaryIO, header: list[str], name: str) -> None:
        self._stream, self._header, self._name = stream, header, name
        self._outputs: list[str] | None = None

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        if self._outputs is None:
            _refuse_taken(outputs, self._header, f"{self._name}:1")
            for name, array in outputs.items():
                if array.ndim != 1:
                    raise RowsError(f"Output `{name}` has shape {list(array.shape)}, no cell. Give the rows as JSON.")
            self._outputs = sorted(outputs)  # answers come in any order
            writer.writerow([*self._header, *self._outputs])
        if sorted(outputs) != self._outputs:
            raise RowsError(
                f"The model's outputs changed on the way, from {self._outputs} to {sorted(outputs)}: another version "
                "is in service. Ask for one with `--version`."
            )
        columns = [_shortest(outputs[name]) for name in self._outputs]
        writer.writerows([*row.values, *cells] for row, *cells in zip(rows, *columns, strict=True))
        self._stream.write(lines.getvalue().encode())


class TfRecord:
    """Serialized tf.train.Examples in TFRecord framing; checksums are verified and written.

    Source: tensorflow/core/lib/io/record_writer.h.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name

    def rows(self) -> Iterator[Row]:
        """Yields the bytes of one Example per record; records count from 1."""
        for number in itertools.count(1):
            place = f"{self._name} record {number}"
            head = self._stream.read(12)
            if not head:
                return
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else 0
            if len(head) < 12 or head[8:] != _masked_crc(head[:8]):
                raise RowsError(f"{place} has no valid length. Is it a TFRecord file, and whole?")
            body = self._stream.read(length + 4)
            if len(body) < length + 4 or body[length:] != _masked_crc(body[:length]):
                raise RowsError(f"{place} is damaged or cut short: its checksum is wrong.")
            yield Row(place, body[:length])

    def writer(self, stream: BinaryIO) -> Writer:
        """Returns the writer of the same format."""
        return _TfRecordWriter(stream)


class _TfRecordWriter:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        columns = {name: array.reshape(len(array), -1) for name, array in outputs.items()}
        for i, row in enumerate(rows):
            try:
                example = messages.Example.FromString(row.values)
            except DecodeError as error:
                raise RowsError(f"{row.place} is no tf.train.Example.") from error
            _refuse_taken(columns, example.features.feature, row.place)
            for name, column in columns.items():
                feature = example.features.feature[name]
                kind = {"O": feature.bytes_list, "i": feature.int64_list, "u": feature.int64_list}
                kind.get(column.dtype.kind, feature.float_list).value.extend(column[i].tolist())
            record = example.SerializeToString()
            length = struct.pack("<Q", len(record))
            self._stream.write(length + _masked_crc(length) + record + _masked_crc(record))


def _masked_crc(data: bytes) -> bytes:
    import google_crc32c  # of the pipeline's own dependencies; the client alone does without

    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def reader(stream: BinaryIO, kind: str, name: str) -> JsonLines | Csv | TfRecord:
    """Returns the reader of one of `FORMATS`."""
    if kind == "jsonl":
        return JsonLines(stream, name)
    return Csv(stream, name) if kind == "csv" else TfRecord(stream, name)


def _refuse_taken(outputs: Mapping[str, Any], given: Any, place: str) -> None:
    if taken := [name for name in outputs if name in given]:
        names = ", ".join(f"`{name}`" for name in taken)
        raise RowsError(f"{place} has {names} already, which is where the model's answer goes. Rename it first.")


def _shortest(array: Array) -> list[Any]:
    """Returns an array's values as Python's, a float32 in the fewest digits that are read back as the same float32."""
    if array.dtype.kind != "f":
        return array.tolist()
    if array.ndim > 1:
        return [_shortest(row) for row in array]
    return [float(text) for text in array.astype("U32").tolist()]


def _json_value(value: Any) -> Any:
    """Returns a value as JSON has it: null for NaN and infinity, text for bytes."""
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return None if isinstance(value, float) and not math.isfinite(value) else value
