"""Adds up what workers of a training know of their rows.

Each has some blocks of the rows. What it says of them goes to the chief, who tells all the same. In the updates
TensorFlow adds up instead: this is for what comes before and after them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from crossnet.components.records.row_blocks import RowBlocks
from crossnet.components.training.meeting import Meeting

# Each worker has at least so many blocks where there are rows enough, and a block so many batches of kept columns that
# to read those which it has in part costs little.
BLOCKS, MAX_BLOCK_ROWS = 8, 1 << 20

Floats = npt.NDArray[np.float64]


class Sharing:
    """Workers that have a share of the rows each.

    Args:
      meeting: They have come together.
    """

    def __init__(self, meeting: Meeting) -> None:
        self._meeting = meeting
        self.index, self.count = meeting.cluster.index, len(meeting.cluster.addresses)

    def blocks(self, rows: int) -> RowBlocks:
        """Returns which of a split's rows are this worker's."""
        return RowBlocks(self.index, self.count, min(MAX_BLOCK_ROWS, max(1, rows // (BLOCKS * self.count))))

    def total(self, sums: Floats) -> Floats:
        """Returns the sums over all workers of their sums, (sums,), the same bits on each of them."""

        def added(parts: list[bytes]) -> bytes:
            total = np.zeros(len(sums))
            for part in parts:
                total += np.frombuffer(part, np.float64)
            return total.tobytes()

        return np.frombuffer(self._meeting.combine(sums.astype(np.float64).tobytes(), added), np.float64)

    def joined(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns the values of all workers, of one dtype, (values,): those of worker 0, then of worker 1, ..."""
        return np.frombuffer(self._meeting.combine(values.tobytes(), b"".join), values.dtype)

    def give(self, values: npt.NDArray[Any]) -> None:
        """Sends values to the chief, who takes them."""
        self._meeting.give(0, values.tobytes())

    def take(self, index: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Returns, to the chief, the values that another worker gives."""
        return np.frombuffer(self._meeting.take(index), dtype)
