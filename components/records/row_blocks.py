"""Says which rows of a split one of several readers takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RowBlocks:
    """Blocks of consecutive rows, dealt out in turn: every `step`-th one, from block `first` on.

    Attributes:
      first: The first block, below `step`.
      step: How many readers there are.
      size: Rows of a block; the last one of a split may have fewer.
    """

    first: int
    step: int
    size: int

    def count(self, rows: int) -> int:
        """Returns how many of so many rows are in these blocks."""
        rounds, rest = divmod(rows, self.step * self.size)
        return rounds * self.size + min(max(rest - self.first * self.size, 0), self.size)

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the places in the split of rows that are counted in these blocks alone, int64 (rows,)."""
        block, within = np.divmod(rows, self.size)
        return np.asarray((block * self.step + self.first) * self.size + within)

    def parts(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yields which of the rows from place `start` up to, not including, `stop` are in these blocks.

        Each part is its first row and the one after its last, counted from `start`.
        """
        if start >= stop:
            return
        block = start // self.size
        block += (self.first - block) % self.step
        while block * self.size < stop:
            yield max(start, block * self.size) - start, min(stop, (block + 1) * self.size) - start
            block += self.step
