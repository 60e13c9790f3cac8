"""Serialised tf.train.Examples written by hand, and how they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossnet.components.records.mixed_reader import read_mixed_records
from crossnet.components.records.texts import as_objects
from crossnet.components.records.tfrecord import split_frames
from crossnet.components.records.wire_format import tagged
from crossnet.serving.protocol.tfrecord import write_frame


def feature(name: bytes, kind: int, content: bytes) -> bytes:
    return tagged(0x0A, tagged(0x0A, name) + tagged(0x12, tagged(kind, content)))


def read_rows(records: list[bytes], types: dict[str, str], strict: bool = False) -> dict[str, list[object]]:
    """Returns the values by column and row, as `read_mixed_records` reads them from file `p`, from record 10 on."""
    data = b"".join(map(write_frame, records))
    offsets, lengths, _ = split_frames(data)
    columns = read_mixed_records(data, offsets, lengths, types, path=Path("p"), first_record=10, strict=strict)
    result: dict[str, list[object]] = {}
    for name, column in columns.items():
        ends = np.ones(len(records), int) if column.lengths is None else column.lengths
        if column.lengths is None and column.present is not None:
            result[name] = [[v] if p else [] for v, p in zip(column.values.tolist(), column.present, strict=True)]
            continue
        result[name] = [part.tolist() for part in np.split(as_objects(column.values), np.cumsum(ends)[:-1])]
    return result
