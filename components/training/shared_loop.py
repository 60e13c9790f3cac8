"""Runs the batches of an epoch on workers with shares of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from crossnet.components.training.disk_array import DiskArray
from crossnet.components.training.epoch import Tensors, constants
from crossnet.components.training.optimizers import Optimizer
from crossnet.components.training.order import Order
from crossnet.components.training.replicas import Replicas
from crossnet.components.training.replicated import ReplicatedLoop
from crossnet.components.training.rows import Chunk, Rows
from crossnet.components.training.shared_rows import SharedRows


class SharedLoop(ReplicatedLoop):
    """A `ReplicatedLoop` in which this worker's part of each batch comes from its own rows.

    Its parts differ by a row. So that they have one shape, a part that lacks a row has its last one twice, the second
    time with the weight 0. Each batch's gradient is divided by the rows that a batch has in the mean.

    Args:
      network, optimizer, batch_size, held_out, replicas: As of `ReplicatedLoop`.
      train: The rows that are learned from.
    """

    def __init__(
        self,
        network: tf_keras.Model,
        optimizer: Optimizer,
        batch_size: int,
        held_out: Sequence[int] | None,
        replicas: Replicas,
        train: SharedRows,
    ) -> None:
        super().__init__(network, optimizer, batch_size, held_out, replicas)
        self._mean_size = train.whole / train.updates(batch_size)

    def batch_weights(self, rows: Rows, order: Order | None) -> npt.NDArray[Any]:
        """Returns the weight of each batch, of all workers' parts, (batches,)."""
        return self._total(rows.batch_weights(self.batch_size, order))

    def _dealt(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        return chunks  # the rows are this worker's own

    def _tensors(self, rows: Rows, order: Order | DiskArray | None, batch: int = 0, first: int = 0) -> Any:
        if batch:
            return super()._tensors(rows, order, batch, first)
        assert isinstance(rows, SharedRows)
        parts = map(constants, parts_of_batches(rows, self.batch_size, order, first // self.batch_size))
        if order is not None or first or len(rows) > rows.chunk:
            return parts
        if self._cached is None or self._cached[0] is not rows:
            self._cached = (rows, list(parts))
        return self._cached[1]

    def _batched(self, rows: Tensors) -> Iterator[Tensors]:
        yield rows  # batches already

    def _own_parts(self, i: tf.Tensor, parts: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        inputs, label, fold, weight = parts
        own = [None if part is None else tf.gather(part, i) for part in (label, fold, weight)]
        return self._mean_size, ([tf.gather(part, i) for part in inputs], *own)


def parts_of_batches(rows: SharedRows, batch_size: int, order: Any, first: int = 0) -> Iterator[Chunk]:
    """Yields this worker's parts of some batches at a time, each array (batches, rows of a part, ...).

    All workers' have as many batches. Each has a weight: 0 for rows that only fill a part up.

    Args:
      rows: This worker's.
      batch_size: Rows of a batch, of all workers together.
      order: Of this worker's rows; None: as recorded.
      first: The batch to begin with.
    """
    edges, width = rows.edges(batch_size), rows.widest(batch_size)
    begins, lasts = edges[:-1], np.maximum(edges[1:] - 1, edges[:-1])
    begins, lasts = np.minimum(begins, len(rows) - 1), np.minimum(lasts, len(rows) - 1)
    step, updates = max(1, rows.chunk // width), len(begins)
    starts = range(first, updates, step)
    ends = [(int(begins[start]), int(lasts[min(start + step, updates) - 1]) + 1) for start in starts]
    for start, chunk in zip(starts, rows.between(ends, order), strict=True):
        some = slice(start, min(start + step, updates))
        wanted = edges[:-1][some, None] + np.arange(width)
        places = np.minimum(wanted, lasts[some, None]) - chunk.first
        weight = (wanted < edges[1:][some, None]).astype(np.float32)
        yield Chunk(
            chunk.first,
            tuple(part[places] for part in chunk.inputs),
            chunk.label[places],
            None if chunk.fold is None else chunk.fold[places],
            weight if chunk.weight is None else weight * chunk.weight[places],
        )
