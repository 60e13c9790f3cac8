from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossnet.components.records.encoder import encode_examples, slices
from crossnet.components.records.mixed_reader import read_mixed_records
from crossnet.components.records.texts import chosen
from crossnet.components.records.tfrecord import check_frames, split_frames
from crossnet.components.records.uniform_reader import find_template
from crossnet.components.records.wire_format import record_order
from crossnet.serving.protocol.tfrecord import FOOTER_BYTES, HEADER_BYTES

TYPES = {"FLOAT": pa.float32(), "INT": pa.int64(), "BYTES": pa.binary()}
VALUES = {
    "FLOAT": st.floats(width=32),
    "INT": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300),
    "BYTES": st.binary(max_size=3) | st.binary(min_size=100, max_size=20_000) | st.text(max_size=9).map(str.encode),
}


@st.composite
def batches(draw: Any) -> pa.RecordBatch:
    rows = draw(st.integers(1, 6))
    names = draw(st.lists(st.text("abxyz_09é", min_size=1, max_size=140), min_size=1, max_size=4, unique=True))
    arrays = []
    for _ in names:
        kind = draw(st.sampled_from(sorted(TYPES)))
        several, holes = draw(st.booleans()), draw(st.booleans())
        value = st.lists(VALUES[kind], max_size=4) if several else VALUES[kind]
        column = draw(st.lists(value | st.none() if holes else value, min_size=rows, max_size=rows))
        arrays.append(pa.array(column, pa.list_(TYPES[kind]) if several else TYPES[kind]))
    return pa.RecordBatch.from_arrays(arrays, names=names)


def kind_of(field: pa.Field) -> str:
    value_type = field.type.value_type if pa.types.is_list(field.type) else field.type
    return next(kind for kind, arrow_type in TYPES.items() if arrow_type == value_type)


def tensorflow_bytes(batch: pa.RecordBatch, path: Path) -> bytes:
    """Returns what TensorFlow writes for the rows, one by one."""
    import tensorflow as tf

    make = {
        "FLOAT": lambda values: tf.train.Feature(float_list=tf.train.FloatList(value=values)),
        "INT": lambda values: tf.train.Feature(int64_list=tf.train.Int64List(value=values)),
        "BYTES": lambda values: tf.train.Feature(bytes_list=tf.train.BytesList(value=values)),
    }
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in batch.to_pylist():
            feature = {
                name: make[kind_of(batch.schema.field(name))](value if isinstance(value, list) else [value])
                for name, value in row.items()
                if value is not None
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString(deterministic=True))
    return path.read_bytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches())
def test_encode_examples_writes_tensorflows_bytes_and_read_mixed_records_reads_them(
    tmp_path: Path, batch: pa.RecordBatch
) -> None:
    data = bytes(encode_examples(batch).data)
    assert data == tensorflow_bytes(batch, tmp_path / "records")
    assert bytes(encode_examples(batch.slice(1)).data) == tensorflow_bytes(batch.slice(1), tmp_path / "records")

    offsets, lengths, stop = split_frames(data)
    assert stop == len(data)
    check_frames(tmp_path, data, offsets, lengths, 0)
    types = {field.name: kind_of(field) for field in sorted(batch.schema, key=lambda field: record_order(field.name))}
    columns = read_mixed_records(data, offsets, lengths, types, path=tmp_path, first_record=0)
    for name, column in columns.items():
        expected = [[] if v is None else v if isinstance(v, list) else [v] for v in batch.column(name).to_pylist()]
        sizes = column.lengths
        if sizes is None:
            sizes = np.ones(batch.num_rows, int) if column.present is None else column.present.astype(int)
        assert sizes.tolist() == [len(values) for values in expected]
        values = column.values if column.lengths is not None else chosen(column.values, sizes == 1)
        flat = [value for row in expected for value in row]
        if types[name] == "FLOAT":
            np.testing.assert_array_equal(values, np.array(flat, np.float32))
        else:
            assert values.tolist() == flat


@pytest.mark.parametrize("rows", [1, 5000])
def test_encode_examples_writes_tensorflows_bytes_for_numbers_of_many_layouts(tmp_path: Path, rows: int) -> None:
    rng = np.random.default_rng(1)
    arrays = [
        pa.array(rng.normal(size=rows).astype(np.float32), mask=rng.random(rows) < 0.2),
        pa.array(rng.integers(-3, 40_000, size=rows)),
        pa.array(rng.integers(0, 2**62, size=rows) >> rng.integers(0, 62, size=rows)),
    ]
    for count in (1, 2, 3):  # few layouts are filled in, many are put together
        batch = pa.RecordBatch.from_arrays(arrays[:count], names=["b", "a", "c"][:count])[:300]
        expected = tensorflow_bytes(batch, tmp_path / "records")
        assert bytes(encode_examples(batch).data) == expected
        whole = pa.RecordBatch.from_arrays(arrays[:count], names=["b", "a", "c"][:count])
        assert bytes(encode_examples(whole).data)[: len(expected)] == expected


def test_encode_examples_groups_by_more_columns_than_fit_one_key(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    kinds = rng.integers(0, 2, size=(3, 40))  # 40 columns, three layouts
    chosen = kinds[rng.integers(0, 3, size=200)]
    arrays = [pa.array(rng.integers(0, 100, size=200), mask=chosen[:, column] == 1) for column in range(40)]
    batch = pa.RecordBatch.from_arrays(arrays, names=[f"c{column}" for column in range(40)])
    assert bytes(encode_examples(batch).data) == tensorflow_bytes(batch, tmp_path / "records")


@pytest.mark.parametrize("columns", [27, 28, 29, 200])  # checksums from tables up to 112 bytes of numbers
def test_encode_examples_writes_tensorflows_bytes_for_any_number_of_columns(tmp_path: Path, columns: int) -> None:
    rng = np.random.default_rng(3)
    arrays = [pa.array(rng.normal(size=50).astype(np.float32)) for _ in range(columns)]
    names = [f"c{column:03d}" for column in range(columns)]
    batch = pa.RecordBatch.from_arrays(arrays, names=names)
    data = bytes(encode_examples(batch).data)
    assert data == tensorflow_bytes(batch, tmp_path / "records")

    template = find_template(data[HEADER_BYTES : len(data) // 50 - FOOTER_BYTES], dict.fromkeys(names, "FLOAT"))
    assert template is not None
    read = template.columns(data, 50)
    assert read is not None
    np.testing.assert_array_equal(read["c007"].values, arrays[7].to_numpy())
    for place in range(template.size, 2 * template.size, 13):
        changed = bytearray(data)
        changed[place] ^= 4
        assert template.columns(bytes(changed), 50) is None, place


def test_slices_bound_rows_and_bytes() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([b"x" * 1_000_000] * 40)], names=["text"])
    pieces = slices(batch)
    assert sum(piece.num_rows for piece in pieces) == 40
    assert max(piece.num_rows for piece in pieces) <= 8


@pytest.mark.parametrize(("width", "rows"), [(4, 13_334), (100, 13_334), (1000, 8000), (100_000, 80)])
def test_slices_are_about_equal_and_none_is_a_few_rows_that_are_left(width: int, rows: int) -> None:
    count = 40_000 if width <= 1000 else 400
    texts = pa.Array.from_buffers(
        pa.binary(),
        count,
        [None, pa.py_buffer(np.arange(0, count * width + 1, width, np.int32)), pa.py_buffer(bytes(count * width))],
    )
    sizes = [piece.num_rows for piece in slices(pa.RecordBatch.from_arrays([texts], names=["text"]))]
    assert sizes[0] == rows
    assert sum(sizes) == count
    assert sizes[0] - sizes[-1] < len(sizes)
