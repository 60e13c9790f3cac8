"""Reads rows with their weights, and leaves out those of weight 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossnet.components.artifacts.examples import Examples
from crossnet.components.features import Feature
from crossnet.components.records.dataset import read_dataset
from crossnet.components.records.row_blocks import RowBlocks
from crossnet.components.training.disk_array import MANY_ROWS, DiskArray, growing, grown, joined
from crossnet.components.training.sharing import Sharing


class Weighing:
    """Reads the rows of a split once.

    Args:
      column: Of the weights; "" where rows have none.
      count: The split's rows.
      folder: For files with what many rows have.
      sharing: The workers that read the split's other rows. None: this process reads all.

    Attributes:
      weight: float32 `(rows,)`, of the rows that count, 1 in the mean of all workers' rows, once all are read; None:
        they have none.
      place: int64 `(rows,)`: their places among the rows that were read; None: all rows count.
    """

    def __init__(self, column: str, count: int, folder: Path, sharing: Sharing | None = None) -> None:
        self.column = column
        self.weight: npt.NDArray[Any] | DiskArray | None = None
        self.place: npt.NDArray[Any] | DiskArray | None = None
        self._count, self._folder, self._sharing = count, folder, sharing

    def read(
        self,
        examples: Examples,
        split: str,
        features: Sequence[Feature],
        label: Feature,
        batch_size: int,
        blocks: RowBlocks | None = None,
    ) -> Iterator[tuple[dict[str, npt.NDArray[Any]], npt.NDArray[Any]]]:
        """Yields features and label of the rows that count, batch by batch, as `read_dataset` does."""
        names = [feature.name for feature in features]
        extra = [Feature(self.column, "FLOAT", required=False)] if self.column and self.column not in names else []
        batches = read_dataset(examples, split, [*features, *extra], label, batch_size=batch_size, blocks=blocks)
        if not self.column:
            for columns, values in batches:
                assert values is not None
                yield columns, values
            return
        seen, count = 0, self._count
        weights = growing(count, (), np.float32, self._file("read_weights"))
        places = growing(count, (), np.int64, self._file("places"))
        for columns, values in batches:
            assert values is not None
            weight = columns[self.column]
            counts = weight > 0
            if counts.any():
                weights.append(weight[counts])
                places.append(np.flatnonzero(counts) + seen)
                yield {name: columns[name][counts] for name in names}, values[counts]
            seen += len(weight)
        self._finish(grown(weights), grown(places), seen)

    def _finish(self, weight: npt.NDArray[Any] | DiskArray, place: npt.NDArray[Any] | DiskArray, seen: int) -> None:
        """Divides the weights by their mean."""
        starts = range(0, max(1, len(weight)), MANY_ROWS)
        total = sum(float(weight[first : first + MANY_ROWS].astype(np.float64).sum()) for first in starts)
        rows = len(weight)
        if self._sharing:
            total, rows = self._sharing.total(np.array([total, rows], np.float64)).tolist()
        mean = total / max(1, rows)
        parts = (weight[first : first + MANY_ROWS].astype(np.float64) / (mean or 1.0) for first in starts)
        self.weight = joined((part.astype(np.float32) for part in parts), self._file("weights"))
        self.place = place if len(place) < seen else None

    def _file(self, name: str) -> Path | None:
        return self._folder / f"{name}.bin" if self._count > MANY_ROWS else None
