"""Reads the cells of a CSV file with Arrow, block by block."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from crossnet.components.sources.csv_lines import open_bytes
from crossnet.serving.protocol.cell_values import FALSE, MISSING, TRUE
from crossnet.serving.protocol.limits import MAX_ROW_BYTES

_BLOCK_BYTES = 1 << 20
_BLOCK_BYTES_PER_COLUMN = 1 << 14  # some 2,000 rows a block also in wide files: each column of a block costs some time
_MAX_BLOCK_BYTES = MAX_ROW_BYTES  # a row must fit into a block
_TOO_SMALL = ("straddling object", "CSV parse error: Empty CSV file or block")  # a block, for a row and for the header


def read_blocks(path: Path, types: Mapping[str, Any], *, quoted: bool, num_columns: int) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a file in batches; the header is not a row.

    Args:
      path: The file.
      types: Arrow's type by header of the columns that are wanted.
      quoted: Whether cells may be quoted. Arrow reads faster where they are not.
      num_columns: Columns in the file.

    Raises:
      pyarrow.ArrowInvalid: A cell is of another kind or a row is misshapen.
    """
    convert = arrow_csv.ConvertOptions(
        column_types=types,
        include_columns=list(types),
        null_values=[MISSING],
        strings_can_be_null=True,
        true_values=TRUE,
        false_values=FALSE,
        timestamp_parsers=[arrow_csv.ISO8601],
    )
    parse = arrow_csv.ParseOptions(quote_char='"' if quoted else False, newlines_in_values=quoted)
    block_bytes = min(max(_BLOCK_BYTES, _BLOCK_BYTES_PER_COLUMN * num_columns), _MAX_BLOCK_BYTES)
    rows = 0
    while True:
        skip = rows
        try:
            read = arrow_csv.ReadOptions(use_threads=False, block_size=block_bytes)
            with open_bytes(path) as stream:
                content = pa.PythonFile(_WholeLineEnds(stream), mode="r") if quoted else stream
                with arrow_csv.open_csv(content, read, parse, convert) as reader:
                    for batch in reader:
                        dropped = min(skip, batch.num_rows)
                        skip -= dropped
                        if dropped < batch.num_rows:
                            rows += batch.num_rows - dropped
                            yield batch.slice(dropped)
            return
        except pa.ArrowInvalid as error:
            # Not `in`: the messages about cells quote them.
            if not str(error).startswith(_TOO_SMALL) or block_bytes >= _MAX_BLOCK_BYTES:
                raise
            block_bytes = min(8 * block_bytes, _MAX_BLOCK_BYTES)


class _WholeLineEnds(io.RawIOBase):
    """A file whose pieces never end between CR and LF.

    Where a block ends there, Arrow loses the LF of a quoted cell: https://github.com/apache/arrow/issues/51368
    """

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._held + self._stream.read(size - len(self._held))
        self._held = b"\r" if len(data) > 1 and data.endswith(b"\r") else b""
        return data[: len(data) - len(self._held)]
