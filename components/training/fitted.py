"""Reads the rows of a training and fits its network."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import tf_keras

from crossnet.components.artifacts.examples import Examples
from crossnet.components.params.trainer import FLOAT32
from crossnet.components.training.checkpoints import Checkpoints
from crossnet.components.training.fit import History, NotFinite, fit
from crossnet.components.training.folds import assign_folds, units_of
from crossnet.components.training.recipe import Recipe
from crossnet.components.training.replicas import Replicas
from crossnet.components.training.rows import Rows, read_rows
from crossnet.components.training.shared_rows import SharedRows, shared
from crossnet.components.training.untrained import Untrained


class Trained(NamedTuple):
    """A network that is trained in place of another, of equal weights.

    Attributes:
      replicas: The devices that train together, each with a copy of its weights; None: one does.
      network: The network.
    """

    replicas: Replicas | None
    network: tf_keras.Model

    def doubts(self) -> list[str]:
        """Ends the training; returns in sentences which devices have come to other weights.

        Call it once neither the rows are needed nor what other workers know of theirs: a worker that writes nothing
        waits here until worker 0 is done.

        Raises:
          TrainingError: A worker ended too early.
        """
        return self.replicas.compare(self.network.get_weights()) if self.replicas else []


def trained_instead(replicas: Replicas | None, params: Recipe, make: Callable[..., Untrained]) -> Trained | None:
    """Makes a network for several devices, or for another precision; None where neither is asked for.

    Args:
      replicas: The devices; None: one trains.
      params: How to train.
      make: `make_untrained`, but for `compute`.
    """
    if replicas is None and params.precision == FLOAT32:
        return None
    with replicas.scope() if replicas else contextlib.nullcontext():
        return Trained(replicas, make(compute=params.precision).network)


class Fitted(NamedTuple):
    """What has come of the updates.

    Attributes:
      history: As `fit` returns it.
      train: The rows that were learned from; their `units`, where some were held out.
      held_out: The fold that each member did not learn from; None: all learned from all.
    """

    history: History
    train: Rows
    held_out: Sequence[int] | None


def fit_network(
    stack: ExitStack,
    untrained: Untrained,
    examples: Examples,
    params: Recipe,
    explain: Callable[[Rows], NotFinite],
    *,
    scratch: Path,
    instead: Trained | None = None,
    checkpoints: Checkpoints | None = None,
    on_epoch: Callable[[int, History], None] = lambda epoch, history: None,
) -> Fitted:
    """Trains a network in place.

    Args:
      stack: The rows can be read until it is left.
      untrained: The network.
      examples: The rows.
      params: How to train.
      explain: Makes of the rows of train what `fit` calls when a loss is not finite.
      scratch: A folder for rows that do not fit in memory.
      instead: What is trained in its place; None: nothing.
      checkpoints, on_epoch: As of `fit`.

    Raises:
      TrainingError: A loss is not finite; a worker ended too early.
    """

    def read(split: str) -> Rows:
        where: Any = {"scratch": scratch, "cache_mib": params.cache_mib, "sharing": sharing}
        rows = read_rows(examples, split, untrained.transform, untrained.label, **where)
        return shared(stack.enter_context(rows), sharing, examples.counts[split])

    replicas = instead.replicas if instead else None
    sharing = replicas.sharing if replicas else None
    train = read("train")
    if isinstance(train, SharedRows):
        train.check()
    evaluation = read("eval") if examples.counts.get("eval") else None
    held_out = None if params.early_stopping_patience is None else params.held_out
    if held_out is not None:
        _hold_out(examples, train, params.folds)
    history = fit(
        instead.network if instead else untrained.network,
        train,
        evaluation if evaluation is not None and evaluation.whole else None,
        params=params,
        label_scale=untrained.preprocessing.label_scale,
        held_out=held_out,
        not_finite=explain(train),
        checkpoints=replicas.checkpoints(checkpoints) if replicas else checkpoints,
        on_epoch=on_epoch,
        replicas=replicas,
    )
    if instead:
        untrained.network.set_weights(instead.network.get_weights())
    return Fitted(history, train, held_out)


def _hold_out(examples: Examples, train: Rows, folds: int) -> None:
    """Cuts the rows of train into folds."""
    train.units = units_of(examples, train, folds)
    train.hold_out(assign_folds(train.units, folds, train.file_for("folds"), train), folds)
