"""Fits a network to rows: epochs, learning rates, early stopping, checkpoints, history."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tf_keras

from crossnet.components import interrupts
from crossnet.components.formats import counted
from crossnet.components.training.best_epochs import BestEpochs
from crossnet.components.training.checkpoints import Checkpoint, Checkpoints
from crossnet.components.training.epoch import NO_LOSSES, EpochLoop, Losses
from crossnet.components.training.optimizers import Optimizer
from crossnet.components.training.order import Order
from crossnet.components.training.recipe import Recipe
from crossnet.components.training.replicas import Replicas
from crossnet.components.training.replicated import ReplicatedLoop
from crossnet.components.training.rows import Rows
from crossnet.components.training.schedules import learning_rates
from crossnet.components.training.shared_checkpoints import SharedCheckpoints
from crossnet.components.training.shared_loop import SharedLoop
from crossnet.components.training.shared_rows import SharedRows

LOGGER = logging.getLogger(__name__)

History = dict[str, list[float]]
# Called with the losses of an epoch, the last of them not finite, with the epoch, its order and its last rate; raises.
NotFinite = Callable[[npt.NDArray[np.float64], int, Order | None, float], None]


def fit(
    network: tf_keras.Model,
    train: Rows,
    evaluation: Rows | None,
    *,
    params: Recipe,
    not_finite: NotFinite,
    label_scale: float = 1.0,
    held_out: Sequence[int] | None = None,
    checkpoints: Checkpoints | SharedCheckpoints | None = None,
    on_epoch: Callable[[int, History], None] = lambda epoch, history: None,
    replicas: Replicas | None = None,
) -> History:
    """Trains a network in place, with the updates that Keras' `fit` makes for the same order of rows.

    The same seed gives the same bytes of weights, on the same machine with the same number of threads and the same
    TensorFlow, whether rows are kept in memory or not, and whether training was killed and resumed or not. Not
    promised: the same bytes on another processor, another number of cores or another TensorFlow, which may sum in
    another order.

    Args:
      network: Model of the inputs to `[batch, 1]`, with its first weights.
      train: Rows to learn from and, where members hold some out, to stop by.
      evaluation: Rows that only the history looks at.
      params: How to train.
      not_finite: Explains a loss that is not finite, by raising an error.
      label_scale: Unit of the normalised label; the history is in the label's own.
      held_out: For each member of the network, the fold (`train.fold`) that it does not learn from: it gives the epoch
        whose weights a member keeps, and ends the training. None: all rows are learned from, to the last epoch.
      checkpoints: Where checkpoints go, and come from when there is one. None: no checkpoints.
      on_epoch: Called after each epoch.
      replicas: Who shares the batches; the network was made in their scope. Equal bytes are promised for as many
        replicas alone. None: this process, on one device.

    Returns:
      By epoch: `loss` (mean squared error of each batch before its update, weighted by rows), `validation_loss` (the
      mean of the members', each over the rows that it holds out) and `eval_loss`, in label units squared,
      `learning_rate` of its last update, `seconds`. Where rows have weights, all three losses are weighted by them.
    """
    training = _Training(network, train, evaluation, params, label_scale, not_finite, held_out, replicas)
    if checkpoints:
        training.save = checkpoints.write
        if checkpoint := checkpoints.read():
            training.restore(checkpoint)
            LOGGER.info("Resumed after %s.", training.position)
    with replicas.watched() if replicas else contextlib.nullcontext():
        for epoch in range(training.epochs_done, params.epochs):
            interrupts.check()
            if not training.run_epoch(epoch):
                break
            on_epoch(epoch, training.history)
            if training.stops_early():
                break
            done = epoch + 1
            if checkpoints and done % params.checkpoint_every == 0 and done < params.epochs:
                checkpoints.write(training.checkpoint())
    training.finish()
    return training.history


class _Pass(NamedTuple):
    """One pass over the train rows.

    Attributes:
      epoch: Its number, counted from 0.
      order: Of the rows. None: as recorded.
      rates: The learning rate of each update, float64 (updates,).
      losses: The loss of each batch before its update, float64 (updates,); fewer where one is not finite.
    """

    epoch: int
    order: Order | None
    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]


class _Training:
    """A training between two epochs; the arguments are those of `fit`."""

    def __init__(
        self,
        network: tf_keras.Model,
        train: Rows,
        evaluation: Rows | None,
        params: Recipe,
        label_scale: float,
        not_finite: NotFinite,
        held_out: Sequence[int] | None,
        replicas: Replicas | None,
    ) -> None:
        self.train, self.evaluation = train, evaluation
        self.params = params
        self.label_scale = label_scale
        self.not_finite = not_finite
        with replicas.scope() if replicas else contextlib.nullcontext():
            self.optimizer = Optimizer(
                params.optimizer,
                network.trainable_variables,
                beta_1=params.beta_1,
                beta_2=params.beta_2,
                epsilon=params.epsilon,
                weight_decay=params.decays,
            )
        loop = network, self.optimizer, params.batch_size, held_out
        self.loop: EpochLoop = EpochLoop(*loop) if replicas is None else ReplicatedLoop(*loop, replicas)
        if replicas is not None and isinstance(train, SharedRows):
            self.loop = SharedLoop(*loop, replicas, train)
        self.best = None if held_out is None else BestEpochs(self.optimizer.variables, len(held_out))
        names = ["loss", *(["validation_loss"] if self.best else []), "eval_loss", "learning_rate", "seconds"]
        self.history: History = {name: [] for name in names}
        self.last: _Pass | None = None
        self.begun = NO_LOSSES  # of the updates that a killed process made in the epoch that is next
        self.save: Callable[[Checkpoint], None] | None = None

    @property
    def epochs_done(self) -> int:
        return len(self.history["loss"])

    @property
    def position(self) -> str:
        """How far the training is, in words."""
        epochs = f"epoch {self.epochs_done} of {self.params.epochs}"
        return f"{epochs} and {counted(len(self.begun), 'update')}" if len(self.begun) else epochs

    def run_epoch(self, epoch: int) -> bool:
        """Updates the weights once per batch and adds the epoch to the history.

        Returns:
          Whether the losses are finite: where they are not, `finish` says so.
        """
        start = time.perf_counter()
        last = self.last = self._pass(epoch)
        if not np.isfinite(last.losses[-1]):
            return False
        sizes = self.loop.batch_weights(self.train, last.order)
        self.history["loss"].append(float(np.average(last.losses, weights=sizes)) * self.label_scale**2)
        if self.best is not None:
            losses = self.loop.validation_errors(self.train)
            self.best.add(epoch, losses)
            self.history["validation_loss"].append(float(np.mean(losses)) * self.label_scale**2)
        if self.evaluation is not None:
            self.history["eval_loss"].append(self.loop.mean_squared_error(self.evaluation) * self.label_scale**2)
        self.history["learning_rate"].append(float(last.rates[-1]))
        self.history["seconds"].append(time.perf_counter() - start)
        return True

    def _pass(self, epoch: int) -> _Pass:
        params = self.params
        updates = self.train.updates(params.batch_size)
        first = epoch * updates
        rates = learning_rates(
            first,
            first + updates,
            updates=params.epochs * updates,
            highest=params.learning_rate,
            schedule=params.schedule,
            warmup_fraction=params.warmup_fraction,
        )
        window = max(params.batch_size, (params.shuffle_mib << 20) // self.train.row_bytes)
        order = self.train.order(window, params.seed, epoch) if params.shuffle else None
        sizes = self.optimizer.step_sizes(rates, first)
        saved = len(self.begun)

        def save(losses: Sequence[Losses]) -> None:
            nonlocal saved
            done = sum(map(len, losses))
            if self.save and done - saved >= params.checkpoint_updates:
                saved = done
                self.save(self.checkpoint(np.concatenate(losses)))

        losses = self.loop.run(self.train, sizes, order, before=self.begun, on_updates=save)
        self.begun = NO_LOSSES
        return _Pass(epoch, order, rates, losses)

    def stops_early(self) -> bool:
        """Returns whether every member's best epoch is `early_stopping_patience` epochs old."""
        patience = self.params.early_stopping_patience
        if patience is None or self.best is None or self.epochs_done - 1 - max(self.best.epochs) < patience:
            return False
        LOGGER.info("Stopped early after epoch %d: no lower loss on held-out rows for %d.", self.epochs_done, patience)
        return True

    def finish(self) -> None:
        """Checks the last update; where rows were held out, takes the weights of each member's best epoch."""
        if self.last and not np.isfinite(self.last.losses[-1]):
            epoch, order, rates, losses = self.last
            self.not_finite(losses, epoch, order, float(rates[len(losses) - 1]))
        if self.last and not all(np.isfinite(variable).all() for variable in self.optimizer.variables):
            # The last update of all did it; no batch came after to show it.
            epoch, order, rates, losses = self.last
            self.not_finite(np.append(losses[:-1], np.nan), epoch, order, float(rates[-1]))
        if self.best is not None:
            self.best.restore_weights()

    def checkpoint(self, losses: Losses = NO_LOSSES) -> Checkpoint:
        """Returns all that `restore` needs to go on after this epoch and the updates with these losses."""
        arrays = {"losses": losses}
        arrays |= {f"weight_{i}": variable.numpy() for i, variable in enumerate(self.optimizer.variables)}
        for j, slots in enumerate(self.optimizer.slots):
            arrays |= {f"slot_{j}_{i}": slot.numpy() for i, slot in enumerate(slots)}
        if self.best is not None:
            arrays |= self.best.arrays()
        return Checkpoint({"history": self.history}, arrays)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes back to the update that a checkpoint was made after."""
        arrays, variables = checkpoint.arrays, self.optimizer.variables
        for i, variable in enumerate(variables):
            variable.assign(arrays[f"weight_{i}"])
            for j, slots in enumerate(self.optimizer.slots):
                slots[i].assign(arrays[f"slot_{j}_{i}"])
        if self.best is not None:
            self.best.read(arrays)
        self.history, self.begun = checkpoint.state["history"], arrays["losses"]
