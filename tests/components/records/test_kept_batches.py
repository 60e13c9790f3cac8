"""Batches as they are kept: checksums of the very buffers that a file gives back."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from crossnet.components.records.kept_batches import (
    CHECKSUMS,
    HEX_DIGITS,
    checksum,
    columns_of,
    kept_batch,
    kept_schema,
)
from crossnet.components.records.wire_format import feature_type, is_list

ARRAYS = {
    "numbers": pa.array([1.5, 2.5, 3.5], pa.float32()),
    "numbers with holes": pa.array([1.5, None, 3.5], pa.float32()),
    "only holes": pa.array([None] * 9, pa.int64()),
    "whole numbers": pa.array(range(9), pa.int64()),
    "numbers that might have had holes": pa.Array.from_buffers(
        pa.int64(), 2, [pa.py_buffer(b"\3"), pa.py_buffer(bytes(16))]
    ),
    "texts": pa.array([b"", b"ab", b"c"], pa.binary()),
    "texts with holes": pa.array([b"ab", None, b"", None], pa.binary()),
    "large texts": pa.array([b"ab", None, b"c" * 300], pa.large_binary()),
    "lists": pa.array([[1, 2], [], None, [3]], pa.list_(pa.int64())),
    "lists of texts": pa.array([[b"a", b"bc"], None, [b""]], pa.large_list(pa.binary())),
}


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_a_checksum_is_that_of_the_column_as_it_is_read_back(tmp_path: Path, array: pa.Array, start: int) -> None:
    types = {"a": feature_type(array.type)}
    schema = kept_schema(types, ["a"] if is_list(array.type) else [], 0)
    batch, metadata = kept_batch(columns_of(pa.record_batch({"a": array.slice(start)}), ["a"]), schema)
    with pa.ipc.new_file(str(tmp_path / "a.arrow"), schema) as writer:
        writer.write_batch(batch, custom_metadata=metadata)
    with pa.OSFile(str(tmp_path / "a.arrow")) as file, pa.ipc.open_file(file) as reader:
        read, kept = reader.get_batch_with_custom_metadata(0)
    assert f"{checksum(read['a']):0{HEX_DIGITS}x}".encode() == kept[CHECKSUMS]
    assert read["a"].to_pylist() == batch["a"].to_pylist()


def test_the_schema_of_a_file_takes_as_many_bytes_for_every_shard() -> None:
    sizes = {kept_schema({"a": "INT"}, [], size).serialize().size for size in (0, 7, 10**9, 10**18)}
    assert len(sizes) == 1
