"""The quick way to read records: all of one layout, as NumPy views of the file's bytes.

The first record says where values stand. Every other byte of every record must equal the first record's, and the data
checksum, made from the template's and the values, must fit; so nothing is taken on trust. At the first difference the
caller reads the records one shape at a time (`crossnet.components.records.mixed_reader`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from crossnet.components.records.parser import MalformedExampleError, parse_example
from crossnet.components.records.tfrecord import add_uint32_crcs, crc_table, number_view
from crossnet.serving.protocol.tfrecord import FOOTER_BYTES, HEADER_BYTES, mask_crc, write_frame


class Column(NamedTuple):
    """Values of one column in a batch of rows.

    Attributes:
      values: float32, int64 or object (bytes), shape (rows,); a missing slot holds 0 or b"". Where `lengths` is given,
        all values of all rows, one row after the other.
      present: bool (rows,), whether a row has a value; None: all have.
      lengths: int64 (rows,), values per row; None: one per row (or none, where it is missing).
    """

    values: NDArray[Any]
    present: NDArray[np.bool_] | None
    lengths: NDArray[np.int64] | None = None


class _Slot(NamedTuple):
    """Where a column's value stands in each record: offset and width in bytes."""

    name: str
    type: str
    offset: int
    width: int


class Layout:
    """Where the values of one record stand, for records that differ from it in nothing else.

    Attributes:
      size: Bytes of a framed record.
      first_crc: Masked CRC32C of the first record's bytes.
    """

    def __init__(self, record: bytes, slots: list[_Slot]):
        body = bytearray(record)
        for slot in slots:
            start = slot.offset - HEADER_BYTES
            body[start : start + slot.width] = bytes(slot.width)
        self.size = HEADER_BYTES + len(record) + FOOTER_BYTES
        self._slots = slots
        self._crc = google_crc32c.value(bytes(body))
        template = write_frame(record)
        variable = np.zeros(self.size, bool)
        variable[-FOOTER_BYTES:] = True
        for slot in slots:
            variable[slot.offset : slot.offset + slot.width] = True
        self._constants = [
            (offset, dtype, np.frombuffer(template, dtype, 1, offset)[0]) for offset, dtype in _runs(~variable)
        ]

    def columns(self, data: bytes, rows: int) -> dict[str, Column] | None:
        """Returns the columns of the first `rows` records in `data`; None where one has another layout or checksum."""
        records = np.frombuffer(data, np.uint8, rows * self.size).reshape(rows, self.size)
        for offset, dtype, expected in self._constants:
            if not (number_view(records, offset, dtype) == expected).all():
                return None
        data_end = self.size - FOOTER_BYTES
        crcs = np.full(rows, self._crc, np.uint32)
        columns = {}
        for slot in self._slots:
            following = data_end - slot.offset
            if slot.type == "FLOAT":
                values: NDArray[Any] = number_view(records, slot.offset, "<f4").copy()
                add_uint32_crcs(crcs, values.view("<u4"), following - 4)
            else:
                number = np.zeros(rows, np.uint64)
                for place in range(slot.width):
                    digit = records[:, slot.offset + place]
                    more = digit >= 0x80
                    if not (more.all() if place < slot.width - 1 else not more.any()):
                        return None
                    number |= (digit & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * place)
                    crcs ^= np.take(crc_table(1, following - place - 1), digit, mode="clip")
                values = number.view(np.int64)
            columns[slot.name] = Column(values, None)
        if not (mask_crc(crcs) == number_view(records, data_end, "<u4")).all():
            return None
        return columns


def find_layout(record: bytes, types: dict[str, str]) -> Layout | None:
    """Returns the layout of `record`: exactly the columns of `types`, one number each; None where it is otherwise."""
    try:
        features = parse_example(record)
    except MalformedExampleError:
        return None
    if set(features) != set(types):
        return None
    slots = []
    for name, feature in features.items():
        if feature.kind != types[name] or feature.kind == "BYTES" or len(feature.values) != 1 or not feature.packed:
            return None
        slots.append(_Slot(name, feature.kind, HEADER_BYTES + feature.start, feature.stop - feature.start))
    return Layout(record, slots)


def _runs(constant: NDArray[np.bool_]) -> list[tuple[int, str]]:
    """Covers the constant bytes by numbers of 8, 4, 2 and 1 bytes, so that few comparisons check them all."""
    runs: list[tuple[int, str]] = []
    offset, size = 0, len(constant)
    while offset < size:
        for width in (8, 4, 2, 1):
            if offset + width <= size and constant[offset : offset + width].all():
                runs.append((offset, f"<u{width}"))
                offset += width
                break
        else:
            offset += 1
    return runs
