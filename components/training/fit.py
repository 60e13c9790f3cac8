"""Fits a network to rows: epochs, learning rates, early stopping, checkpoints, history."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras

from crossnet.components import interrupts
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from crossnet.components.training.epoch import EpochLoop
from crossnet.components.training.optimizers import Optimizer
from crossnet.components.training.rows import Rows
from crossnet.components.training.schedules import learning_rates

LOGGER = logging.getLogger(__name__)

History = dict[str, list[float]]
# Called with the losses of an epoch, the last of them not finite, with the epoch, its order and its last rate; raises.
NotFinite = Callable[[npt.NDArray[np.float64], int, npt.NDArray[np.int64] | None, float], None]


def fit(
    network: tf_keras.Model,
    train: Rows,
    evaluation: Rows | None,
    *,
    params: TrainerParams,
    label_scale: float = 1.0,
    not_finite: NotFinite,
    checkpoint_dir: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    on_epoch: Callable[[int, History], None] = lambda epoch, history: None,
) -> History:
    """Trains a network in place, with the updates that Keras' `fit` makes for the same order of rows.

    The same seed gives the same bytes of weights, on the same machine with the same number of threads and the same
    TensorFlow, whether rows are held in memory or not, and whether training was killed and resumed or not. Not
    promised: the same bytes on another processor, another number of cores or another TensorFlow, which may sum in
    another order.

    Args:
      network: Model of the inputs to `[batch, 1]`, with its first weights.
      train: Rows to learn from.
      evaluation: Rows that only early stopping and the history look at.
      params: How to train.
      label_scale: Unit of the normalised label; the history is in the label's own.
      not_finite: Explains a loss that is not finite, by raising an error.
      checkpoint_dir: Where checkpoints go, and come from when there is one. None: no checkpoints.
      identity: What a checkpoint must have been made with.
      on_epoch: Called after each epoch.

    Returns:
      By epoch: `loss` (mean squared error of each batch before its update, weighted by rows) and `eval_loss` in label
      units squared, `learning_rate` of its last update, `seconds`.
    """
    optimizer = Optimizer(
        params.optimizer,
        network.trainable_variables,
        beta_1=params.beta_1,
        beta_2=params.beta_2,
        epsilon=params.epsilon,
    )
    loop = EpochLoop(network, optimizer, params.batch_size)
    steps = -(-len(train) // params.batch_size)
    sizes = np.full(steps, params.batch_size)
    sizes[-1] = len(train) - (steps - 1) * params.batch_size
    history: History = {"loss": [], "eval_loss": [], "learning_rate": [], "seconds": []}
    best: list[npt.NDArray[Any]] = []
    if checkpoint_dir is not None and (checkpoint := read_checkpoint(checkpoint_dir, identity or {})):
        history, best = _restore(checkpoint, optimizer)
        LOGGER.info("Resumed after epoch %d of %d.", len(history["loss"]), params.epochs)
    for epoch in range(len(history["loss"]), params.epochs):
        interrupts.check()
        start = time.perf_counter()
        first = epoch * steps
        rates = learning_rates(
            first,
            first + steps,
            updates=params.epochs * steps,
            highest=params.learning_rate,
            schedule=params.schedule,
            warmup_fraction=params.warmup_fraction,
        )
        order = None
        if params.shuffle:
            order = np.random.default_rng([params.seed, epoch]).permutation(len(train))
        losses = loop.run(train, optimizer.step_sizes(rates, first), order)
        if not np.isfinite(losses[-1]):
            not_finite(losses, epoch, order, float(rates[len(losses) - 1]))
        history["loss"].append(float(np.average(losses, weights=sizes)) * label_scale**2)
        if evaluation is not None:
            history["eval_loss"].append(loop.mean_squared_error(evaluation) * label_scale**2)
        history["learning_rate"].append(float(rates[-1]))
        history["seconds"].append(time.perf_counter() - start)
        on_epoch(epoch, history)
        patience = params.early_stopping_patience
        if patience is not None:
            losses_so_far = np.nan_to_num(history["eval_loss"], nan=np.inf)  # argmin would take a NaN for the lowest
            age = len(losses_so_far) - 1 - int(np.argmin(losses_so_far))
            if age == 0:
                best = [variable.numpy() for variable in network.trainable_variables]
            if age >= patience:
                LOGGER.info("Stopped early after epoch %d: no lower eval loss for %d epochs.", epoch + 1, patience)
                break
        done = epoch + 1
        if checkpoint_dir is not None and done % params.checkpoint_every == 0 and done < params.epochs:
            write_checkpoint(checkpoint_dir, _checkpoint(identity or {}, history, optimizer, best))
    if not all(np.isfinite(variable).all() for variable in optimizer.variables):
        # The last update of all did it; no batch came after to show it.
        not_finite(np.append(losses[:-1], np.nan), epoch, order, float(rates[-1]))
    for variable, value in zip(network.trainable_variables, best, strict=False):
        variable.assign(value)  # early stopping gives back the weights of the best epoch
    return history


def _checkpoint(
    identity: Mapping[str, Any], history: History, optimizer: Optimizer, best: list[npt.NDArray[Any]]
) -> Checkpoint:
    arrays = {f"weight_{i}": variable.numpy() for i, variable in enumerate(optimizer.variables)}
    for j, slots in enumerate(optimizer.slots):
        arrays |= {f"slot_{j}_{i}": slot.numpy() for i, slot in enumerate(slots)}
    arrays |= {f"best_{i}": value for i, value in enumerate(best)}
    return Checkpoint(identity, {"history": history}, arrays)


def _restore(checkpoint: Checkpoint, optimizer: Optimizer) -> tuple[History, list[npt.NDArray[Any]]]:
    arrays = checkpoint.arrays
    for i, variable in enumerate(optimizer.variables):
        variable.assign(arrays[f"weight_{i}"])
        for j, slots in enumerate(optimizer.slots):
            slots[i].assign(arrays[f"slot_{j}_{i}"])
    best = [arrays[f"best_{i}"] for i in range(len(optimizer.variables)) if f"best_{i}" in arrays]
    return checkpoint.state["history"], best
