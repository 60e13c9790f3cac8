"""Reads records that differ in their numbers only, as NumPy views.

The first record shows where the values are. In each later record every other byte must equal the first record's, and
the data checksum, computed from the template's and from the values, must be right. At the first difference the caller
reads the records with `crossnet.components.records.mixed_reader`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from crossnet.components.records.parser import MalformedExampleError, parse_example
from crossnet.components.records.tfrecord import (
    MAX_TABLE_BYTES,
    add_uint32_crcs,
    crc_table,
    equal_length_crcs,
    number_view,
)
from crossnet.serving.protocol.tfrecord import FOOTER_BYTES, HEADER_BYTES, mask_crc, write_frame

# In a wide record each view of a number misses the processor's cache; so whole records are compared, a few at a time.
_WIDE_BYTES = 4096
_WIDE_BLOCK_BYTES = 1 << 18


class Column(NamedTuple):
    """Values of one column in a batch of rows.

    Attributes:
      values: float32 or int64 (NumPy), or texts (Arrow, see `crossnet.components.records.texts`), (rows,); 0 or no
        bytes where a value is missing. Where `lengths` is given, all values of all rows, one row after the other.
      present: bool (rows,), whether a row has a value; None: all have.
      lengths: int64 (rows,), values per row; None: one per row (or none, where it is missing).
    """

    values: Any
    present: NDArray[np.bool_] | None
    lengths: NDArray[np.int64] | None = None


class _Number(NamedTuple):
    """A column's value in a framed record: its type, offset and width in bytes."""

    name: str
    type: str
    offset: int
    width: int


class RecordTemplate:
    """One record with its numbers left out, for the records that differ from it in nothing else.

    Attributes:
      size: Bytes of a framed record.
    """

    def __init__(self, record: bytes, numbers: list[_Number]):
        body = bytearray(record)
        for number in numbers:
            start = number.offset - HEADER_BYTES
            body[start : start + number.width] = bytes(number.width)
        self.size = HEADER_BYTES + len(record) + FOOTER_BYTES
        self._numbers = numbers
        self._has_tables = sum(number.width for number in numbers) <= MAX_TABLE_BYTES
        self._crc = google_crc32c.value(bytes(body))
        template = write_frame(record)
        variable = np.zeros(self.size, bool)
        variable[-FOOTER_BYTES:] = True
        for number in numbers:
            variable[number.offset : number.offset + number.width] = True
        self._wide = self.size > _WIDE_BYTES
        self._template, self._mask = np.frombuffer(template, np.uint8), np.where(variable, 0, 0xFF).astype(np.uint8)
        self._constants = (
            []
            if self._wide
            else [(offset, dtype, np.frombuffer(template, dtype, 1, offset)[0]) for offset, dtype in _runs(~variable)]
        )

    def columns(self, data: bytes, rows: int) -> dict[str, Column] | None:
        """Returns the columns of the first `rows` records in `data`; None where one differs or is damaged."""
        records = np.frombuffer(data, np.uint8, rows * self.size).reshape(rows, self.size)
        if not self._fits(records):
            return None
        data_end = self.size - FOOTER_BYTES
        crcs = np.full(rows, self._crc, np.uint32)
        if not self._has_tables:
            crcs = equal_length_crcs(data, self.size, rows)
        columns = {}
        for number in self._numbers:
            following = data_end - number.offset
            if number.type == "FLOAT":
                values: NDArray[Any] = number_view(records, number.offset, "<f4").copy()
                if self._has_tables:
                    add_uint32_crcs(crcs, values.view("<u4"), following - 4)
            else:
                integers = np.zeros(rows, np.uint64)
                for place in range(number.width):
                    digit = records[:, number.offset + place]
                    more = digit >= 0x80
                    if not (more.all() if place < number.width - 1 else not more.any()):
                        return None
                    integers |= (digit & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * place)
                    if self._has_tables:
                        crcs ^= np.take(crc_table(1, following - place - 1), digit, mode="clip")
                values = integers.view(np.int64)
            columns[number.name] = Column(values, None)
        if not (mask_crc(crcs) == number_view(records, data_end, "<u4")).all():
            return None
        return columns

    def _fits(self, records: NDArray[np.uint8]) -> bool:
        """Returns whether the constant bytes of all records are the template's."""
        if not self._wide:
            views = (number_view(records, offset, dtype) == expected for offset, dtype, expected in self._constants)
            return all(view.all() for view in views)
        step = max(1, _WIDE_BLOCK_BYTES // self.size)
        for start in range(0, len(records), step):
            difference = records[start : start + step] ^ self._template
            difference &= self._mask
            if difference.any():
                return False
        return True


def find_template(record: bytes, types: dict[str, str]) -> RecordTemplate | None:
    """Returns the template of `record`; None unless it has exactly the columns of `types`, one number each."""
    try:
        features = parse_example(record)
    except MalformedExampleError:
        return None
    if set(features) != set(types):
        return None
    numbers = []
    for name, feature in features.items():
        if feature.kind != types[name] or feature.kind == "BYTES" or len(feature.values) != 1 or not feature.packed:
            return None
        numbers.append(_Number(name, feature.kind, HEADER_BYTES + feature.start, feature.stop - feature.start))
    return RecordTemplate(record, numbers)


def _runs(constant: NDArray[np.bool_]) -> list[tuple[int, str]]:
    """Covers the constant bytes by numbers of 8, 4, 2 and 1 bytes, so that few comparisons check them all."""
    runs: list[tuple[int, str]] = []
    offset, size = 0, len(constant)
    while offset < size:
        for width in (8, 4, 2, 1):
            if constant[offset : offset + width].all():  # never beyond the end: the last bytes vary
                runs.append((offset, f"<u{width}"))
                offset += width
                break
        else:
            offset += 1
    return runs
