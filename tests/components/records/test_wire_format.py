from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossnet.components.records.wire_format import (
    FEATURE_TAGS,
    feature_type,
    is_list,
    number_table,
    number_values,
    record_order,
    tagged,
    varint_lengths,
)
from crossnet.serving.protocol.messages import Example
from crossnet.serving.protocol.varint import varint


@pytest.mark.parametrize(
    ("arrow_type", "expected"),
    [
        (pa.float32(), "FLOAT"),
        (pa.int64(), "INT"),
        (pa.binary(), "BYTES"),
        (pa.large_binary(), "BYTES"),
    ],
)
def test_a_column_and_a_list_of_its_values_have_one_feature_type(arrow_type: pa.DataType, expected: str) -> None:
    assert feature_type(arrow_type) == expected
    assert not is_list(arrow_type)
    for several in (pa.list_(arrow_type), pa.large_list(arrow_type)):
        assert feature_type(several) == expected
        assert is_list(several)


@pytest.mark.parametrize(("kind", "field", "value"), [("BYTES", 1, b"x"), ("FLOAT", 2, 1.0), ("INT", 3, 7)])
def test_feature_tags_are_those_of_protobuf(kind: str, field: int, value: Any) -> None:
    example = Example()
    listed = {1: "bytes_list", 2: "float_list", 3: "int64_list"}[field]
    getattr(example.features.feature["a"], listed).value.append(value)
    serialized = example.features.feature["a"].SerializeToString()
    assert serialized[0] == FEATURE_TAGS[kind]
    assert tagged(FEATURE_TAGS[kind], getattr(example.features.feature["a"], listed).SerializeToString()) == serialized


@given(st.lists(st.text("ab019_é", max_size=4), unique=True, max_size=8))
def test_record_order_is_the_order_of_deterministic_protobuf(names: list[str]) -> None:
    example = Example()
    for name in names:
        example.features.feature[name].int64_list.value.append(1)
    # Each record below has one feature: they are joined in our order.
    singles = [Example() for _ in names]
    for single, name in zip(singles, sorted(names, key=record_order), strict=True):
        single.features.feature[name].int64_list.value.append(1)
    joined = b"".join(single.features.SerializeToString() for single in singles)
    assert example.features.SerializeToString(deterministic=True) == joined


def test_a_name_stands_before_its_own_beginning() -> None:
    assert sorted(["x1", "x10", "x2", ""], key=record_order) == ["x10", "x1", "x2", ""]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1.5, -2.0, 3.0], pa.float32()), np.float32([1.5, -2.0, 3.0])),
        (pa.array([1, -(2**63), 2**63 - 1], pa.int64()), np.int64([1, -(2**63), 2**63 - 1])),
    ],
)
def test_number_values_are_the_values_of_a_column_and_of_its_slices(array: pa.Array, expected: Any) -> None:
    assert number_values(array).dtype == expected.dtype
    for start in range(4):
        np.testing.assert_array_equal(number_values(array.slice(start)), expected[start:])


def test_number_values_of_no_rows_are_none() -> None:
    assert number_values(pa.array([], pa.int64())).tolist() == []


def test_number_values_keep_a_slot_where_a_value_is_missing() -> None:
    assert number_values(pa.array([1, None, 3], pa.int64()))[[0, 2]].tolist() == [1, 3]


def test_varint_lengths_are_those_of_single_varints() -> None:
    edges = [edge for bits in range(0, 63, 7) for edge in ((1 << bits) - 1, 1 << bits)]
    numbers = [*edges, 2**63 - 1, -1, -(2**63)]
    expected = [len(varint(number & (1 << 64) - 1)) for number in numbers]
    assert varint_lengths(np.array(numbers)).tolist() == expected
    for number, length in zip(numbers, expected, strict=True):  # the largest number decides where the loop ends
        assert varint_lengths(np.array([0, number])).tolist() == [1, length]
    assert varint_lengths(np.array([], np.int64)).tolist() == []


@pytest.mark.parametrize("size", [0, 127, 128, 20_000])
def test_tagged_gives_tag_length_and_content(size: int) -> None:
    assert tagged(0x12, bytes(size)) == b"\x12" + varint(size) + bytes(size)


def test_a_table_of_floats_without_holes_is_read_at_once() -> None:
    batch = pa.record_batch({"a": pa.array([1, 2, 3], pa.float32()), "b": pa.array([9, 8, 7, 6], pa.float32())[1:]})
    table = number_table(batch[1:])
    assert table is not None
    assert (table.tolist(), table.dtype) == ([[2, 3], [7, 6]], np.float32)


@pytest.mark.parametrize(
    "other", [pa.array([1, None, 3], pa.float32()), pa.array([1, 2, 3]), pa.array(["a", "b", "c"]), None]
)
def test_a_table_with_other_columns_or_holes_is_not_read_at_once(other: Any) -> None:
    columns = {} if other is None else {"a": pa.array([1, 2, 3], pa.float32()), "b": other}
    assert number_table(pa.RecordBatch.from_pydict(columns)) is None
