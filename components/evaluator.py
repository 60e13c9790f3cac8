"""Evaluator: judges every exported model through its serving signature, and blesses the first good candidate.

Rules, and what they decide in every state: `crossnet.components.evaluation.rules`.
Metrics: `crossnet.components.evaluation.metrics`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossnet.components.artifacts.evaluation import (
    BLESSED,
    DETAILS_FILE,
    MEAN_PREDICTOR,
    METRICS_FILE,
    NOT_BLESSED,
    VERDICT_FILE,
    Evaluation,
    labels_file,
    predictions_file,
)
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.schema import Schema
from crossnet.components.errors import ExportError
from crossnet.components.evaluation.explain import explain, known_truth
from crossnet.components.evaluation.metrics import ErrorSums, calibration
from crossnet.components.evaluation.rule_results import Scores, Served
from crossnet.components.evaluation.rules import judge
from crossnet.components.evaluation.scoring import MeanPredictor, Predictor, ServedModel, score_eval, score_train
from crossnet.components.evaluation.session import ServingSession
from crossnet.components.evaluation.slice_rules import judge_slices
from crossnet.components.evaluation.slices import parse_slices
from crossnet.components.evaluation.verdict import failures, make_verdict, skips
from crossnet.components.features import Feature, read_schema
from crossnet.components.files import write_json
from crossnet.components.params.evaluator import EvaluatorParams


def evaluate_models(
    examples: Examples,
    schema: Schema,
    models: Mapping[str, Model],
    *,
    output_dir: Path,
    params: EvaluatorParams,
    served: Path | None = None,
) -> Evaluation:
    """Measures the models over the same rows and applies the rules to every candidate.

    Args:
      examples: Splits `train` and `eval`; read in constant memory.
      schema: The features and the label.
      models: In order of preference. Of two or more the last is the baseline: reported, never gated. Of one, the mean
        of the train labels is the baseline.
      output_dir: Where the artifact goes: verdict.json, metrics.json, details.json (calibration, worst rows,
        explanation and slices by model), labels.npy, predictions/<model>.npy and BLESSED or NOT_BLESSED.
      params: The rules.
      served: Folder of the version in service, its name the version; None before the first push.

    Raises:
      ExportError: A model does not load as a server loads it, or does not answer.
      SettingsError: `evaluator.slices` names what is not there.
    """
    features, label = read_schema(schema.proto())
    recorded = _recorded(examples, features, label)
    keys = parse_slices(params.slices, recorded)
    with contextlib.ExitStack() as stack:
        exported = {name: stack.enter_context(ServingSession(model.serving_path)) for name, model in models.items()}
        scored: dict[str, Predictor] = dict(exported)
        train = score_train(examples, features, label, scored, params.batch_size)
        scored[MEAN_PREDICTOR] = MeanPredictor(train.label_mean)
        in_service = None
        if served is not None and params.non_inferiority_margin is not None:
            in_service, model = _open_served(served, features, stack)
            if model is not None:
                scored[in_service.name] = ServedModel(model)
        scores, worst_rows = score_eval(
            examples, features, label, scored, keys=keys, recorded=recorded, output_dir=output_dir, params=params
        )

    baseline = list(models)[-1] if len(models) > 1 else MEAN_PREDICTOR
    sizes = {name: _folder_bytes(model.serving_path) for name, model in models.items()}
    results = {
        name: [
            *judge(name, scores, params, baseline=baseline, served=in_service, model_bytes=sizes[name]),
            *judge_slices(name, scores, params, baseline=baseline, served=in_service),
        ]
        for name in models
        if name != baseline
    }
    verdict = make_verdict(
        results,
        models=[*models, MEAN_PREDICTOR],
        baseline=baseline,
        rows=scores.whole.rows,
        label_std=scores.whole.label_std,
        served=_served_facts(in_service, scores),
    )
    write_json(output_dir / VERDICT_FILE, verdict)
    write_json(output_dir / METRICS_FILE, _metrics(models, scores, train, sizes))
    write_json(output_dir / DETAILS_FILE, _details(models, scores, worst_rows, examples, output_dir))
    (output_dir / (BLESSED if verdict["blessed"] else NOT_BLESSED)).touch()
    return Evaluation(
        output_dir,
        counts={"rows": scores.whole.rows, "models": len(models), "slices": len(scores.slices)},
        properties={
            "champion": verdict["champion"],
            "reasons": [] if verdict["blessed"] else failures(verdict),
            "skipped": skips(verdict),
            "baseline": baseline,
            "served_version": None if served is None else served.name,
            "batch_size": params.batch_size,
            "label_std": scores.whole.label_std,
        },
    )


def _recorded(examples: Examples, features: Sequence[Feature], label: Feature) -> dict[str, Feature]:
    """Returns every recorded column; those that the schema leaves out are read as if they had holes."""
    columns = {c["name"]: Feature(c["name"], c["type"], required=False) for c in examples.properties["columns"]}
    return columns | {feature.name: feature for feature in features} | {label.name: label}


def _open_served(
    folder: Path, features: Sequence[Feature], stack: contextlib.ExitStack
) -> tuple[Served, ServingSession | None]:
    """Opens the model in service, where it loads and takes what these rows have."""
    try:
        model = stack.enter_context(ServingSession(folder))
    except ExportError as error:
        return Served(folder.name, f"does not load ({error})"), None
    types = {feature.name: feature.dtype for feature in features}
    problems = [
        f"takes `{name}` as {dtype} where these rows have {types[name]}"
        if name in types
        else f"asks for `{name}`, which these rows lack"
        for name, dtype in model.inputs.items()
        if types.get(name) != dtype
    ]
    return Served(folder.name, " and ".join(problems)), None if problems else model


def _served_facts(served: Served | None, scores: Scores) -> dict[str, Any] | None:
    if served is None:
        return None
    rmse = scores.whole.rmse(scores.names.index(served.name)) if served.name in scores.names else None
    return {"version": served.version, "problem": served.problem, "eval_rmse": rmse}


def _metrics(
    models: Mapping[str, Model], scores: Scores, train: ErrorSums, sizes: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """Returns metrics.json: the models, and the mean predictor with its one number as parameter."""
    rows = {
        name: {
            "num_parameters": model.num_parameters,
            "train_rmse": train.rmse(i),
            "train_seconds": model.properties.get("train_seconds"),
            "model_bytes": sizes[name],
        }
        for i, (name, model) in enumerate(models.items())
    }
    rows[MEAN_PREDICTOR] = {"num_parameters": 1, "train_rmse": train.label_std}
    for name, facts in rows.items():
        metrics = scores.whole.metrics(scores.names.index(name))
        facts["eval_rmse"] = metrics.pop("rmse")
        facts |= metrics
    return rows


def _details(
    models: Mapping[str, Model], scores: Scores, worst_rows: Mapping[str, Any], examples: Examples, output_dir: Path
) -> dict[str, dict[str, Any]]:
    """Returns details.json: what a report shows of each model and no rule reads."""
    return {
        name: {
            "calibration": calibration(predictions_file(output_dir, name), labels_file(output_dir)),
            "worst_rows": worst_rows[name],
            "explanation": explain(model, known_truth(examples)),
            "slices": [{"slice": group, "rows": sums.rows} | sums.metrics(i) for group, sums in scores.slices.items()],
        }
        for i, (name, model) in enumerate(models.items())
    }


def _folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
