"""Says what the rows of a split weigh and belong to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crossnet.components.artifacts.examples import Examples
from crossnet.components.evaluation.units import MIN_UNITS
from crossnet.components.features import Feature
from crossnet.serving.protocol.dtypes import Array


@dataclass(frozen=True)
class Grouping:
    """What rows weigh and belong to.

    Attributes:
      weight: The column of weights; "" where all weigh 1.
      group: The column of groups; "" where there is none.
      block: Rows of a block of consecutive rows, the units of a split by time; 0 where rows are not in blocks.
    """

    weight: str = ""
    group: str = ""
    block: int = 0

    @property
    def unit(self) -> str:
        """What a unit is, for a sentence."""
        if self.group:
            return f"group of `{self.group}`"
        return f"block of {self.block:,} rows" if self.block else "row"

    def columns(self, types: Mapping[str, str]) -> list[Feature]:
        """Returns the columns to read; `types` are those of all columns by name."""
        return [Feature(name, types[name], required=False) for name in (self.weight, self.group) if name]

    def of(self, columns: Mapping[str, Array], first: int, rows: int) -> tuple[Array | None, Array | None]:
        """Returns the weights, float64 (rows,), and the groups, (rows,), of a batch; None where there are none.

        Args:
          columns: The batch in the form of `read_dataset`.
          first: Place of its first row in the split.
          rows: How many rows it has.
        """
        weights = columns[self.weight].astype(np.float64) if self.weight else None
        if self.group:
            return weights, columns[self.group]
        return weights, (first + np.arange(rows)) // self.block if self.block else None


def grouping_of(examples: Examples, split: str) -> Grouping:
    """Returns what the rows of a split weigh and belong to.

    A block of a split by time has about 1.5 times the root of the number of rows, and there are at least `MIN_UNITS`
    blocks where there are so many rows: long enough that what neighbours share stays in one block, and enough of them
    (Carlstein 1986).
    """
    rows, block = examples.counts[split], 0
    if examples.properties.get("split") == "time" and not examples.unit:
        block = max(1, min(math.ceil(1.5 * math.sqrt(rows)), rows // MIN_UNITS))
    return Grouping(examples.weight, examples.unit, block if block > 1 else 0)
