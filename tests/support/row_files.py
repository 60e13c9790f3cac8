"""Reads rows from memory and writes them with a model's outputs."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.tfrecord import write_frame
from crossnet.serving.rows.base import Row
from crossnet.serving.rows.formats import make_reader

ONE = {"prediction": np.array([0.1], np.float32)}


def read(content: bytes, kind: str) -> list[Row]:
    """The rows of a file named "rows"."""
    return list(make_reader(io.BytesIO(content), kind, "rows").rows())


def answered(content: bytes, kind: str, **outputs: Any) -> bytes:
    """The file written again, with the outputs added."""
    table, out = make_reader(io.BytesIO(content), kind, "rows"), io.BytesIO()
    table.writer(out).write(list(table.rows()), outputs)
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
