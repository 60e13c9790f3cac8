"""Says what the rows of a split weigh and belong to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from crossnet.components.artifacts.examples import Examples
from crossnet.components.evaluation.metrics import thinned
from crossnet.components.evaluation.units import MIN_UNITS
from crossnet.components.features import Feature
from crossnet.components.records.dataset import read_columns
from crossnet.serving.protocol.dtypes import Array


@dataclass(frozen=True)
class Grouping:
    """What rows weigh and belong to.

    Attributes:
      weight: The column of weights; "" where all weigh 1.
      group: The column of groups; "" where there is none.
      block: Rows of a block of consecutive rows, the units of a split by time; 0 where rows are not in blocks.
      order: The column of numbers whose order blocks follow; "" where they follow that of the records.
      edges: The numbers at which such blocks begin, ascending, without the first.
    """

    weight: str = ""
    group: str = ""
    block: int = 0
    order: str = ""
    edges: tuple[float, ...] = ()

    @property
    def unit(self) -> str:
        """What a unit is, for a sentence."""
        if self.group:
            return f"group of `{self.group}`"
        if self.order:
            return f"block of about {self.block:,} rows by `{self.order}`"
        return f"block of {self.block:,} rows" if self.block else "row"

    def columns(self, types: Mapping[str, str]) -> list[Feature]:
        """Returns the columns to read; `types` are those of all columns by name."""
        return [Feature(name, types[name], required=False) for name in (self.weight, self.group, self.order) if name]

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
        if self.order:
            values = columns[self.order].astype(np.float64)
            return weights, np.searchsorted(self.edges, np.where(np.isnan(values), -np.inf, values), side="right")
        return weights, (first + np.arange(rows)) // self.block if self.block else None


def eval_weights(examples: Examples) -> Iterator[Array] | None:
    """Returns what the rows of eval weigh, batch by batch, float32 (rows of the batch,); None where all weigh 1."""
    if not examples.weight:
        return None
    return (batch[examples.weight].values for batch in read_columns(examples, "eval", columns=[examples.weight]))


def grouping_of(examples: Examples, split: str) -> Grouping:
    """Returns what the rows of a split weigh and belong to.

    Rows of a split by time are in blocks of consecutive ones. Where the records are not in the order of the time, the
    blocks are, unless its values are too few to make `MIN_UNITS` of them.
    """
    if examples.properties.get("split") != "time" or examples.unit:
        return Grouping(examples.weight, examples.unit)
    rows = examples.counts[split]
    block = block_rows(rows)
    if block < 2:
        return Grouping(examples.weight)
    order = _time_column(examples)
    edges = _edges(examples, split, order, rows // block) if order else ()
    return Grouping(examples.weight, "", block, order if edges else "", edges)


def block_rows(rows: int) -> int:
    """Returns how many of so many rows in order of time are a block.

    It has about 1.5 times the root of the number of rows, and there are at least `MIN_UNITS` blocks where there are so
    many rows: long enough that what neighbours share stays in one block, and enough of them (Carlstein 1986).
    """
    return max(1, min(math.ceil(1.5 * math.sqrt(rows)), rows // MIN_UNITS))


def _time_column(examples: Examples) -> str:
    """Returns the column that a split by time follows, where it holds numbers; else ""."""
    wanted = examples.properties.get("split_column", "")
    return next((c.name for c in examples.columns if wanted in (c.name, c.source_name) and c.type != "BYTES"), "")


def _edges(examples: Examples, split: str, name: str, blocks: int) -> tuple[float, ...]:
    """Returns where blocks begin in the order of a column; none where the records are in that order, or too few."""
    highest, is_sorted = -math.inf, True

    def values() -> Iterator[Array]:
        nonlocal highest, is_sorted
        for batch in read_columns(examples, split, columns=[name]):
            found = batch[name].values.astype(np.float64)
            if len(found) and is_sorted:
                is_sorted = bool(found[0] >= highest and (found[1:] >= found[:-1]).all())
                highest = float(found[-1])
            yield found

    sample = thinned(values())
    if is_sorted:
        return ()
    inner = np.unique(np.nanquantile(sample, np.arange(1, blocks) / blocks))
    return tuple(inner.tolist()) if len(inner) >= MIN_UNITS - 1 else ()
