"""Scores exported models over recorded rows.

Every model sees a batch before the next batch is read. Memory is constant: predictions go to disk as they come,
everything else is sums.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from crossnet.components.artifacts.evaluation import labels_file, predictions_file
from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import ExportError
from crossnet.components.evaluation.grouping import Grouping, grouping_of
from crossnet.components.evaluation.linear import NormalEquations
from crossnet.components.evaluation.metrics import ErrorSums, WorstRows, thinned
from crossnet.components.evaluation.row_sample import RowSample
from crossnet.components.evaluation.rule_results import Scores
from crossnet.components.evaluation.session import ServingSession
from crossnet.components.evaluation.slices import Cut, Slicer
from crossnet.components.evaluation.units import UnitSums
from crossnet.components.features import Feature
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.records.dataset import read_dataset
from crossnet.serving.protocol.dtypes import Array

LOGGER = logging.getLogger(__name__)


class Predictor(Protocol):
    """What is scored: features by name, each (rows,), to predictions (rows,)."""

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns one prediction per row."""


@dataclass(frozen=True)
class MeanPredictor:
    """Predicts one number for every row, as the simplest model does: the mean label of the train split."""

    mean: float

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns the mean, float64 (rows,)."""
        return np.full(len(next(iter(features.values()))), self.mean)


@dataclass(frozen=True)
class ServedModel:
    """The model in service; where it does not answer, its predictions are NaN, and the rules judge them."""

    model: ServingSession

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns the predictions, float32 (rows,)."""
        try:
            return self.model.predict(features)
        except ExportError as error:
            LOGGER.warning("the model in service does not answer: %s", error)
            return np.full(len(next(iter(features.values()))), np.nan, np.float32)


@dataclass(frozen=True)
class Columns:
    """The columns of the rows.

    Attributes:
      features: What the models take.
      label: What they predict.
      recorded: Every recorded column by name, of which slices may name any.
    """

    features: Sequence[Feature]
    label: Feature
    recorded: Mapping[str, Feature]


def predict_batches(
    examples: Examples,
    split: str,
    features: Sequence[Feature],
    label: Feature,
    models: Mapping[str, Predictor],
    *,
    batch_size: int,
) -> Iterator[tuple[dict[str, Array], Array, Array]]:
    """Yields features by name (rows,), labels float64 (rows,) and predictions float64 (models, rows)."""
    for columns, labels in read_dataset(examples, split, features, label, batch_size=batch_size):
        assert labels is not None
        yield columns, labels.astype(np.float64), np.array([model.predict(columns) for model in models.values()], float)


def score_train(
    examples: Examples,
    columns: Columns,
    models: Mapping[str, Predictor],
    equations: NormalEquations,
    *,
    batch_size: int,
) -> ErrorSums:
    """Returns the sums over the train split, in the order of `models`, and adds its rows to `equations`."""
    sums, grouping = ErrorSums(len(models)), Grouping(examples.weight)
    read = _together(columns.features, grouping.columns(examples.column_types))
    batches = predict_batches(examples, "train", read, columns.label, models, batch_size=batch_size)
    for inputs, labels, predictions in batches:
        weights, _ = grouping.of(inputs, 0, len(labels))
        sums.add(labels, predictions, weights)
        equations.add(inputs, labels, weights)
    return sums


def score_eval(
    examples: Examples,
    columns: Columns,
    models: Mapping[str, Predictor],
    *,
    keys: Sequence[tuple[Cut, ...]],
    output_dir: Path,
    params: EvaluatorParams,
    sample: RowSample | None = None,
) -> tuple[Scores, dict[str, list[dict[str, Any]]]]:
    """Scores all models over the eval split.

    Args:
      examples: The rows.
      columns: Their columns.
      models: The models; predictions of those that are `ServingSession`s are written.
      keys: How rows are sliced.
      output_dir: Where labels.npy and predictions/<model>.npy go, float32 (rows,), in record order.
      params: Batch size; resamples and seed of the bootstrap.
      sample: Takes the rows too.

    Returns:
      The scores, and the worst rows of each model whose predictions are written.
    """
    label, recorded = columns.label, columns.recorded
    cuts = {cut for key in keys for cut in key}
    grouping = grouping_of(examples, "eval")
    sliced = (recorded[name] for name in sorted({cut.column for cut in cuts} - {label.name}))
    read = _together(columns.features, grouping.columns(examples.column_types), sliced)
    slicer = Slicer(keys, _samples(examples, recorded, cuts, params), examples.time_units)
    grouped = grouping.unit != "row"
    whole, units, slices = ErrorSums(len(models)), UnitSums(len(models), grouped=grouped), dict[str, ErrorSums]()
    written = {name: i for i, (name, model) in enumerate(models.items()) if isinstance(model, ServingSession)}
    worst = {name: WorstRows() for name in written}
    rows = examples.counts["eval"]
    with contextlib.ExitStack() as stack:
        actual = stack.enter_context(_npy(labels_file(output_dir), rows))
        files = {name: stack.enter_context(_npy(predictions_file(output_dir, name), rows)) for name in written}
        batches = predict_batches(examples, "eval", read, label, models, batch_size=params.batch_size)
        for inputs, labels, predictions in batches:
            actual.write(labels.astype("<f4").tobytes())
            for name, model in written.items():
                files[name].write(predictions[model].astype("<f4").tobytes())
                worst[name].add(whole.rows, labels, predictions[model], inputs)
            weights, groups = grouping.of(inputs, whole.rows, len(labels))
            units.add(whole.add(labels, predictions, weights), weights, groups)
            if sample is not None:
                sample.add(inputs, labels, predictions, weights, groups)
            for name, places in slicer.groups(inputs | {label.name: labels.astype(np.float32)}):
                own = (values if values is None else values[places] for values in (weights, groups))
                slices.setdefault(name, ErrorSums(len(models))).add(labels[places], predictions[:, places], *own)
    scores = Scores(
        names=tuple(models),
        whole=whole,
        slices=dict(sorted(slices.items())),
        resampled=units.resampled(params.num_bootstrap, params.seed),
        unit=grouping.unit,
        units=units.count if grouped else None,
    )
    return scores, {name: rows.rows() for name, rows in worst.items()}


def _together(*columns: Iterable[Feature]) -> list[Feature]:
    """Returns the columns of several lists, each once, as the first list has it."""
    found: dict[str, Feature] = {}
    for column in itertools.chain(*columns):
        found.setdefault(column.name, column)
    return list(found.values())


def _samples(
    examples: Examples, recorded: Mapping[str, Feature], cuts: Iterable[Cut], params: EvaluatorParams
) -> dict[str, Array]:
    """Returns values of the columns of the eval split that are cut at quantiles, thinned to a bounded number."""
    columns = {cut.column: recorded[cut.column] for cut in cuts if cut.bins}
    return {
        name: thinned(
            batch[name] for batch, _ in read_dataset(examples, "eval", [column], None, batch_size=params.batch_size)
        )
        for name, column in columns.items()
    }


@contextlib.contextmanager
def _npy(path: Path, rows: int) -> Iterator[BinaryIO]:
    """Opens a .npy file of float32 (rows,) to which the values are then written, little-endian, in order."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (rows,)})
        yield stream
