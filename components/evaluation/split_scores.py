"""Measures exported models over one split, with an interval of the RMSE."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.schema import Schema
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.evaluation.grouping import grouping_of
from crossnet.components.evaluation.linear import LinearModel
from crossnet.components.evaluation.metrics import ErrorSums
from crossnet.components.evaluation.predictors import MeanPredictor, Predictor
from crossnet.components.evaluation.recorded import RecordedPredictions
from crossnet.components.evaluation.rule_results import Scores
from crossnet.components.evaluation.session import ServingSession
from crossnet.components.evaluation.shard_jobs import SplitJob, engine_for, map_shards, together
from crossnet.components.evaluation.units import UnitSums
from crossnet.components.features import read_schema
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.records.dataset import read_columns


def score_split(
    examples: Examples,
    split: str,
    schema: Schema,
    models: Mapping[str, Model],
    params: EvaluatorParams,
    linear: Mapping[str, Any] | None = None,
    recorded: Mapping[str, Path] | None = None,
    engine: Engine = IN_PROCESS,
) -> dict[str, Any]:
    """Returns `rows`, `label`, `label_std` and, in `models`, the metrics of each model, of what was `recorded`, of the
    linear model, where its JSON values are given, and of the mean of train.

    `extent` says how many rows and groups there are, and `few` why there is not an interval, empty where there is.

    The metrics are those of metrics.json, and `interval`: the lowest and highest RMSE that resamples of the rows, or of
    their groups, give at `params.confidence`, None below 20 of them or where a prediction is not finite. All are in the
    label's unit.

    Args:
      examples: The rows.
      split: Which of them.
      schema: Their features and label.
      models: The models.
      params: Confidence, resamples and batch size.
      linear: The linear model's JSON values.
      recorded: Files of predictions for these rows, float32 (rows,), by name.
      engine: Runs one job per shard, where that is worth it.

    Raises:
      DataError: The rows cannot be read, or are not what the schema says.
      ExportError: A model does not load, or does not answer.
    """
    features, label = read_schema(schema.proto())
    with contextlib.ExitStack() as stack:
        scored: dict[str, Predictor] = {
            name: stack.enter_context(ServingSession(model.serving_path)) for name, model in models.items()
        }
        scored |= {name: RecordedPredictions(path) for name, path in (recorded or {}).items()}
        if linear is not None:
            scored[LINEAR] = LinearModel.from_json(linear)
        scored[MEAN_PREDICTOR] = MeanPredictor(_train_mean(examples, label.name, params.batch_size))
        grouping = grouping_of(examples, split)
        read = together(features, grouping.columns(examples.column_types))
        job = SplitJob(examples, split, read, label, scored, grouping, params.batch_size)
        sums, units = _empty(job)
        engine = engine_for(engine, examples.counts[split], len(features), models.values())
        for part, part_units in map_shards(engine, _measure_shard, job):
            sums.merge(part)
            units.merge(part_units)
    resampled = units.resampled(params.num_bootstrap, params.seed)
    grouped = units.count if grouping.unit != "row" else None
    scores = Scores(tuple(scored), sums, {}, resampled, grouping.unit, grouped)
    measured: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(scored):
        interval = None if resampled is None else resampled.interval(i, 1 - params.confidence)
        measured[name] = {**sums.metrics(i), "interval": interval}
    facts = {"rows": sums.rows, "extent": scores.extent, "few": scores.few}
    return {**facts, "label": label.name, "label_std": sums.label_std, "models": measured}


def _empty(job: SplitJob) -> tuple[ErrorSums, UnitSums]:
    return ErrorSums(len(job.models)), UnitSums(len(job.models), grouped=job.grouping.unit != "row")


def _measure_shard(job: SplitJob, shard: Path | None, first: int) -> tuple[ErrorSums, UnitSums]:
    sums, units = _empty(job)
    for batch in job.batches(shard, first):
        units.add(sums.add(batch.labels, batch.predictions, batch.weights), batch.weights, batch.groups)
    return sums, units


def _train_mean(examples: Examples, label: str, batch_size: int) -> float:
    total, weight = 0.0, 0.0
    weighed = [examples.weight] if examples.weight else []
    for batch in read_columns(examples, "train", batch_size=batch_size, columns=[label, *weighed]):
        values = batch[label].values.astype(np.float64)
        weights = batch[examples.weight].values.astype(np.float64) if weighed else np.ones(len(values))
        total, weight = total + float(weights @ values), weight + float(weights.sum())
    return total / weight
