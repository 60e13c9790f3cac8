"""Trains one network on the train split and exports it."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import HISTORY_FILE, OUT_OF_FOLD_FILE, SERVING_FOLDER, Model
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.files import folder_checksum, write_file, write_json
from crossnet.components.networks.export import export_model
from crossnet.components.networks.interval import Interval
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.networks.train_values import train_values
from crossnet.components.networks.warmup_requests import write_warmup_requests
from crossnet.components.params.networks import ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.records.dataset import read_dataset
from crossnet.components.training.blend import Blend, blend
from crossnet.components.training.calibration import doubt, measure_interval
from crossnet.components.training.checkpoints import Checkpoints
from crossnet.components.training.checks import checked_recipe
from crossnet.components.training.diagnosis import diagnose, raise_not_finite
from crossnet.components.training.fit import History
from crossnet.components.training.fitted import Fitted, Trained, fit_network, trained_instead
from crossnet.components.training.folds import MANY_UNITS, distinct_units, group_column
from crossnet.components.training.identity import identity, told
from crossnet.components.training.learned_rows import LearnedRows, learned_rows
from crossnet.components.training.order import Order
from crossnet.components.training.out_of_fold import write_out_of_fold
from crossnet.components.training.progress import Progress
from crossnet.components.training.recipe import Recipe, chosen
from crossnet.components.training.rows import Rows
from crossnet.components.training.untrained import Untrained, make_untrained
from crossnet.components.training.unused_embeddings import fill_unused_embeddings
from crossnet.components.training.workers import training_devices
from crossnet.serving.protocol.column_rules import COLUMNS_FILE
from crossnet.serving.protocol.csv_format import FORMAT_FILE, CsvFormat
from crossnet.serving.protocol.train_values import TRAIN_VALUES_FILE

LOGGER = logging.getLogger(__name__)


# Nothing here branches on a tensor, and to look for it takes seconds.
@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def train_model(
    examples: Examples,
    schema: Schema,
    statistics: Statistics,
    *,
    output_dir: Path,
    params: TrainerParams,
    model: ModelParams,
    checkpoint_dir: Path | None = None,
    warm_start: Path | None = None,
) -> Model:
    """Trains a network on the train split and exports it with its preprocessing.

    `fit` says when two trainings give equal results. Where rows have weights, they weigh losses, the choice of epochs,
    the blend of members and the interval; only ratios matter. A row of weight 0 changes nothing but statistics.

    Args:
      examples: Rows in splits `train` and, unless empty, `eval`, which only the history looks at.
      schema: Names and types of features and label, domains of text.
      statistics: Of train: means, scales, vocabularies.
      output_dir: An empty folder; gets Format-Serving, history.json and, if asked for, logs.
      params, model: How to train, and what.
      checkpoint_dir: Where checkpoints go; a training that was killed is resumed from there. None: no checkpoints.
      warm_start: A Model or SavedModel exported here, to start from its weights. None: from random ones.

    Returns:
      The Model. Properties: `kind`, `checksum`, `train_seconds`, `updates`, `chosen` (settings that were "auto"),
      `shares` (of each member in a prediction; None: there is one network), `linear_share` (of the linear model; None:
      it has none), `diagnosis` and `notes` (sentences), `preprocessing`.

    Raises:
      TrainingError: Before training, when settings, data, checkpoint or warm start do not fit together; during it, when
        the loss is not finite.
    """
    start = time.perf_counter()
    with training_devices(params, told(examples, [schema, statistics], params, model)) as replicas:
        learned = learned_rows(examples, statistics, replicas.sharing if replicas else None)
        recipe = checked_recipe(examples.label, learned, params, model)
        make = partial(make_untrained, learned, schema, recipe, model, warm_start)
        untrained, instead = make(), trained_instead(replicas, recipe, make)
        checkpoints = Checkpoints(checkpoint_dir, identity(untrained, examples, recipe)) if checkpoint_dir else None
        history, result, diagnosis = _train(untrained, examples, recipe, checkpoints, output_dir, instead)
        _export(untrained, learned, examples, recipe, result, output_dir)
        write_json(output_dir / HISTORY_FILE, history)
    return Model(
        path=output_dir,
        counts={"parameters": untrained.network_parameters + result.linear_parameters},
        properties={
            "kind": model.kind,
            "checksum": folder_checksum(output_dir / SERVING_FOLDER),
            "train_seconds": time.perf_counter() - start,
            "updates": -(-learned.count // recipe.batch_size) * len(history["loss"]),
            "chosen": chosen(params, recipe) | chosen(model.architecture, untrained.model.architecture),
            **result.properties,
            "diagnosis": diagnosis,
            "notes": untrained.preprocessing.notes,
            "preprocessing": untrained.preprocessing.facts,
            "warm_start": untrained.exported.path.name if untrained.exported else None,
        },
    )


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def join_training(
    examples: Examples,
    schema: Schema,
    statistics: Statistics,
    *,
    output_dir: Path,
    params: TrainerParams,
    model: ModelParams,
    warm_start: Path | None = None,
) -> None:
    """Trains with others as a worker that writes nothing, and waits until worker 0 has written the model.

    Args:
      examples, schema, statistics, params, model, warm_start: Those of `train_model` on worker 0.
      output_dir: A folder for rows that do not fit in memory.

    Raises:
      TrainingError: As of `train_model`; or worker 0 has failed.
    """
    alike = told(examples, [schema, statistics], params, model)
    with training_devices(params, alike, writes=False) as replicas:
        learned = learned_rows(examples, statistics, replicas.sharing if replicas else None)
        recipe = checked_recipe(examples.label, learned, params, model)
        make = partial(make_untrained, learned, schema, recipe, model, warm_start)
        untrained, instead = make(), trained_instead(replicas, recipe, make)
        explain = partial(_explain, examples, untrained.preprocessing, recipe)
        with ExitStack() as stack:
            found = fit_network(stack, untrained, examples, recipe, explain, scratch=output_dir, instead=instead)
            if found.train.blocks is not None:  # the chief needs what is known of these rows alone
                _finish(untrained, found, recipe)
        if instead:
            instead.doubts()


class _Result(NamedTuple):
    """What is known of predictions beside the weights.

    Attributes:
      blend: Of what they are made; None: no rows were held out, and there is one network.
      interval: How far labels lie from them, where that was asked for.
    """

    blend: Blend | None = None
    interval: Interval | None = None

    @property
    def shares(self) -> list[float] | None:
        """Each member's share, where there are several."""
        return self.blend.shares if self.blend else None

    @property
    def linear_parameters(self) -> int:
        """How many numbers the linear model has learned."""
        return self.blend.linear.num_parameters if self.blend and self.blend.linear else 0

    @property
    def properties(self) -> dict[str, Any]:
        """What the Model says of it."""
        return {"shares": self.shares, "linear_share": self.blend.linear_share or None if self.blend else None}

    @property
    def description(self) -> dict[str, Any]:
        """What the export needs to know of it."""
        if self.blend is None or self.blend.shares is None:
            return {}
        if self.blend.linear is None:
            return {"shares": self.blend.shares}
        return {"shares": [*self.blend.shares, self.blend.linear_share], "linear": self.blend.linear.to_json()}


def _train(
    untrained: Untrained,
    examples: Examples,
    params: Recipe,
    checkpoints: Checkpoints | None,
    output_dir: Path,
    instead: Trained | None,
) -> tuple[History, _Result, list[str]]:
    """Trains the network in place; returns history, how outputs make a prediction, and in words what looks wrong."""
    network, preprocessing = untrained.network, untrained.preprocessing
    with ExitStack() as stack:
        fitted = fit_network(
            stack,
            untrained,
            examples,
            params,
            partial(_explain, examples, preprocessing, params),
            scratch=output_dir,
            instead=instead,
            checkpoints=checkpoints,
            on_epoch=stack.enter_context(Progress(params, output_dir)),
        )
        history, train, held_out = fitted
        is_share = train.blocks is not None  # other workers are needed until all is known of their rows
        doubts = instead.doubts() if instead and not is_share else []
        made = _finish(untrained, fitted, params)
        doubts += instead.doubts() if instead and is_share else []
        diagnosis = [*doubts, *diagnose(network, train)]
        result = _Result()
        if made and held_out is not None:
            rows, preprocessing = made.rows, untrained.preprocessing
            write_out_of_fold(output_dir / OUT_OF_FOLD_FILE, made.found, made.of_groups, rows, preprocessing)
            interval = None
            if params.interval_coverage is not None:
                assert rows.units is not None
                coverage = params.interval_coverage
                interval = measure_interval(made.found, made.of_groups, rows, preprocessing, coverage)
                column = group_column(examples)
                seen = distinct_units(rows.units, MANY_UNITS, rows.places_in(held_out)) if column else None
                groups = (MANY_UNITS if seen is None else len(seen)) if column else None
                diagnosis += filter(None, [doubt(interval, groups, column)] if interval else [])
            result = _Result(made, interval)
    for sentence in diagnosis:
        LOGGER.warning("%s: %s", untrained.model.kind, sentence)
    return history, result, diagnosis


def _finish(untrained: Untrained, fitted: Fitted, params: Recipe) -> Blend | None:
    """Fills unused embeddings; returns how outputs make a prediction, None where no rows were held out."""
    network, train, preprocessing = untrained.network, fitted.train, untrained.preprocessing
    known = untrained.exported.preprocessing if untrained.exported else None
    fill_unused_embeddings(network, train, preprocessing, known=known)
    if fitted.held_out is None:
        return None
    made = blend(network, train, preprocessing, params)
    untrained.transform.preprocessing = preprocessing.reaching(made.linear_share)
    return made


def _export(
    trained: Untrained, learned: LearnedRows, examples: Examples, params: Recipe, result: _Result, output_dir: Path
) -> None:
    folder = output_dir / SERVING_FOLDER
    description = {**trained.description, **result.description}
    interval = result.interval.to_json() if result.interval else None
    export_model(trained.network, trained.transform, folder, description=description, interval=interval)
    csv_format = CsvFormat.of(examples.properties.get("settings", {}))
    if csv_format.changed():  # `predict` reads rows for this model likewise
        write_file(folder / FORMAT_FILE, csv_format.to_json())
    if rules := examples.column_rules.to_json():
        write_file(folder / COLUMNS_FILE, rules)
    values = train_values(trained.preprocessing, learned.statistics)  # `predict` compares rows with them
    write_file(folder / TRAIN_VALUES_FILE, values.to_json())
    if params.warmup_records:
        features = trained.preprocessing.features
        columns, _ = next(read_dataset(examples, "train", features, None, batch_size=params.warmup_records))
        write_warmup_requests(folder, features, columns, model_name=trained.model.model_name)


def _explain(examples: Examples, preprocessing: Preprocessing, params: Recipe, train: Rows) -> Any:
    """Returns what `fit` calls when a loss is not finite."""

    def locate(row: int) -> str:
        from crossnet.components.sources import provenance

        return str(provenance.locate(examples, "train", row))

    def not_finite(losses: npt.NDArray[np.float64], epoch: int, order: Order | None, rate: float) -> None:
        raise_not_finite(
            losses.tolist(),
            epoch=epoch,
            batch_size=params.batch_size,
            rows=train,
            number_names=preprocessing.number_names,
            order=order,
            locate=locate,
            learning_rate=rate,
        )

    return not_finite
