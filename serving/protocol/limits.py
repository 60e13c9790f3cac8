"""States how large one record, one row and one cell may be.

A file may be of any size: it is read piece by piece. What must be in memory as a whole is limited here, so that neither
a damaged length nor a file that unpacks to a thousand times its size takes the machine's memory.
"""

from __future__ import annotations

MAX_RECORD_BYTES = 32 << 20  # a record of a TFRecord file, framed or packed
MAX_ROW_BYTES = 32 << 20  # a row of a CSV or a line of JSON, with all its cells, unpacked


def mebibytes(size: int) -> str:
    """Returns a limit for a message, such as "32 MiB"."""
    return f"{size >> 20} MiB"
