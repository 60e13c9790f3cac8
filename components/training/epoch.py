"""Runs many updates in one call of TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

# Not public, but pinned with TensorFlow. It takes the loop's small ops off the thread pool, where handing them over
# costs more than they do (about a third of the CPU time on two cores). Kernels still use all cores.
from tensorflow.python.eager import context

from crossnet.components.training.optimizers import Optimizer
from crossnet.components.training.rows import Chunk, Rows

EVALUATION_ROWS = 10_000


class EpochLoop:
    """Runs the batches of an epoch inside one `tf.function`, with the updates that Keras' `fit` would make.

    Args:
      network: Model of the inputs to `[batch, 1]`.
      optimizer: Of the network's trainable variables.
      batch_size: Rows per update; the last batch of an epoch may be smaller.
      held_out: For each member, the fold whose rows it does not learn from. None: there is one, of all rows.
    """

    def __init__(
        self, network: tf_keras.Model, optimizer: Optimizer, batch_size: int, held_out: Sequence[int] | None = None
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.held_out = None if held_out is None else np.array(held_out, np.int32)
        self._updates = tf.function(self._run_updates, reduce_retracing=True)
        inputs = [tf.TensorSpec([None, *spec.shape[1:]], spec.dtype) for spec in network.inputs]
        label, fold = tf.TensorSpec([None], network.output.dtype), tf.TensorSpec([None], tf.int32)
        self._squares = tf.function(self._sum_of_squares, input_signature=[inputs, label])
        self._held_squares = tf.function(self._held_sum_of_squares, input_signature=[inputs, label, fold])
        self._cached: tuple[Rows, list[Any]] | None = None

    def run(
        self, rows: Rows, step_sizes: npt.NDArray[np.float64], order: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.float64]:
        """Makes one pass over `rows`, one update per step size.

        Returns:
          The mean squared error of each batch before its update, in the normalised label's unit: the mean of all
          members'. It ends with the first value that is not finite, after which nothing more is updated.
        """
        losses: list[npt.NDArray[np.float64]] = []
        done = 0
        with context.function_executor_type("SINGLE_THREADED_EXECUTOR"):
            for inputs, label, fold in self._tensors(rows, order):
                for batches, labels, folds in self._batched(inputs, label, fold):
                    steps = labels.shape[0]
                    count, found = self._updates(
                        batches, labels, folds, tf.constant(step_sizes[done : done + steps], label.dtype)
                    )
                    losses.append(found.numpy()[: int(count)].astype(np.float64))
                    done += steps
                    if not np.isfinite(losses[-1][-1]):
                        return np.concatenate(losses)
        return np.concatenate(losses)

    def mean_squared_error(self, rows: Rows) -> float:
        """Returns the mean squared error over `rows`, in the normalised label's unit."""
        with context.function_executor_type("SINGLE_THREADED_EXECUTOR"):
            parts = self._tensors(rows, None, EVALUATION_ROWS)
            return sum(float(self._squares(inputs, label)) for inputs, label, _ in parts) / len(rows)

    def validation_errors(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Returns each member's mean squared error, float64 (members,), over the rows that it holds out."""
        assert self.held_out is not None
        assert rows.fold is not None
        total = np.zeros(len(self.held_out))
        with context.function_executor_type("SINGLE_THREADED_EXECUTOR"):
            for part in self._tensors(rows, None, EVALUATION_ROWS):
                total += self._held_squares(*part).numpy()
        return total / np.bincount(rows.fold, minlength=max(self.held_out) + 1)[self.held_out]

    def _tensors(self, rows: Rows, order: npt.NDArray[np.int64] | None, batch: int = 0) -> Any:
        """Yields inputs and label; caches those of few rows that are in order: they never change.

        With `batch` it yields so many rows at once, so that a sum does not depend on what fits in memory.
        """
        chunks = rows.chunks(batch or self.batch_size, order, single=batch > 0)
        if order is not None or batch or len(rows) > rows.chunk:
            return map(_constants, chunks)
        if self._cached is None or self._cached[0] is not rows:
            self._cached = (rows, [_constants(chunk) for chunk in chunks])
        return self._cached[1]

    def _batched(
        self, inputs: Sequence[tf.Tensor], label: tf.Tensor, fold: tf.Tensor | None
    ) -> Iterator[tuple[list[tf.Tensor], tf.Tensor, tf.Tensor | None]]:
        """Yields the full batches as tensors `[batches, batch, ...]`, then the smaller last one, if there is one.

        So the batch is a static dimension, and the gradient needs none of the ops that find a broadcast at run time.
        """
        full = label.shape[0] // self.batch_size
        for first, batches, size in (
            (0, full, self.batch_size),
            (full * self.batch_size, 1, label.shape[0] % self.batch_size),
        ):
            if batches and size:
                last = first + batches * size
                columns = (*inputs, label) if fold is None else (*inputs, label, fold)
                parts = [tf.reshape(part[first:last], [batches, size, *part.shape[1:]]) for part in columns]
                yield parts[: len(inputs)], parts[len(inputs)], None if fold is None else parts[-1]

    def _run_updates(
        self, inputs: Sequence[tf.Tensor], label: tf.Tensor, fold: tf.Tensor | None, step_sizes: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        steps = tf.shape(step_sizes)[0]
        losses = tf.TensorArray(label.dtype, steps)

        def update(i: tf.Tensor, _: tf.Tensor, losses: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
            loss, gradients = self._gradients(
                [tf.gather(part, i) for part in inputs],
                tf.gather(label, i),
                None if fold is None else tf.gather(fold, i),
            )
            self.optimizer.apply(gradients, tf.gather(step_sizes, i))
            return i + 1, loss, losses.write(i, loss)

        done, _, losses = tf.while_loop(
            lambda i, loss, _: (i < steps) & tf.math.is_finite(loss),
            update,
            (tf.constant(0), tf.zeros([], label.dtype), losses),
            parallel_iterations=1,
        )
        return done, losses.stack()

    def _gradients(
        self, inputs: list[tf.Tensor], label: tf.Tensor, fold: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        variables = self.optimizer.variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            output = self._output(inputs, training=True)
            if fold is None:
                loss = total = tf.reduce_mean(tf.math.squared_difference(tf.squeeze(output, axis=1), label))
            else:
                squares = tf.math.squared_difference(output, label[:, None])
                learned = tf.cast(fold[:, None] != self.held_out, label.dtype)
                # Each member's gradient is that of its own mean: members do not know of each other.
                total = tf.reduce_sum(learned * squares) / tf.cast(tf.size(label), label.dtype)
                loss = tf.math.divide_no_nan(tf.reduce_sum(learned * squares), tf.reduce_sum(learned))
                loss = tf.where(tf.math.is_finite(total), loss, total)
            penalties = self.network.losses
            total = tf.add_n([total, *penalties]) if penalties else total
        return loss, tape.gradient(total, variables)

    def _sum_of_squares(self, inputs: Sequence[tf.Tensor], label: tf.Tensor) -> tf.Tensor:
        output = tf.reduce_mean(self._output(inputs, training=False), axis=1)
        return tf.reduce_sum(tf.square(tf.cast(output - label, tf.float64)))

    def _held_sum_of_squares(self, inputs: Sequence[tf.Tensor], label: tf.Tensor, fold: tf.Tensor) -> tf.Tensor:
        output = self._output(inputs, training=False)
        squares = tf.square(tf.cast(output - label[:, None], tf.float64))
        return tf.reduce_sum(squares * tf.cast(fold[:, None] == self.held_out, tf.float64), axis=0)

    def _output(self, inputs: Sequence[tf.Tensor], *, training: bool) -> tf.Tensor:
        return self.network(list(inputs) if len(inputs) > 1 else inputs[0], training=training)


def _constants(chunk: Chunk) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor | None]:
    fold = None if chunk.fold is None else tf.constant(chunk.fold)
    return [tf.constant(part) for part in chunk.inputs], tf.constant(chunk.label), fold
