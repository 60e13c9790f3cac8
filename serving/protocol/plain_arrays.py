"""Turns Arrow's unusual types into those with the same values.

ExampleGen and `predict` share these rules. A UUID is its text, as in a CSV; another extension is what it is stored as.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_UUID, _TRUTH = "arrow.uuid", "arrow.bool8"


def plain_type(arrow_type: Any) -> Any:
    """Returns the type in which a column of `arrow_type` is read: text of a UUID, truth of a bool8."""
    import pyarrow as pa

    if isinstance(arrow_type, pa.BaseExtensionType):
        of_name = {_UUID: pa.string(), _TRUTH: pa.bool_()}
        return of_name.get(arrow_type.extension_name) or plain_type(arrow_type.storage_type)
    if pa.types.is_run_end_encoded(arrow_type):
        return plain_type(arrow_type.value_type)
    return arrow_type


def plain_array(array: pa.Array) -> pa.Array:
    """Returns a column in the type of `plain_type`.

    Raises:
      pyarrow.ArrowException: A value does not convert.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = plain_type(array.type)
    if wanted == array.type:
        return array
    if isinstance(array, pa.ExtensionArray):
        if array.type.extension_name == _UUID:
            values = array.storage.to_pylist()
            return pa.array([None if value is None else str(uuid.UUID(bytes=value)) for value in values], pa.string())
        array = plain_array(array.storage)
    elif pa.types.is_run_end_encoded(array.type):
        array = plain_array(pc.run_end_decode(array))
    return array if array.type == wanted else array.cast(wanted)


def plain_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Returns rows whose columns are as `plain_array` makes them; the same rows where all are plain."""
    import pyarrow as pa

    if all(plain_type(kind) == kind for kind in batch.schema.types):
        return batch
    return pa.RecordBatch.from_arrays([plain_array(column) for column in batch.columns], names=batch.schema.names)
