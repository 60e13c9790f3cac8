"""Records compared, byte for byte, with protobuf's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.components.records.mixed_encoder import encode_mixed
from crossnet.components.records.wire_format import feature_type, record_order
from crossnet.serving.protocol.messages import Example
from crossnet.serving.protocol.tfrecord import write_frame

ARROW = {"FLOAT": pa.float32(), "INT": pa.int64(), "BYTES": pa.binary()}
VALUES = {
    "FLOAT": st.floats(width=32, allow_nan=False),
    "INT": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300),
    "BYTES": st.binary(max_size=3) | st.binary(min_size=100, max_size=200),
}
LISTS = {"FLOAT": "float_list", "INT": "int64_list", "BYTES": "bytes_list"}


def encode(**columns: pa.Array) -> bytes:
    names = sorted(columns, key=record_order)
    batch = pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)
    return bytes(encode_mixed(batch, [feature_type(field.type) for field in batch.schema]))


def protobuf(**columns: pa.Array) -> bytes:
    """Returns what protobuf writes for the rows, one by one."""
    frames = []
    for row in range(len(next(iter(columns.values())))):
        example = Example()
        example.features.SetInParent()
        for name, array in columns.items():
            value = array[row].as_py()
            if value is None:
                continue
            values = getattr(example.features.feature[name], LISTS[feature_type(array.type)])
            values.SetInParent()
            values.value.extend(value if isinstance(value, list) else [value])
        frames.append(write_frame(example.SerializeToString(deterministic=True)))
    return b"".join(frames)


@st.composite
def tables(draw: Any) -> dict[str, pa.Array]:
    rows = draw(st.integers(1, 5))
    columns = {}
    for name in draw(st.lists(st.text("ab_9é", min_size=1, max_size=140), min_size=1, max_size=3, unique=True)):
        kind, several, holes = draw(st.sampled_from(sorted(ARROW))), draw(st.booleans()), draw(st.booleans())
        value = st.lists(VALUES[kind], max_size=4) if several else VALUES[kind]
        values = draw(st.lists(value | st.none() if holes else value, min_size=rows, max_size=rows))
        columns[name] = pa.array(values, pa.list_(ARROW[kind]) if several else ARROW[kind])
    return columns


@settings(deadline=None)
@given(tables(), st.integers(0, 4))
def test_records_are_those_of_protobuf(columns: dict[str, pa.Array], start: int) -> None:
    assert encode(**columns) == protobuf(**columns)
    rest = {name: array.slice(start) for name, array in columns.items()}
    if len(next(iter(rest.values()))):
        assert encode(**rest) == protobuf(**rest)


def test_a_column_whose_name_is_longer_than_all_rows_may_be_missing_in_each() -> None:
    columns = {"a name longer than what is written": pa.array([None], pa.float32())}
    assert encode(**columns) == protobuf(**columns)


COLUMNS = {
    "text of every length of a length": pa.array(
        [bytes(n) for n in (0, 1, 100, 110, 115, 120, 126, 127, 128, 129, 16_370, 16_383, 16_384, 70_000)]
    ),
    "text that is missing in some rows": pa.array([None, b"x", None, b""], pa.binary()),
    "text that is missing in all rows": pa.array([None, None], pa.binary()),
    "large text": pa.array([b"x", None, b"yy"], pa.large_binary()),
    "lists of texts": pa.array([[b"x", b""], [], None, [b"y" * 200]], pa.list_(pa.binary())),
    "lists of at most one text": pa.array([[b"x"], [], None, [b""]], pa.list_(pa.binary())),
    "large lists": pa.array([[1.0, 2.0], [], None], pa.large_list(pa.float32())),
    "lists of numbers": pa.array([[1.0], None, [2.0, 3.0], []], pa.list_(pa.float32())),
    "lists of integers": pa.array([[1, 300, -1], None, [2**63 - 1], []], pa.list_(pa.int64())),
    "long lists": pa.array([[0.5] * n for n in (25, 28, 29, 30, 31, 32, 4096)], pa.list_(pa.float32())),
    "integers of every width": pa.array([*(1 << bits for bits in range(63)), *((1 << bits) - 1 for bits in range(64))]),
    "negative integers": pa.array([-1, -(2**63), 5]),
    "one number": pa.array([1.5], pa.float32()),
    "numbers in every row": pa.array([1.5, -0.0, 2.5], pa.float32()),
    "numbers in some rows": pa.array([1.5, None, 2.5], pa.float32()),
}


@pytest.mark.parametrize("array", COLUMNS.values(), ids=COLUMNS)
def test_each_kind_of_column_is_written_as_protobuf_writes_it(array: pa.Array) -> None:
    assert encode(a=array) == protobuf(a=array)
    beside = pa.array(range(len(array)), pa.int64())
    assert encode(a=array, b=beside) == protobuf(a=array, b=beside)


def test_a_null_list_that_spans_values_is_missing() -> None:
    offsets = pa.array([0, 2, 4, 5], pa.int32())
    validity = pa.py_buffer(np.packbits([1, 0, 1], bitorder="little").tobytes())
    array = pa.Array.from_buffers(
        pa.list_(pa.int64()), 3, [validity, offsets.buffers()[1]], children=[pa.array([1, 2, 3, 4, 5])]
    )
    assert array.to_pylist() == [[1, 2], None, [5]]
    assert encode(a=array) == protobuf(a=array)


def test_all_columns_missing_gives_an_empty_record() -> None:
    assert encode(a=pa.array([None], pa.binary())) == write_frame(b"\x0a\x00")
