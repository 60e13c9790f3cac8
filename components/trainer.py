"""Trainer: trains one network on the train split and exports it."""

from __future__ import annotations

import dataclasses
import difflib
import importlib.util
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import HISTORY_FILE, SERVING_FOLDER, Model
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.errors import TrainingError
from crossnet.components.features import read_schema
from crossnet.components.files import folder_checksum, write_json
from crossnet.components.formats import number
from crossnet.components.networks.export import export_model
from crossnet.components.networks.exported import read_exported
from crossnet.components.networks.models import Architecture, build_network, check_architecture, describe, initialize
from crossnet.components.networks.preprocessing import Preprocessing, Transform, make_preprocessing
from crossnet.components.networks.warmup_requests import write_warmup_requests
from crossnet.components.params.networks import DenseParams
from crossnet.components.params.trainer import OPTIMIZERS, TrainerParams
from crossnet.components.records.dataset import read_dataset
from crossnet.components.training.diagnosis import count_ids, diagnose, raise_not_finite
from crossnet.components.training.fit import History, fit
from crossnet.components.training.rows import Rows, read_rows
from crossnet.components.training.warm_start import continue_preprocessing, load_weights

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
    kind: str,
    architecture: Architecture,
    checkpoint_dir: Path | None = None,
    warm_start: Path | None = None,
    model_name: str = "crossnet",
) -> Model:
    """Trains a network of one kind on the train split and exports it with its preprocessing.

    What is promised about equal results is written at `crossnet.components.training.fit.fit`.

    Args:
      examples: Rows in splits `train` and, unless empty, `eval` (for the history and early stopping).
      schema: Names and types of features and label, domains of text.
      statistics: Of train: means, scales, vocabularies.
      output_dir: An empty folder; gets Format-Serving, history.json and, if asked for, logs.
      params: How to train.
      kind: "cross_layer", "tfrs_cross" or "dense".
      architecture: The network of that kind.
      checkpoint_dir: Where checkpoints go; a training that was killed is resumed from there. None: no checkpoints.
      warm_start: A Model or SavedModel exported here, to start from its weights. None: from random ones.
      model_name: The name that warm-up requests carry.

    Returns:
      The Model. Properties: `kind`, `checksum`, `train_seconds`, `updates`, `diagnosis` (sentences), `preprocessing`.

    Raises:
      TrainingError: Before training, when settings, data, checkpoint or warm start do not fit together; during it, when
        the loss is not finite.
    """
    start = time.perf_counter()
    if isinstance(architecture, DenseParams) and architecture.learning_rate:
        params = dataclasses.replace(params, learning_rate=architecture.learning_rate)
    _check_params(examples, params)
    features, label = read_schema(schema.proto())
    preprocessing = make_preprocessing(
        features,
        label,
        statistics.proto("train"),
        normalize=params.normalize,
        embedding_dim=params.embedding_dim,
    )
    exported = read_exported(warm_start) if warm_start else None
    if exported:
        preprocessing = continue_preprocessing(exported, preprocessing)
    num_numbers = len(preprocessing.number_names)
    check_architecture(kind, architecture, num_numbers + sum(width for _, width in preprocessing.tables))
    network = build_network(kind, architecture, num_numbers=num_numbers, tables=preprocessing.tables)
    initialize(network, params.seed)
    description = describe(kind, architecture, network)
    if exported:
        load_weights(exported, network, description)
    transform = Transform(preprocessing)
    with ExitStack() as stack:
        train, evaluation = (
            stack.enter_context(
                read_rows(examples, split, transform, label, scratch=output_dir, cache_mib=params.cache_mib)
            )
            if examples.counts.get(split)
            else None
            for split in ("train", "eval")
        )
        assert train is not None
        history = fit(
            network,
            train,
            evaluation,
            params=params,
            label_scale=preprocessing.label_scale,
            not_finite=_explain(examples, train, preprocessing, params),
            checkpoint_dir=checkpoint_dir,
            identity=_identity(
                kind, architecture, preprocessing, params, examples, exported.path if exported else None
            ),
            on_epoch=stack.enter_context(_Progress(params, output_dir)),
        )
        _fill_unused_embeddings(network, train, preprocessing, known=exported.preprocessing if exported else None)
        diagnosis = diagnose(network, train)
    for sentence in diagnosis:
        LOGGER.warning("%s: %s", kind, sentence)
    write_json(output_dir / HISTORY_FILE, history)
    serving_path = output_dir / SERVING_FOLDER
    export_model(network, transform, serving_path, description=description)
    if params.warmup_records:
        columns, _ = next(
            read_dataset(examples, "train", preprocessing.features, None, batch_size=params.warmup_records)
        )
        write_warmup_requests(serving_path, preprocessing.features, columns, model_name=model_name)
    steps = -(-examples.counts["train"] // params.batch_size)
    return Model(
        path=output_dir,
        counts={"parameters": sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)},
        properties={
            "kind": kind,
            "checksum": folder_checksum(serving_path),
            "train_seconds": time.perf_counter() - start,
            "updates": steps * len(history["loss"]),
            "diagnosis": diagnosis,
            "preprocessing": _facts(preprocessing),
            "warm_start": exported.path.name if exported else None,
        },
    )


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
        near = difflib.get_close_matches(params.optimizer, OPTIMIZERS, n=1, cutoff=0.0)[0]
        problems.append(
            f"Unknown optimizer '{params.optimizer}'. Did you mean '{near}'? There are: {', '.join(OPTIMIZERS)}."
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


def _identity(
    kind: str,
    architecture: Architecture,
    preprocessing: Preprocessing,
    params: TrainerParams,
    examples: Examples,
    warm_start: Path | None,
) -> dict[str, Any]:
    """Returns all that the result depends on, for a checkpoint to be compared with."""
    settings = {name: value for name, value in dataclasses.asdict(params).items() if name not in WITHOUT_EFFECT}
    return {
        "kind": kind,
        **dataclasses.asdict(architecture),
        **settings,
        "train rows": examples.counts["train"],
        "examples": examples.fingerprint or folder_checksum(examples.path),
        "preprocessing": preprocessing.to_json(),
        "warm start": folder_checksum(warm_start) if warm_start else None,
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


def _fill_unused_embeddings(
    network: tf_keras.Model, train: Rows, preprocessing: Preprocessing, known: Preprocessing | None
) -> None:
    """Gives each embedding row that no train row used the mean of those that were, weighted by use.

    So a value that was never seen is answered like an average one, not by the random vector it started from. Rows that
    came with a warm start stay as they are.
    """
    sizes = [rows for rows, _ in preprocessing.tables]
    counts = count_ids(train, sizes, has_numbers=bool(preprocessing.numbers))
    tables = network.get_layer("embeddings").trainable_weights if sizes else []
    for i, (table, uses) in enumerate(zip(tables, counts, strict=True)):
        value = table.numpy()
        unused = uses == 0
        if known:
            unused[: 1 + len(known.texts[i].vocabulary)] = False
        value[unused] = np.average(value, axis=0, weights=uses)
        table.assign(value)


def _facts(preprocessing: Preprocessing) -> dict[str, Any]:
    """Returns what a reader of the report wants to know about the inputs."""
    return {
        "numbers": {column.name: [column.mean, column.scale] for column in preprocessing.numbers},
        "texts": {column.name: [len(column.vocabulary), column.dim] for column in preprocessing.texts},
        "may_be_missing": [feature.name for feature in preprocessing.features if not feature.required],
        "label": [preprocessing.label_mean, preprocessing.label_scale],
    }


class _Progress:
    """Logs about twenty lines per training, one per epoch where there are fewer, and for TensorBoard every epoch."""

    def __init__(self, params: TrainerParams, output_dir: Path) -> None:
        self.params = params
        self.writer = tf.summary.create_file_writer(str(output_dir / "logs")) if params.tensorboard else None

    def __enter__(self) -> Callable[[int, History], None]:
        return self.report

    def __exit__(self, *_: object) -> None:
        if self.writer:
            self.writer.close()

    def report(self, epoch: int, history: History) -> None:
        """Reports a finished epoch."""
        values = {name: series[-1] for name, series in history.items() if series}
        if (epoch + 1) % max(1, self.params.epochs // 20) == 0:
            text = ", ".join(f"{name} {number(values[name], 4)}" for name in ("loss", "eval_loss") if name in values)
            done = {"share": (epoch + 1) / self.params.epochs}  # the screen tells the time left from it
            LOGGER.info("epoch %d of %d: %s", epoch + 1, self.params.epochs, text, extra=done)
        if self.writer:
            with self.writer.as_default(step=epoch + 1):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
