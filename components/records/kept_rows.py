"""Counts the rows of kept columns from the file's own index.

So who wants some of the rows knows in which batches they are, and reads no others.
"""

from __future__ import annotations

import struct
from pathlib import Path

from crossnet.components.artifacts.examples import columns_path
from crossnet.components.records.arrow_index import read_index, rows_of
from crossnet.components.records.kept_columns import damaged


def batch_rows(shard: Path) -> list[int]:
    """Returns how many rows each batch of the columns beside a shard has; of the columns nothing is read.

    Raises:
      DataError: The file is damaged.
    """
    path = columns_path(shard)
    try:
        with path.open("rb") as file:
            return [rows_of(file, block) for block in read_index(file).blocks]
    except (OSError, ValueError, struct.error) as error:
        raise damaged(path, f"its index cannot be read ({error})") from None
