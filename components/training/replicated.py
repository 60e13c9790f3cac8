"""Runs the batches of an epoch on several replicas."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from crossnet.components.training.epoch import EpochLoop
from crossnet.components.training.optimizers import Optimizer
from crossnet.components.training.replicas import Replicas
from crossnet.components.training.rows import Chunk


class ReplicatedLoop(EpochLoop):
    """An `EpochLoop` whose batches are shared by replicas.

    Args:
      network, optimizer: As of `EpochLoop`, with variables made in `replicas.scope()`.
      batch_size: Rows per update, of all replicas together.
      held_out: As of `EpochLoop`.
      replicas: Who shares the batches.
    """

    fills_up = False  # replicas share what there is

    def __init__(
        self,
        network: tf_keras.Model,
        optimizer: Optimizer,
        batch_size: int,
        held_out: Sequence[int] | None,
        replicas: Replicas,
    ) -> None:
        super().__init__(network, optimizer, batch_size, held_out)
        self.replicas = replicas

    def _executor(self) -> AbstractContextManager[Any]:
        return contextlib.nullcontext()  # each device needs a thread of its own

    def _dealt(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        return self.replicas.deal(chunks)

    def _total(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return self.replicas.total(sums)

    def _update(self, i: tf.Tensor, parts: Sequence[Any], step_sizes: tf.Tensor) -> tf.Tensor:
        return self.replicas.run(self._update_here, [i, tuple(parts), step_sizes])

    def _update_here(self, i: tf.Tensor, parts: Sequence[Any], step_sizes: tf.Tensor) -> tf.Tensor:
        """Makes one update in one replica and returns the loss of the whole batch."""
        size, (inputs, label, fold, weight) = self._own_parts(i, parts)
        variables = self.optimizer.variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            squares, learned = self._squares_of(self._output(inputs, training=True), label, fold, weight)
            learned = tf.broadcast_to(tf.cast(learned, label.dtype), tf.shape(squares))
            total = tf.reduce_sum(learned * squares) / tf.cast(size, label.dtype)
            penalties = self.network.losses
            total = tf.add_n([total, *(penalty / self.replicas.count for penalty in penalties)])
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(total, variables)]
        sums = tf.stack([tf.reduce_sum(learned * squares), tf.reduce_sum(learned)])
        # One sum for all: each costs a rendezvous.
        flat = self.replicas.add_up(tf.concat([*(tf.reshape(gradient, [-1]) for gradient in gradients), sums], axis=0))
        *pieces, sums = tf.split(flat, [*(gradient.shape.num_elements() for gradient in gradients), 2])
        added = [tf.reshape(piece, gradient.shape) for piece, gradient in zip(pieces, gradients, strict=True)]
        self.optimizer.apply(added, tf.gather(step_sizes, i))
        return tf.math.divide_no_nan(sums[0], sums[1])

    def _own_parts(self, i: tf.Tensor, parts: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        """Returns how many rows the whole batch has, and this replica's part of it: inputs, label, fold and weight."""
        inputs, label, fold, weight = parts
        size = tf.shape(label)[1]
        first, last = self.replicas.share(size)

        def own(part: tf.Tensor) -> tf.Tensor:
            return tf.gather(part, i)[first:last]

        inputs, label = [own(part) for part in inputs], own(label)
        fold, weight = (None if part is None else own(part) for part in (fold, weight))
        return size, (inputs, label, fold, weight)
