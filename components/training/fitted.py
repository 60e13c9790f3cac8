"""Reads the rows of a training and fits its network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import tf_keras

from crossnet.components.artifacts.examples import Examples
from crossnet.components.training.checkpoints import Checkpoints
from crossnet.components.training.fit import History, NotFinite, fit
from crossnet.components.training.folds import assign_folds, units_of
from crossnet.components.training.recipe import Recipe
from crossnet.components.training.replicas import Replicas
from crossnet.components.training.rows import Rows, Values, read_rows
from crossnet.components.training.untrained import Untrained


class Spread(NamedTuple):
    """A network on several devices.

    Attributes:
      replicas: The devices.
      network: The network, with a copy of its weights on each.
    """

    replicas: Replicas
    network: tf_keras.Model


def spread_over(replicas: Replicas | None, make: Callable[[], Untrained]) -> Spread | None:
    """Makes a network on several devices; None where there are none."""
    if replicas is None:
        return None
    with replicas.scope():
        return Spread(replicas, make().network)


class Fitted(NamedTuple):
    """What has come of the updates.

    Attributes:
      history: As `fit` returns it.
      train: The rows that were learned from.
      units: What each row belongs to, where some were held out.
      held_out: The fold that each member did not learn from; None: all learned from all.
      doubts: Sentences on devices that have come to other weights.
    """

    history: History
    train: Rows
    units: Values | None
    held_out: Sequence[int] | None
    doubts: list[str]


def fit_network(
    stack: ExitStack,
    untrained: Untrained,
    examples: Examples,
    params: Recipe,
    explain: Callable[[Rows], NotFinite],
    *,
    scratch: Path,
    spread: Spread | None = None,
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
      spread: The same network on the devices that train together; None: one does.
      checkpoints, on_epoch: As of `fit`.

    Raises:
      TrainingError: A loss is not finite; a worker ended too early.
    """

    def read(split: str) -> Rows:
        rows = read_rows(
            examples, split, untrained.transform, untrained.label, scratch=scratch, cache_mib=params.cache_mib
        )
        return stack.enter_context(rows)

    train, units = read("train"), None
    evaluation = read("eval") if examples.counts.get("eval") else None
    held_out = None if params.early_stopping_patience is None else params.held_out
    if held_out is not None:
        units = units_of(examples, train, params.folds)
        train.fold = assign_folds(units, params.folds, train.file_for("folds"))
    replicas = spread.replicas if spread else None
    history = fit(
        spread.network if spread else untrained.network,
        train,
        evaluation if evaluation is not None and len(evaluation) else None,
        params=params,
        label_scale=untrained.preprocessing.label_scale,
        held_out=held_out,
        not_finite=explain(train),
        checkpoints=replicas.checkpoints(checkpoints) if replicas else checkpoints,
        on_epoch=on_epoch,
        replicas=replicas,
    )
    doubts = []
    if spread:
        untrained.network.set_weights(spread.network.get_weights())
        doubts = spread.replicas.compare(untrained.network.get_weights())
    return Fitted(history, train, units, held_out, doubts)
