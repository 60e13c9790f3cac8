"""Makes the record batches in which columns are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import google_crc32c
import pyarrow as pa

from crossnet.components.records.arrow_columns import as_array, as_column, stored_type
from crossnet.components.records.batches import Columns

SHARD_BYTES = b"shard_bytes"
CHECKSUMS = b"crc32c"
HEX_DIGITS = 8
_SIZE_DIGITS = 20  # of the bytes of a shard, which are not known when its columns are begun


def kept_schema(types: Mapping[str, str], lists: Collection[str], shard_bytes: int) -> pa.Schema:
    """Returns the schema of a file of columns, whose bytes do not depend on those of its shard.

    Args:
      types: Type ("FLOAT", "INT", "BYTES") by name.
      lists: The columns that hold several values per row.
      shard_bytes: Those of the shard; 0: not known yet.
    """
    fields = [pa.field(name, stored_type(kind, name in lists)) for name, kind in types.items()]
    return pa.schema(fields, {SHARD_BYTES: f"{shard_bytes:0{_SIZE_DIGITS}d}"})


def kept_batch(columns: Columns, schema: pa.Schema) -> tuple[pa.RecordBatch, dict[bytes, str]]:
    """Returns a batch as it is kept, and its metadata."""
    arrays = [as_array(columns[field.name], field.type) for field in schema]
    checksums = "".join(f"{checksum(array):0{HEX_DIGITS}x}" for array in arrays)
    return pa.RecordBatch.from_arrays(arrays, schema=schema), {CHECKSUMS: checksums}


def columns_of(batch: pa.RecordBatch, names: Iterable[str]) -> Columns:
    """Returns some columns of a batch."""
    return {name: as_column(batch.column(name)) for name in names}


def checksum(array: pa.Array) -> int:
    """Returns the CRC32C of a column's buffers, one after the other, as a file holds them."""
    crc = 0
    validity, *others = array.buffers()
    for buffer in (validity if array.null_count else None, *others):
        if buffer is not None and buffer.size:
            crc = google_crc32c.extend(crc, buffer)
    return int(crc)
