"""Finds the model to convert, and rows with its answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crossnet.components.artifacts.evaluation import predictions_file
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import SERVING_FOLDER
from crossnet.components.errors import ExportError, MissingArtifactError
from crossnet.components.formats import counted
from crossnet.components.model_folder import read_record, versions_in_service
from crossnet.pipeline.report.run import Run, load_run
from crossnet.pipeline.store import Store
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.suggestions import did_you_mean

if TYPE_CHECKING:
    from crossnet.components.networks.exported import ExportedModel

MAX_ROWS = 10_000  # that are compared
BATCH_ROWS = 256
SAVED_MODEL = "saved_model.pb"
_WARMUP = "assets.extra/tf_serving_warmup_requests"

Batches = Iterator[tuple[dict[str, Array], Array]]


@dataclass(frozen=True)
class Chosen:
    """A model to convert.

    Attributes:
      path: Its SavedModel.
      words: What it is, for a sentence.
      fingerprint: Of the Model artifact that it is, as far as that is known.
    """

    path: Path
    words: str
    fingerprint: str | None


@dataclass(frozen=True)
class Answers:
    """Rows, and what the exported model answers.

    Attributes:
      words: Whose answers to which rows, for a sentence.
      batches: Features in the form of `serving_default`, each (rows,), and predictions float32 (rows,).
    """

    words: str
    batches: Batches


def choose(store: Store, model: str | None, version: int | None) -> Chosen:
    """Returns the model that is named.

    Args:
      store: The root.
      model: The name of a model that was pushed, the folder of its versions or of one of them, or of a Model artifact.
        None: the one model that was pushed.
      version: One of the versions; None: the newest in service.

    Raises:
      MissingArtifactError: There is none, or there are several and none is named.
    """
    folder = _folder(store, model)
    if (folder / SERVING_FOLDER / SAVED_MODEL).is_file():
        chosen = Chosen(folder / SERVING_FOLDER, f"Model {folder.name}", folder.name)
    elif (folder / SAVED_MODEL).is_file():
        chosen = _of_version(folder) if folder.name.isdecimal() else Chosen(folder, f"`{folder}`", folder.parent.name)
    else:
        return _of_version(_version(folder, version))
    if version is not None:
        raise MissingArtifactError(
            f"`{folder}` is one model, without versions. Received --version={version}. Leave it out, or name the "
            "folder that holds the versions with --model."
        )
    return chosen


def _folder(store: Store, model: str | None) -> Path:
    pushed = store.root / "serving_models"
    names = sorted(path.name for path in pushed.iterdir() if versions_in_service(path)) if pushed.is_dir() else []
    if model is not None:
        folder = Path(model) if Path(model).is_dir() or model not in names else pushed / model
        if not folder.is_dir():
            raise MissingArtifactError(
                f"`{model}` is neither a folder nor a model in service below `{pushed}`.{did_you_mean(model, names)} "
                f"Received --model={model}. Expected one of: {', '.join(names) or 'none yet'}; or a model's folder."
            )
        return folder
    if len(names) != 1:
        found = f"has several models in service: {', '.join(names)}" if names else "does not have a model in service"
        raise MissingArtifactError(
            f"`{pushed}` {found}. Name one with --model"
            + ("." if names else ", or push one with `crossnet run`; --model=FOLDER takes a model of elsewhere.")
        )
    return pushed / names[0]


def _version(folder: Path, version: int | None) -> Path:
    versions = versions_in_service(folder)
    if not versions:
        raise MissingArtifactError(
            f"`{folder}` holds neither a SavedModel nor versions of one. Name another folder with --model."
        )
    if version is None:
        return next(iter(versions.values()))
    if version not in versions:
        raise MissingArtifactError(
            f"`{folder.name}` does not have version {version} in service. There are: "
            f"{', '.join(map(str, versions))}. Name one with --version, or leave it out for the newest."
        )
    return versions[version]


def _of_version(folder: Path) -> Chosen:
    fingerprint = read_record(folder.parent, int(folder.name)).get("model")
    words = f"version {int(folder.name)} of `{folder.absolute().parent.name}`"
    return Chosen(folder, words, str(fingerprint) if fingerprint else None)


def answers(store: Store, chosen: Chosen, exported: ExportedModel) -> Answers:
    """Returns rows and what the model answers: of the eval split of a run that made it, else of its warm-up requests.

    Raises:
      ExportError: There are neither.
    """
    found = _recorded(store, chosen, exported) or _warmup(exported)
    if found is None:
        raise ExportError(
            f"Rows to compare answers on are missing: no run in `{store.root}` made {chosen.words}, or its eval rows "
            "are gone, and the model has no warm-up requests. Name the root of its run with --root."
        )
    return found


def _recorded(store: Store, chosen: Chosen, exported: ExportedModel) -> Answers | None:
    for name, record in store.run_records().items():
        if chosen.fingerprint in {step.fingerprint for step in record.steps.values() if step.fingerprint}:
            run = load_run(store, name)
            examples = run.get(Examples, "example_gen")
            if examples is not None and (rows := examples.counts.get("eval")):
                return _of_run(run, examples, min(rows, MAX_ROWS), chosen, exported)
    return None


def _of_run(run: Run, examples: Examples, rows: int, chosen: Chosen, exported: ExportedModel) -> Answers:
    from crossnet.components.records.dataset import read_dataset

    kind = next((kind for kind, model in run.models.items() if model.fingerprint == chosen.fingerprint), "")
    file = predictions_file(run.evaluation.path, kind) if run.evaluation else None
    batches = (
        columns
        for columns, _ in read_dataset(examples, "eval", exported.preprocessing.features, None, batch_size=BATCH_ROWS)
    )
    where = f"{counted(rows, 'eval row')} of run {run.name}"
    if file is not None and file.is_file():
        return Answers(f"the Evaluator's predictions for {where}", _beside(batches, np.load(file, mmap_mode="r"), rows))
    return Answers(f"the exported model's answers to {where}", _asked(batches, exported.path, rows))


def _beside(batches: Iterator[dict[str, Array]], predictions: Array, rows: int) -> Batches:
    first = 0
    for columns in batches:
        here = predictions[first : min(first + BATCH_ROWS, rows)]
        yield {name: values[: len(here)] for name, values in columns.items()}, here
        first += len(here)
        if first >= rows:
            return


def _asked(batches: Iterator[dict[str, Array]], path: Path, rows: int) -> Batches:
    from crossnet.components.evaluation.session import ServingSession

    with ServingSession(path) as session:
        for columns in batches:
            yield columns, session.predict(columns)
            rows -= BATCH_ROWS
            if rows <= 0:
                return


def _warmup(exported: ExportedModel) -> Answers | None:
    """Returns the rows of the longest warm-up request for columns."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    file = exported.path / _WARMUP
    if not file.is_file():
        return None
    columns: dict[str, Array] = {}
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        if request.model_spec.signature_name == "serving_default":
            found = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            columns = max(columns, found, key=lambda each: max(map(len, each.values()), default=0))
    if not columns:
        return None
    rows = len(next(iter(columns.values())))
    return Answers(
        f"the exported model's answers to the {counted(rows, 'row')} of its warm-up requests",
        _asked(iter([columns]), exported.path, rows),
    )
