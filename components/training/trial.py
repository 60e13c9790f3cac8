"""Trains a network for its error on held-out rows alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.errors import DivergedError, TrainingError
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.params.networks import ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.blend import blend
from crossnet.components.training.checks import checked_recipe
from crossnet.components.training.fit import History, fit
from crossnet.components.training.fitted import trained_instead
from crossnet.components.training.folds import assign_folds, units_of
from crossnet.components.training.learned_rows import learned_rows
from crossnet.components.training.out_of_fold import in_label_unit
from crossnet.components.training.recipe import Recipe
from crossnet.components.training.rows import Rows, read_rows
from crossnet.components.training.untrained import make_untrained


class Trial(NamedTuple):
    """What has come of a training.

    Attributes:
      rmse: Of the blend of all members, on the rows of train that they have not learned from, in the label's unit; rows
        weigh what they weigh.
      rows: How many rows that are.
      epochs: Epochs trained.
      parameters: Trained numbers of the network.
    """

    rmse: float
    rows: int
    epochs: int
    parameters: int


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def try_settings(
    examples: Examples,
    schema: Schema,
    statistics: Statistics,
    *,
    params: TrainerParams,
    model: ModelParams,
    scratch: Path,
    on_epoch: Callable[[float, float], None] = lambda share, loss: None,
) -> Trial:
    """Trains a network as `train_model` does, and exports nothing; the split `eval` is not read.

    Args:
      examples: Rows in the split `train`.
      schema, statistics: Theirs.
      params: How to train; some rows must be held out.
      model: What to train.
      scratch: A folder for rows that do not fit in memory.
      on_epoch: Called after each epoch with the share of all epochs that is done, and with the lowest loss so far on
        rows that are held out. What it raises ends the training.

    Raises:
      TrainingError: Settings and data do not fit together, or no rows are held out.
      DivergedError: The loss is not finite.
    """
    learned = learned_rows(examples, statistics)
    recipe = checked_recipe(examples.label, learned, params, model)
    if recipe.early_stopping_patience is None:
        raise TrainingError(
            "Trials are judged on rows of train that are held out, and none are. Set `trainer.preset` to table, or "
            "`trainer.early_stopping_patience` to auto or a number of epochs."
        )
    make = partial(make_untrained, learned, schema, recipe, model)
    untrained, instead = make(), trained_instead(None, recipe, make)
    network, preprocessing = untrained.network, untrained.preprocessing

    def report(epoch: int, history: History) -> None:
        on_epoch((epoch + 1) / recipe.epochs, float(min(history["validation_loss"])))

    with read_rows(
        examples, "train", untrained.transform, untrained.label, scratch=scratch, cache_mib=params.cache_mib
    ) as train:
        units = units_of(examples, train, recipe.folds)
        train.hold_out(assign_folds(units, recipe.folds, train.file_for("folds")), recipe.folds)
        history = fit(
            instead.network if instead else network,
            train,
            None,
            params=recipe,
            label_scale=preprocessing.label_scale,
            held_out=recipe.held_out,
            not_finite=_diverged,
            on_epoch=report,
        )
        if instead:
            network.set_weights(instead.network.get_weights())
        rmse, rows = _held_out_rmse(network, train, preprocessing, recipe)
    if not np.isfinite(rmse):
        raise DivergedError("The predictions of held-out rows are not finite.")
    return Trial(rmse, rows, len(history["loss"]), network.count_params())


def _held_out_rmse(
    network: tf_keras.Model, train: Rows, preprocessing: Preprocessing, recipe: Recipe
) -> tuple[float, int]:
    """Returns the RMSE of the blend on the rows that members held out, and how many these are."""
    assert recipe.early_stopping_patience is not None
    blended = blend(network, train, preprocessing, recipe)
    found, preprocessing = blended.found, preprocessing.reaching(blended.linear_share)
    weight = None if train.weight is None else train.weight[found.row[:]]
    label = train.label[found.row[:]].astype(np.float64)
    predictions = found.blended(blended.of_groups)
    errors = in_label_unit(predictions, preprocessing, clip=True) - in_label_unit(label, preprocessing)
    return float(np.sqrt(np.average(np.square(errors), weights=weight))), len(errors)


def _diverged(losses: Any, epoch: int, order: Any, rate: float) -> None:
    raise DivergedError(f"The loss is {losses[-1]} in epoch {epoch + 1}.")
