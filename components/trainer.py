"""Trains one network on the train split and exports it."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import HISTORY_FILE, SERVING_FOLDER, Model
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.errors import TrainingError
from crossnet.components.features import Feature, read_schema
from crossnet.components.files import folder_checksum, write_file, write_json
from crossnet.components.networks.export import export_model
from crossnet.components.networks.exported import ExportedModel, read_exported
from crossnet.components.networks.input_choice import make_preprocessing
from crossnet.components.networks.models import build_network, describe, initialize
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.networks.warmup_requests import write_warmup_requests
from crossnet.components.params.networks import DenseParams, ModelParams
from crossnet.components.params.trainer import OPTIMIZERS, TrainerParams
from crossnet.components.records.dataset import read_dataset
from crossnet.components.training.checkpoints import Checkpoints
from crossnet.components.training.diagnosis import diagnose, raise_not_finite
from crossnet.components.training.fit import History, fit
from crossnet.components.training.progress import Progress
from crossnet.components.training.rows import Rows, read_rows
from crossnet.components.training.unused_embeddings import fill_unused_embeddings
from crossnet.components.training.warm_start import continue_preprocessing, load_weights
from crossnet.serving.protocol.column_rules import COLUMNS_FILE
from crossnet.serving.protocol.csv_format import FORMAT_FILE, CsvFormat
from crossnet.serving.protocol.suggestions import did_you_mean

LOGGER = logging.getLogger(__name__)

# Settings that change how training runs, not what it gives.
WITHOUT_EFFECT = ("checkpoint_every", "cache_mib", "warmup_records", "tensorboard", "warm_start")


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

    `crossnet.components.training.fit.fit` says when two trainings give equal results.

    Args:
      examples: Rows in splits `train` and, unless empty, `eval` (for the history and early stopping).
      schema: Names and types of features and label, domains of text.
      statistics: Of train: means, scales, vocabularies.
      output_dir: An empty folder; gets Format-Serving, history.json and, if asked for, logs.
      params: How to train.
      model: What to train.
      checkpoint_dir: Where checkpoints go; a training that was killed is resumed from there. None: no checkpoints.
      warm_start: A Model or SavedModel exported here, to start from its weights. None: from random ones.

    Returns:
      The Model. Properties: `kind`, `checksum`, `train_seconds`, `updates`, `diagnosis` (sentences), `preprocessing`.

    Raises:
      TrainingError: Before training, when settings, data, checkpoint or warm start do not fit together; during it, when
        the loss is not finite.
    """
    start = time.perf_counter()
    if isinstance(model.architecture, DenseParams) and model.architecture.learning_rate:
        params = dataclasses.replace(params, learning_rate=model.architecture.learning_rate)
    _check_params(examples, params)
    untrained = _make_untrained(schema, statistics, params, model, warm_start)
    checkpoints = Checkpoints(checkpoint_dir, _identity(untrained, examples, params)) if checkpoint_dir else None
    history, diagnosis = _train(untrained, examples, params, checkpoints, output_dir)
    _export(untrained, examples, params, output_dir)
    write_json(output_dir / HISTORY_FILE, history)
    updates = -(-examples.counts["train"] // params.batch_size)
    return Model(
        path=output_dir,
        counts={"parameters": sum(math.prod(variable.shape) for variable in untrained.network.trainable_variables)},
        properties={
            "kind": model.kind,
            "checksum": folder_checksum(output_dir / SERVING_FOLDER),
            "train_seconds": time.perf_counter() - start,
            "updates": updates * len(history["loss"]),
            "diagnosis": diagnosis,
            "preprocessing": _facts(untrained.preprocessing),
            "warm_start": untrained.exported.path.name if untrained.exported else None,
        },
    )


@dataclass(frozen=True)
class _Untrained:
    """A network with its first weights.

    Attributes:
      model: What it was made from.
      network: The network; training changes its weights in place.
      transform: Its preprocessing.
      label: The column that it learns.
      description: `models.describe` of the network.
      exported: The model that it starts from; None: it starts from random weights.
    """

    model: ModelParams
    network: tf_keras.Model
    transform: Transform
    label: Feature
    description: Mapping[str, Any]
    exported: ExportedModel | None

    @property
    def preprocessing(self) -> Preprocessing:
        return self.transform.preprocessing


def _make_untrained(
    schema: Schema, statistics: Statistics, params: TrainerParams, model: ModelParams, warm_start: Path | None
) -> _Untrained:
    features, label = read_schema(schema.proto())
    preprocessing = make_preprocessing(
        features,
        label,
        statistics.proto("train"),
        params=params,
    )
    exported = read_exported(warm_start) if warm_start else None
    if exported:
        preprocessing = continue_preprocessing(exported, preprocessing)
    network = build_network(
        model.kind,
        model.architecture,
        num_numbers=len(preprocessing.number_names),
        tables=preprocessing.tables,
    )
    initialize(network, params.seed)
    description = describe(model.kind, model.architecture, network)
    if exported:
        load_weights(exported, network, description)
    return _Untrained(model, network, Transform(preprocessing), label, description, exported)


def _train(
    untrained: _Untrained,
    examples: Examples,
    params: TrainerParams,
    checkpoints: Checkpoints | None,
    output_dir: Path,
) -> tuple[History, list[str]]:
    """Trains the network in place; returns the history and, in words, what looks wrong with the result."""
    network, preprocessing, exported = untrained.network, untrained.preprocessing, untrained.exported
    with ExitStack() as stack:

        def read(split: str) -> Rows:
            rows = read_rows(
                examples, split, untrained.transform, untrained.label, scratch=output_dir, cache_mib=params.cache_mib
            )
            return stack.enter_context(rows)

        train = read("train")
        history = fit(
            network,
            train,
            read("eval") if examples.counts.get("eval") else None,
            params=params,
            label_scale=preprocessing.label_scale,
            not_finite=_explain(examples, train, preprocessing, params),
            checkpoints=checkpoints,
            on_epoch=stack.enter_context(Progress(params, output_dir)),
        )
        fill_unused_embeddings(network, train, preprocessing, known=exported.preprocessing if exported else None)
        diagnosis = diagnose(network, train)
    for sentence in diagnosis:
        LOGGER.warning("%s: %s", untrained.model.kind, sentence)
    return history, diagnosis


def _export(trained: _Untrained, examples: Examples, params: TrainerParams, output_dir: Path) -> None:
    folder = output_dir / SERVING_FOLDER
    export_model(trained.network, trained.transform, folder, description=trained.description)
    csv_format = CsvFormat.of(examples.properties.get("settings", {}))
    if csv_format.changed():  # `predict` reads rows for this model likewise
        write_file(folder / FORMAT_FILE, csv_format.to_json())
    if rules := examples.column_rules.to_json():
        write_file(folder / COLUMNS_FILE, rules)
    if params.warmup_records:
        features = trained.preprocessing.features
        columns, _ = next(read_dataset(examples, "train", features, None, batch_size=params.warmup_records))
        write_warmup_requests(folder, features, columns, model_name=trained.model.model_name)


def _check_params(examples: Examples, params: TrainerParams) -> None:
    """Checks what can be known before anything is read; the message lists all problems."""
    rows = examples.counts.get("train", 0)
    problems = []
    if rows == 0:
        problems.append("Split `train` has no rows. Check the source and `example_gen.eval_fraction`.")
    if params.epochs < 1:
        problems.append(f"`trainer.epochs` must be at least 1. Received {params.epochs}.")
    if params.batch_size < 1:
        problems.append(f"`trainer.batch_size` must be at least 1. Received {params.batch_size}.")
    elif 0 < rows < params.batch_size:
        problems.append(
            f"`trainer.batch_size` is {params.batch_size:,}, but train has only {rows:,} rows. "
            f"Set it to at most {rows}; {max(1, rows // 10)} makes ten updates per epoch."
        )
    if params.optimizer not in OPTIMIZERS:
        problems.append(
            f"Unknown optimizer `{params.optimizer}`.{did_you_mean(params.optimizer, OPTIMIZERS)} "
            f"There are: {', '.join(OPTIMIZERS)}."
        )
    if params.early_stopping_patience is not None and not examples.counts.get("eval"):
        problems.append("`trainer.early_stopping_patience` needs rows in `eval`, which has none. Set it to none.")
    if params.tensorboard and importlib.util.find_spec("tensorboard") is None:
        problems.append(
            "`trainer.tensorboard` needs the package tensorboard, which is not installed. Install the extra `board`: "
            'pip install "crossnet-pipeline[board]".'
        )
    if problems:
        raise TrainingError(" ".join(problems))


def _identity(untrained: _Untrained, examples: Examples, params: TrainerParams) -> dict[str, Any]:
    """Returns all that the result depends on, for a checkpoint to be compared with."""
    settings = {name: value for name, value in dataclasses.asdict(params).items() if name not in WITHOUT_EFFECT}
    return {
        "kind": untrained.model.kind,
        **dataclasses.asdict(untrained.model.architecture),
        **settings,
        "train rows": examples.counts["train"],
        "examples": examples.fingerprint or folder_checksum(examples.path),
        "preprocessing": untrained.preprocessing.to_json(),
        "warm start": folder_checksum(untrained.exported.path) if untrained.exported else None,
    }


def _explain(examples: Examples, train: Rows, preprocessing: Preprocessing, params: TrainerParams) -> Any:
    """Returns what `fit` calls when a loss is not finite."""

    def locate(row: int) -> str:
        from crossnet.components.sources import provenance

        return str(provenance.locate(examples, "train", row))

    def not_finite(
        losses: npt.NDArray[np.float64], epoch: int, order: npt.NDArray[np.int64] | None, rate: float
    ) -> None:
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


def _facts(preprocessing: Preprocessing) -> dict[str, Any]:
    """Returns what a reader of the report wants to know about the inputs."""
    return {
        "numbers": {column.name: [column.mean, column.scale] for column in preprocessing.numbers},
        "texts": {column.name: [len(column.vocabulary), column.dim] for column in preprocessing.texts},
        "may_be_missing": [feature.name for feature in preprocessing.features if not feature.required],
        "label": [preprocessing.label_mean, preprocessing.label_scale],
    }
