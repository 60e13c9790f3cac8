"""Reads rows from memory and writes them with a model's outputs."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.tfrecord import write_frame
from crossnet.serving.rows.base import Row
from crossnet.serving.rows.formats import make_reader, make_writer

ONE = {"prediction": np.array([0.1], np.float32)}


def read(content: bytes, kind: str) -> list[Row]:
    """The rows of a file named "rows"."""
    return list(make_reader(io.BytesIO(content), kind, "rows").rows())


def answered(content: bytes, kind: str, **outputs: Any) -> bytes:
    """The file written again, with the outputs added."""
    table, out = make_reader(io.BytesIO(content), kind, "rows"), io.BytesIO()
    writer = make_writer(table, out, kind)
    writer.write(list(table.rows()), outputs)
    writer.end({})
    return out.getvalue()


def example(**features: float) -> bytes:
    """A serialized tf.train.Example of numbers."""
    built = messages.Example()
    for name, value in features.items():
        built.features.feature[name].float_list.value.append(value)
    return built.SerializeToString()


def tfrecords(*records: bytes) -> bytes:
    """The bytes of a TFRecord file."""
    return b"".join(map(write_frame, records))


def table_bytes(table: pa.Table, kind: str, **options: Any) -> bytes:
    """The bytes of a "parquet" file, an "arrow" file, or a "stream" of Arrow batches."""
    out = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, out, **options)
        return out.getvalue()
    with (pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream)(out, table.schema) as writer:
        writer.write_table(table, **options)
    return out.getvalue()
