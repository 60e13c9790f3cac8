"""Runs many updates in one call of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

# Not public, but pinned with TensorFlow. It takes the loop's small ops off the thread pool, where handing them over
# costs more than they do (about a third of the CPU time on two cores). Kernels still use all cores.
from tensorflow.python.eager import context

from crossnet.components.training.disk_array import DiskArray
from crossnet.components.training.optimizers import Optimizer
from crossnet.components.training.order import Order
from crossnet.components.training.rows import Chunk, Rows

EVALUATION_ROWS = 10_000
Losses = npt.NDArray[np.float64]
NO_LOSSES: Losses = np.zeros(0)
NO_FOLD = -1  # of rows that only fill a batch up


class Tensors(NamedTuple):
    """Rows as tensors; each has the rows, or batches and rows, as its first axes."""

    inputs: list[tf.Tensor]
    label: tf.Tensor
    fold: tf.Tensor | None
    weight: tf.Tensor | None

    @property
    def weights(self) -> list[tf.Tensor]:
        """The weights as arguments: none where there are none."""
        return [] if self.weight is None else [self.weight]


class EpochLoop:
    """Runs the batches of an epoch inside one `tf.function`, with the updates that Keras' `fit` would make.

    Args:
      network: Model of the inputs to `[batch, 1]`.
      optimizer: Of the network's trainable variables.
      batch_size: Rows per update; the last batch of an epoch may be smaller.
      held_out: For each member, the fold whose rows it does not learn from. None: there is one, of all rows.
    """

    fills_up = True  # whether the last batch may be filled up

    def __init__(
        self, network: tf_keras.Model, optimizer: Optimizer, batch_size: int, held_out: Sequence[int] | None = None
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.held_out = None if held_out is None else np.array(held_out, np.int32)
        self._updates = tf.function(self._run_updates, reduce_retracing=True, autograph=False)
        inputs = [tf.TensorSpec([None, *spec.shape[1:]], spec.dtype) for spec in network.inputs]
        label, fold = tf.TensorSpec([None], network.output.dtype), tf.TensorSpec([None], tf.int32)
        self._squares = _with_weights(self._sum_of_squares, [inputs, label])
        self._held_squares = _with_weights(self._held_sum_of_squares, [inputs, label, fold])
        self._cached: tuple[Rows, list[Any]] | None = None

    def run(
        self,
        rows: Rows,
        step_sizes: npt.NDArray[np.float64],
        order: Order | None = None,
        *,
        before: Losses = NO_LOSSES,
        on_updates: Callable[[Sequence[Losses]], None] = lambda losses: None,
    ) -> Losses:
        """Makes one pass over `rows`, one update per step size.

        Args:
          rows: The rows.
          step_sizes: Of each update of the whole pass.
          order: The pass's order of rows; None: as recorded.
          before: The losses of updates that this pass has made already, in another process: it goes on after them.
          on_updates: Called with the losses so far, in parts, whenever some updates are made and others follow.

        Returns:
          The mean squared error of each batch before its update, by the rows' weights, in the normalised label's unit:
          the mean of all members'. It ends with the first value that is not finite, after which nothing more is
          updated.
        """
        losses = [before]
        done = len(before)
        with self._executor():
            for part in self._tensors(rows, order, first=done * self.batch_size):
                if len(losses) > 1:
                    on_updates(losses)
                for batches in self._batched(part):
                    steps = batches.label.shape[0]
                    count, found = self._updates(
                        *batches, tf.constant(step_sizes[done : done + steps], batches.label.dtype)
                    )
                    losses.append(found.numpy()[: int(count)].astype(np.float64))
                    done += steps
                    if not np.isfinite(losses[-1][-1]):
                        return np.concatenate(losses)
        return np.concatenate(losses)

    def mean_squared_error(self, rows: Rows) -> float:
        """Returns the mean squared error over `rows`, by their weights, in the normalised label's unit."""
        squares = self._squares[rows.weight is not None]
        with self._executor():
            parts = self._tensors(rows, None, EVALUATION_ROWS)
            total = sum(float(squares(part.inputs, part.label, *part.weights)) for part in parts)
            return float(self._total(np.array([total], np.float64))[0]) / rows.total_weight

    def validation_errors(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Returns each member's mean squared error, float64 (members,), over the rows that it holds out.

        It is weighed as the rows are.
        """
        assert self.held_out is not None
        assert rows.fold is not None
        total, squares = np.zeros(len(self.held_out)), self._held_squares[rows.weight is not None]
        with self._executor():
            for part in self._tensors(rows, rows.places_in(self.held_out), EVALUATION_ROWS):
                total += squares(part.inputs, part.label, part.fold, *part.weights).numpy()
            total = self._total(total)
        weights = rows.fold_weights()
        return total / np.pad(weights, (0, max(0, max(self.held_out) + 1 - len(weights))))[self.held_out]

    def batch_weights(self, rows: Rows, order: Order | None) -> npt.NDArray[Any]:
        """Returns the weight of each batch of a pass in this order, (batches,)."""
        return rows.batch_weights(self.batch_size, order)

    def _executor(self) -> AbstractContextManager[Any]:
        return context.function_executor_type("SINGLE_THREADED_EXECUTOR")

    def _dealt(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Returns those parts of the rows that are looked at here when a sum over all of them is taken."""
        return chunks

    def _total(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Returns the sums over all rows of those over the parts that were dealt."""
        return sums

    def _tensors(self, rows: Rows, order: Order | DiskArray | None, batch: int = 0, first: int = 0) -> Any:
        """Yields rows as tensors, from a place in the order on; caches those of few rows that are in order.

        With `batch` it yields so many rows at once, so that a sum does not depend on what fits in memory.
        """
        chunks = rows.chunks(batch or self.batch_size, order, single=batch > 0, first=first)
        if batch:
            return map(constants, self._dealt(chunks))
        if order is not None or first or len(rows) > rows.chunk:
            return map(constants, chunks)
        if self._cached is None or self._cached[0] is not rows:
            self._cached = (rows, [constants(chunk) for chunk in chunks])
        return self._cached[1]

    def _batched(self, rows: Tensors) -> Iterator[Tensors]:
        """Yields the full batches as tensors `[batches, batch, ...]`, then the smaller last one, if there is one.

        So the batch is a static dimension, and the gradient needs none of the ops that find a broadcast at run time.
        Where folds are held out, rows that come again fill the last batch up, in a fold that nobody learns from: to
        trace the update for another size of batch takes longer than all updates on a few hundred rows.
        """
        count = rows.label.shape[0]
        if self.fills_up and rows.fold is not None and (missing := -count % self.batch_size):
            rows, count = _filled_up(rows, missing), count + missing
        full = count // self.batch_size
        for first, batches, size in (
            (0, full, self.batch_size),
            (full * self.batch_size, 1, count % self.batch_size),
        ):
            if batches and size:
                last = first + batches * size
                inputs, label, fold, weight = (
                    [
                        None if part is None else tf.reshape(part[first:last], [batches, size, *part.shape[1:]])
                        for part in parts
                    ]
                    for parts in (rows.inputs, [rows.label], [rows.fold], [rows.weight])
                )
                yield Tensors(inputs, label[0], fold[0], weight[0])

    def _run_updates(
        self,
        inputs: Sequence[tf.Tensor],
        label: tf.Tensor,
        fold: tf.Tensor | None,
        weight: tf.Tensor | None,
        step_sizes: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        steps = tf.shape(step_sizes)[0]
        losses = tf.TensorArray(label.dtype, steps)

        def update(i: tf.Tensor, _: tf.Tensor, losses: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
            loss = self._update(i, (inputs, label, fold, weight), step_sizes)
            return i + 1, loss, losses.write(i, loss)

        done, _, losses = tf.while_loop(
            lambda i, loss, _: (i < steps) & tf.math.is_finite(loss),
            update,
            (tf.constant(0), tf.zeros([], label.dtype), losses),
            parallel_iterations=1,
        )
        return done, losses.stack()

    def _update(self, i: tf.Tensor, parts: Sequence[Any], step_sizes: tf.Tensor) -> tf.Tensor:
        """Makes one update and returns the loss before it."""
        inputs, label, fold, weight = parts
        loss, gradients = self._gradients(
            [tf.gather(part, i) for part in inputs],
            tf.gather(label, i),
            None if fold is None else tf.gather(fold, i),
            None if weight is None else tf.gather(weight, i),
        )
        self.optimizer.apply(gradients, tf.gather(step_sizes, i))
        return loss

    def _gradients(
        self, inputs: list[tf.Tensor], label: tf.Tensor, fold: tf.Tensor | None, weight: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        variables = self.optimizer.variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            output = self._output(inputs, training=True)
            if fold is None and weight is None:
                loss = total = tf.reduce_mean(tf.math.squared_difference(tf.squeeze(output, axis=1), label))
            else:
                squares, learned = self._squares_of(output, label, fold, weight)
                # By the number of rows, not by their weight: else a row would count for more beside light ones.
                # Each member's gradient is that of its own mean: members do not know of each other.
                size = tf.size(label) if fold is None else tf.math.count_nonzero(fold != NO_FOLD, dtype=tf.int32)
                total = tf.reduce_sum(learned * squares) / tf.cast(size, label.dtype)
                loss = tf.math.divide_no_nan(tf.reduce_sum(learned * squares), tf.reduce_sum(learned))
                loss = tf.where(tf.math.is_finite(total), loss, total)
            penalties = self.network.losses
            total = tf.add_n([total, *penalties]) if penalties else total
        return loss, tape.gradient(total, variables)

    def _squares_of(
        self, output: tf.Tensor, label: tf.Tensor, fold: tf.Tensor | None, weight: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor | int]:
        """Returns the squared errors (rows, members), and what each counts for in what is learned."""
        learned = 1
        if fold is not None:
            fold = fold[:, None]
            learned = tf.cast((fold != self.held_out) & (fold != NO_FOLD), label.dtype)
        learned = learned if weight is None else learned * weight[:, None]
        return tf.math.squared_difference(output, label[:, None]), learned

    def _sum_of_squares(
        self, inputs: Sequence[tf.Tensor], label: tf.Tensor, weight: tf.Tensor | None = None
    ) -> tf.Tensor:
        output = tf.reduce_mean(self._output(inputs, training=False), axis=1)
        squares = tf.square(tf.cast(output - label, tf.float64))
        return tf.reduce_sum(squares if weight is None else squares * tf.cast(weight, tf.float64))

    def _held_sum_of_squares(
        self, inputs: Sequence[tf.Tensor], label: tf.Tensor, fold: tf.Tensor, weight: tf.Tensor | None = None
    ) -> tf.Tensor:
        output = self._output(inputs, training=False)
        squares = tf.square(tf.cast(output - label[:, None], tf.float64))
        squares = squares if weight is None else squares * tf.cast(weight, tf.float64)[:, None]
        return tf.reduce_sum(squares * tf.cast(fold[:, None] == self.held_out, tf.float64), axis=0)

    def _output(self, inputs: Sequence[tf.Tensor], *, training: bool) -> tf.Tensor:
        return self.network(list(inputs) if len(inputs) > 1 else inputs[0], training=training)


def _with_weights(function: Callable[..., tf.Tensor], signature: list[Any]) -> tuple[Any, Any]:
    """Returns the function compiled for rows without weights, and for rows with them as one more argument."""
    weight = tf.TensorSpec([None], signature[1].dtype)
    return tuple(tf.function(function, input_signature=[*signature, *more], autograph=False) for more in ([], [weight]))


def constants(chunk: Chunk) -> Tensors:
    """Returns rows as tensors."""
    label = tf.constant(chunk.label)
    return Tensors(
        [tf.constant(part) for part in chunk.inputs],
        label,
        None if chunk.fold is None else tf.constant(chunk.fold),
        None if chunk.weight is None else tf.constant(chunk.weight, label.dtype),
    )


def _filled_up(rows: Tensors, missing: int) -> Tensors:
    """Returns rows with as many more as are missing, which nobody learns from: the first ones, once more or oftener."""
    count = rows.label.shape[0]
    places = tf.concat([tf.range(count), tf.range(missing) % count], axis=0)
    assert rows.fold is not None
    return Tensors(
        [tf.gather(part, places) for part in rows.inputs],
        tf.gather(rows.label, places),
        tf.concat([rows.fold, tf.fill([missing], NO_FOLD)], axis=0),
        None if rows.weight is None else tf.gather(rows.weight, places),
    )
