from __future__ import annotations

import uuid
from typing import Any

import pyarrow as pa
import pytest

from crossnet.serving.protocol.plain_arrays import plain_array, plain_batch, plain_type

ID = uuid.UUID(int=7)
ODD = {
    "uuid": (pa.array([ID.bytes, None], pa.uuid()), pa.string(), [str(ID), None]),
    "bool8": (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([2, None], pa.int8())), pa.bool_(), [True, None]),
    "json": (pa.array(["[1]", None], pa.json_()), pa.string(), ["[1]", None]),
    "opaque": (
        pa.ExtensionArray.from_storage(pa.opaque(pa.int64(), "t", "v"), pa.array([3, None])),
        pa.int64(),
        [3, None],
    ),
    "runs": (pa.RunEndEncodedArray.from_arrays([1, 3], [1.5, None]), pa.float64(), [1.5, None, None]),
}


@pytest.mark.parametrize(("array", "kind", "values"), ODD.values(), ids=ODD)
def test_a_type_that_others_can_stand_for_is_read_as_such(array: pa.Array, kind: Any, values: list[Any]) -> None:
    assert (plain_type(array.type), plain_array(array).type, plain_array(array).to_pylist()) == (kind, kind, values)
    assert plain_array(array.slice(1)).to_pylist() == values[1:]
    rows = plain_batch(pa.RecordBatch.from_arrays([array, pa.array([1] * len(array))], names=["a", "b"]))
    assert rows.schema == pa.schema([("a", kind), ("b", pa.int64())])


def test_plain_columns_are_as_they_are() -> None:
    batch = pa.record_batch({"a": [1, None], "b": ["x", "y"], "c": [[1], []]})
    assert plain_batch(batch) is batch
    assert plain_array(batch.column(0)) is not None
    assert plain_type(pa.dictionary(pa.int8(), pa.string())) == pa.dictionary(pa.int8(), pa.string())
