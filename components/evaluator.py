"""Judges every exported model and blesses the first good candidate.

Models are asked through their serving signature, as clients ask them. Rules, and what they decide in every state:
`crossnet.components.evaluation.rules`.
Metrics: `crossnet.components.evaluation.metrics`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from crossnet.components.artifacts.evaluation import (
    BLESSED,
    DETAILS_FILE,
    LINEAR,
    LINEAR_FILE,
    MEAN_PREDICTOR,
    METRICS_FILE,
    NOT_BLESSED,
    NOT_MODELS,
    VERDICT_FILE,
    Evaluation,
    labels_file,
    predictions_file,
)
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.reference_model import ReferenceModel
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.evaluation.baseline_alone import baseline_alone
from crossnet.components.evaluation.calibration import calibration
from crossnet.components.evaluation.case import improvement_reference
from crossnet.components.evaluation.coverage import interval_facts
from crossnet.components.evaluation.earlier import Earlier, open_earlier
from crossnet.components.evaluation.effects import measure_effects
from crossnet.components.evaluation.explain import explain, known_truth
from crossnet.components.evaluation.grouping import eval_weights
from crossnet.components.evaluation.linear import LinearModel, NormalEquations, linear_inputs
from crossnet.components.evaluation.metrics import ErrorSums
from crossnet.components.evaluation.notes import alike_errors, best_epochs, likely_groups, notes_on
from crossnet.components.evaluation.predictors import MeanPredictor, Predictor
from crossnet.components.evaluation.recorded import RecordedPredictions
from crossnet.components.evaluation.row_sample import RowSample
from crossnet.components.evaluation.rule_results import Scores
from crossnet.components.evaluation.rules import judge
from crossnet.components.evaluation.scoring import Columns, score_eval, score_train
from crossnet.components.evaluation.segments import find_segments
from crossnet.components.evaluation.session import ServingSession
from crossnet.components.evaluation.shard_jobs import engine_for
from crossnet.components.evaluation.slice_rules import judge_slices
from crossnet.components.evaluation.slices import parse_slices
from crossnet.components.evaluation.verdict import failures, make_verdict, skips
from crossnet.components.features import Feature, read_schema
from crossnet.components.files import write_json
from crossnet.components.networks.interval import read_interval
from crossnet.components.params.evaluator import EvaluatorParams


def evaluate_models(
    examples: Examples,
    schema: Schema,
    statistics: Statistics,
    models: Mapping[str, Model],
    *,
    output_dir: Path,
    params: EvaluatorParams,
    served: Path | None = None,
    anchor: Path | None = None,
    reference: ReferenceModel | None = None,
    engine: Engine = IN_PROCESS,
) -> Evaluation:
    """Measures the models over the same rows and applies the rules to every candidate.

    Args:
      examples: Splits `train` and `eval`; read in constant memory.
      schema: The features and the label.
      statistics: Of train: what a linear model's inputs are made with.
      models: In order of preference. Of two or more the last is the baseline: reported, never gated. Of one, the mean
        of the train labels is the baseline. A linear model is fitted beside them.
      output_dir: Where the artifact goes: verdict.json, metrics.json, details.json (calibration, worst rows,
        explanation and slices by model), linear.json, labels.npy, predictions/<model>.npy and BLESSED or NOT_BLESSED.
      params: The rules.
      served: Folder of the version in service, its name the version; None before the first push.
      anchor: Folder of the best model ever blessed, a version or `Format-Serving` of a Model; None: there is none.
      reference: What boosted trees predict for eval: a line of the table that no rule reads; None: there is none.
      engine: Asks the models, one job per shard, where that is worth it. With several shards the last digits of sums
        depend on their number.

    Raises:
      ExportError: A model does not load as a server loads it, or does not answer.
      SettingsError: `evaluator.slices` names what is not there.
    """
    before = served, anchor
    columns = Columns.of(examples, *read_schema(schema.proto()))
    measured = _measure(examples, columns, statistics, models, before, reference, output_dir, params, engine)
    whole = measured.scores.whole
    verdict = _judge(models, measured, params)
    write_json(output_dir / VERDICT_FILE, verdict)
    write_json(output_dir / METRICS_FILE, _metrics(models, measured, examples, output_dir, params))
    write_json(output_dir / LINEAR_FILE, measured.linear.to_json())
    write_json(output_dir / DETAILS_FILE, _details(models, measured, examples, output_dir))
    (output_dir / (BLESSED if verdict["blessed"] else NOT_BLESSED)).touch()
    return Evaluation(
        output_dir,
        counts={"rows": whole.rows, "models": len(models), "slices": len(measured.scores.slices)},
        properties={
            "champion": verdict["champion"],
            "reasons": [] if verdict["blessed"] else failures(verdict),
            "skipped": skips(verdict),
            "baseline": verdict["baseline"],
            "served_version": None if served is None else served.name,
            "batch_size": params.batch_size,
            "label_std": whole.label_std,
        },
    )


@dataclass(frozen=True)
class _Measured:
    """What was measured of the models, before any rule is applied.

    Attributes:
      train: Sums over the train split, of the models in their order.
      linear: The linear model of train.
      scores: Over the eval split, of the linear model, the mean predictor, the served model and the reference too.
      worst_rows: By model.
      earlier: The models of before.
      sizes: Bytes of the exported folder by model.
      reference: Boosted trees, or None.
      notes: What was seen in the columns.
      rows: Eval rows, of many a sample, and their features.
      effects: Of each candidate's features.
    """

    train: ErrorSums
    linear: LinearModel
    scores: Scores
    worst_rows: Mapping[str, Any]
    earlier: Earlier
    sizes: Mapping[str, int]
    reference: ReferenceModel | None
    notes: Sequence[str]
    rows: tuple[RowSample, Sequence[Feature]]
    effects: Mapping[str, Mapping[str, Any]]


def _measure(
    examples: Examples,
    columns: Columns,
    statistics: Statistics,
    models: Mapping[str, Model],
    before: tuple[Path | None, Path | None],
    reference: ReferenceModel | None,
    output_dir: Path,
    params: EvaluatorParams,
    engine: Engine,
) -> _Measured:
    rows = examples.counts["train"] + examples.counts["eval"]
    engine = engine_for(engine, rows, len(columns.features), models.values())
    keys = parse_slices(params.slices, columns.recorded)
    with contextlib.ExitStack() as stack:
        exported = {name: stack.enter_context(ServingSession(model.serving_path)) for name, model in models.items()}
        scored: dict[str, Predictor] = dict(exported)
        make, batch_size = _equations(columns, statistics), params.batch_size
        train, equations = score_train(examples, columns, scored, make, batch_size=batch_size, engine=engine)
        linear = scored[LINEAR] = equations.solve()
        scored[MEAN_PREDICTOR] = MeanPredictor(train.label_mean)
        if reference is not None:
            scored[reference.kind] = RecordedPredictions(reference.predictions_path)
        earlier = open_earlier(*before, columns.features, params, scored, stack)
        sample = RowSample([feature.name for feature in columns.features])
        scores, worst = score_eval(
            examples, columns, scored, keys=keys, output_dir=output_dir, params=params, sample=sample, engine=engine
        )
        candidates = list(models)[: max(1, len(models) - 1)]
        effects = {name: measure_effects(exported[name], sample, columns.features, params) for name in candidates}
    notes = list(likely_groups(examples, *(_by_column(statistics, split) for split in ("train", "eval"))))
    notes = notes or list(alike_errors(examples, sample, columns.features, 0, next(iter(models))))
    files = {name: [path for path in model.serving_path.rglob("*") if path.is_file()] for name, model in models.items()}
    sizes = {name: sum(path.stat().st_size for path in paths) for name, paths in files.items()}
    seen = sample, columns.features
    return _Measured(train, linear, scores, worst, earlier, sizes, reference, notes, seen, effects)


def _judge(models: Mapping[str, Model], measured: _Measured, params: EvaluatorParams) -> dict[str, Any]:
    """Returns the content of verdict.json."""
    scores, (served, best) = measured.scores, measured.earlier
    baseline = list(models)[-1] if len(models) > 1 else MEAN_PREDICTOR
    results = {
        name: [
            *judge(name, scores, params, baseline=baseline, served=served, best=best, model_bytes=measured.sizes[name]),
            *judge_slices(name, scores, params, baseline=baseline, served=served),
        ]
        for name in models
        if name != baseline
    }
    verdict = make_verdict(
        results,
        models=[*models, *(name for name in NOT_MODELS if name in scores.names)],
        baseline=baseline,
        rows=scores.whole.rows,
        label_std=scores.whole.label_std,
        **measured.earlier.facts(scores),
        collapsed=improvement_reference(scores, baseline).collapsed,
    )
    blessed = {name: facts["blessed"] for name, facts in verdict["candidates"].items()}
    mean = best_epochs({name: models[name] for name in blessed}, scores)
    found = {name: _worst_segments(name, measured, params) for name in blessed}
    alone = baseline_alone(verdict, scores, params, served=served, best=best, sizes=measured.sizes)
    return {**verdict, "notes": [*measured.notes, *mean, *notes_on(blessed, scores), *alone], "segments": found}


def _worst_segments(name: str, measured: _Measured, params: EvaluatorParams) -> list[dict[str, Any]]:
    """Returns where a candidate is most above its own RMSE, and above the model in service: advice, which no rule sees.

    Below the rounding of float32 there is not anything to see.
    """
    scores, served = measured.scores, measured.earlier.served
    model = scores.names.index(name)
    overall = scores.whole.rmse(model)
    if not overall > scores.whole.floor:
        return []
    find = partial(find_segments, *measured.rows, model, overall=overall, params=params)
    found = [{"against": "overall", **facts} for facts in find(other=None, words=(name, "of all rows"))]
    if served is not None and served.name in scores.names:
        more = find(other=scores.names.index(served.name), words=(name, f"of {served.words}"))
        found += [{"against": "served", **facts} for facts in more]
    return found


def _equations(columns: Columns, statistics: Statistics) -> partial[NormalEquations]:
    """Returns what makes the equations of a linear model, still without rows."""
    by_name = _by_column(statistics, "train")
    label = by_name[columns.label.name].num_stats
    return partial(NormalEquations, linear_inputs(columns.features, by_name), label.mean, label.std_dev)


def _by_column(statistics: Statistics, split: str) -> dict[str, Any]:
    return {column.path.step[0]: column for column in statistics.proto(split).datasets[0].features}


def _metrics(
    models: Mapping[str, Model],
    measured: _Measured,
    examples: Examples,
    output_dir: Path,
    params: EvaluatorParams,
) -> dict[str, dict[str, Any]]:
    """Returns the content of metrics.json: the models, then the lines that are none."""
    scores, train = measured.scores, measured.train
    rows = {
        name: {
            "num_parameters": model.num_parameters,
            "train_rmse": train.rmse(i),
            "train_seconds": model.properties.get("train_seconds"),
            "model_bytes": measured.sizes[name],
        }
        for i, (name, model) in enumerate(models.items())
    }
    if measured.reference is not None:
        rows[measured.reference.kind] = measured.reference.metrics
    for name, model in models.items():
        if interval := read_interval(model.serving_path):
            files = predictions_file(output_dir, name), labels_file(output_dir)
            rows[name]["prediction_interval"] = interval_facts(interval, *files, eval_weights(examples))
    rows[LINEAR] = {"num_parameters": measured.linear.num_parameters, "train_rmse": measured.linear.train_rmse}
    rows[MEAN_PREDICTOR] = {"num_parameters": 1, "train_rmse": train.label_std}
    for name, facts in rows.items():
        place = scores.names.index(name)
        metrics = scores.whole.metrics(place)
        facts["eval_rmse"] = metrics.pop("rmse")
        if scores.resampled is not None:
            facts["eval_rmse_interval"] = scores.resampled.interval(place, 1 - params.confidence)
        facts |= metrics
    return rows


def _details(
    models: Mapping[str, Model], measured: _Measured, examples: Examples, output_dir: Path
) -> dict[str, dict[str, Any]]:
    """Returns the content of details.json: what a report shows of each model and no rule reads."""
    slices = measured.scores.slices
    return {
        name: {
            "calibration": calibration(predictions_file(output_dir, name), labels_file(output_dir)),
            "worst_rows": measured.worst_rows[name],
            "explanation": explain(model, known_truth(examples)),
            "slices": [{"slice": group, "rows": sums.rows} | sums.metrics(i) for group, sums in slices.items()],
            **measured.effects.get(name, {}),
        }
        for i, (name, model) in enumerate(models.items())
    }
