"""Prepares what each section of the report shows, with its charts."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np

from crossnet.components.artifacts.anomalies import Anomalies
from crossnet.components.artifacts.evaluation import NOT_MODELS, REFERENCES
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.evaluation.verdict import earlier_models, interval_lines
from crossnet.components.features import read_schema
from crossnet.components.formats import duration, number, percent
from crossnet.components.params.networks import DEFAULT_MODELS, MODEL_KINDS
from crossnet.pipeline.compare import ARTICLE_LOSSES, is_article
from crossnet.pipeline.report import charts
from crossnet.pipeline.report.arrays import (
    MAX_EVAL_ROWS,
    ColumnView,
    Scored,
    column_views,
    density,
    residual_bands,
    scored_rows,
)
from crossnet.pipeline.report.column_axis import axis_of
from crossnet.pipeline.report.column_texts import ColumnTexts, column_texts
from crossnet.pipeline.report.diagrams import Node, step_graph
from crossnet.pipeline.report.distributions import histogram, value_bars
from crossnet.pipeline.report.run import Run, needs, ordered_steps
from crossnet.pipeline.report.slice_rows import slice_rows
from crossnet.pipeline.report.worst_rows import worst_rows
from crossnet.pipeline.run_record import StepRecord

NOT_REACHED = StepRecord(status="not reached")
MAX_RESIDUAL_FEATURES = 24
MAX_HISTOGRAMS = 60
MAX_COLUMNS = 400  # in the table of statistics
MAX_ANOMALIES = 200
MAX_SLICES = 100
MAX_AXIS_NAME = 40


def css(model: str) -> str:
    """Returns the CSS class of a model's colour."""
    return model if model in MODEL_KINDS else "mean" if model in REFERENCES else "other"


def ordered_models(run: Run) -> list[str]:
    """Returns the models of a run in order of preference, then the linear model and the mean predictor."""
    found = run.record.models
    preferred = [kind for kind in run.settings.get("models", DEFAULT_MODELS) if kind in found]
    last = [name for name in NOT_MODELS if name in found]
    return preferred + sorted(name for name in found if name not in (*preferred, *last)) + last


def subject(run: Run) -> str | None:
    """Returns the model whose residuals are shown: the champion, or else the first candidate."""
    models = ordered_models(run)
    return run.record.champion or (models[0] if models else None)


def comparison(run: Run) -> dict[str, Any]:
    """Returns the table of models, with the article's figures where the run used the article's table."""
    verdict = run.evaluation.verdict if run.evaluation else {}
    candidates, rows = verdict.get("candidates", {}), []
    for name in ordered_models(run):
        facts = run.record.models[name]
        role = "champion" if name == run.record.champion else "baseline" if name == verdict.get("baseline") else ""
        if not role and name in candidates:
            role = "blessed" if candidates[name]["blessed"] else "not blessed"
        losses = [by_kind.get("dense" if name == "dense" else "cross") for by_kind in ARTICLE_LOSSES.values()]
        rows.append(
            {"name": name, "css": css(name), "role": role, **facts}
            | {"key": role in ("champion", "baseline") or name in (*NOT_MODELS, subject(run))}
            | {"article": [(math.sqrt(loss), loss) for loss in losses if loss and name in MODEL_KINDS]}
        )
    finite = [row["eval_rmse"] for row in rows if row.get("eval_rmse") is not None]
    return {
        "rows": rows,
        "best": min(finite, default=None),
        "confidence": run.settings.get("evaluator", {}).get("confidence", 0.95),
        "intervals": interval_lines(ordered_models(run), run.evaluation.metrics) if run.evaluation else [],
        "article": list(ARTICLE_LOSSES) if is_article(run.settings.get("example_gen", {})) else [],
        "earlier": [{"words": words, **facts} for words, facts in earlier_models(verdict)] if verdict else [],
        "notes": [*filter(None, [verdict.get("collapsed")]), *verdict.get("notes", ())],
    }


def gate(run: Run) -> dict[str, Any]:
    """Returns every rule of every candidate, and what the server said."""
    verdict = run.evaluation.verdict if run.evaluation else {}
    candidates = []
    for name in (name for name in ordered_models(run) if name in verdict.get("candidates", {})):
        facts = verdict["candidates"][name]
        rules = sorted(facts["rules"], key=lambda rule: (rule["slice"] is not None, rule["passed"] is not False))
        whole = sum(rule["slice"] is None for rule in rules)
        shown = rules[: whole + MAX_SLICES]
        candidates.append({"name": name, "blessed": facts["blessed"], "rules": shown, "more": len(rules) - len(shown)})
    found = [item["message"] for items in verdict.get("segments", {}).values() for item in items]
    infra = run.get(InfraValidation, "infra_validator")
    return {"candidates": candidates, "facts": verdict, "infra": infra, "found": found, **_slices(run)}


def _slices(run: Run) -> dict[str, Any]:
    """Returns rows and errors by slice, for the model whose residuals are shown, and beside them those of others.

    `judged` has, by slice, CSS class and sentence of each rule that was asked of it, `opened` its worst rows; `rmse` is
    of all rows; `unopened` is the number of eval rows above which slices do not open, where there are more.
    """
    details, name = _details(run), subject(run) or ""
    others = [other for other in ordered_models(run) if other != name and details.get(other, {}).get("slices")]
    by_slice = [{item["slice"]: item.get("rmse") for item in details[other]["slices"]} for other in others]
    found = sorted(details.get(name, {}).get("slices", []), key=lambda item: -(item.get("rmse") or math.inf))
    slices = [{**item, "others": [rmse.get(item["slice"]) for rmse in by_slice]} for item in found[:MAX_SLICES]]
    rules = run.evaluation.verdict.get("candidates", {}).get(name, {}).get("rules", []) if run.evaluation else []
    judged: dict[str, list[tuple[str, str]]] = {}
    for rule in rules:
        if rule["slice"] is not None and rule["passed"] is not None:
            judged.setdefault(rule["slice"], []).append(("good" if rule["passed"] else "bad", rule["message"]))
    rmse = run.record.models.get(name, {}).get("eval_rmse")
    scored = scored_rows(run.evaluation) if run.evaluation and slices else None
    opened = slice_rows(run, scored, name, [item["slice"] for item in slices])
    unopened = MAX_EVAL_ROWS if scored is not None and scored.total > MAX_EVAL_ROWS else 0
    return {
        **{"slices": slices, "others": others, "judged": judged, "rmse": rmse},
        **{"opened": opened, "unopened": unopened},
    }


def _details(run: Run) -> dict[str, Any]:
    return run.evaluation.details if run.evaluation else {}


def predictions(run: Run) -> dict[str, Any]:
    """Returns predicted against actual of every model, and of one its residuals by feature and its worst rows."""
    evaluation, name = run.evaluation, subject(run)
    scored = scored_rows(evaluation) if evaluation else None
    details = _details(run)
    if scored is None or name is None:
        return {"charts": [], "bands": [], "worst": None}
    pictures = []
    for kind in (kind for kind in ordered_models(run) if kind in scored.predictions):
        grid = density(scored.labels, scored.predictions[kind])
        groups = [(g["mean_label"], g["mean_prediction"]) for g in details.get(kind, {}).get("calibration", ())]
        title = f"Predicted against actual of {kind}, {len(scored.labels):,} eval rows"
        picture = charts.density_chart(
            grid, title, x_label="actual", y_label="predicted", css=css(kind), deciles=groups
        )
        pictures.append({"name": kind, "picture": picture, "outside": grid.outside})
    bands, limits = _residuals(run, scored, name)
    texts = column_texts(run)
    drawn = [
        charts.band_chart(
            _named(band, texts),
            limits,
            _band_title(name, band, texts),
            css=css(name),
            axis=axis_of(texts, band.name),
            text=functools.partial(texts.value, band.name),
        )
        for band in bands
    ]
    return {
        "charts": pictures,
        "bands": drawn,
        "subject": name,
        "worst": worst_rows(run, details.get(name, {}).get("worst_rows", []), texts),
        "rows": len(scored.labels),
        "total": scored.total,
        "limited": scored.total > MAX_EVAL_ROWS,
        "features_limited": len(bands) == MAX_RESIDUAL_FEATURES,
    }


def _residuals(run: Run, scored: Scored, name: str) -> tuple[list[charts.Bands], tuple[float, float]]:
    examples, schema = run.get(Examples, "example_gen"), run.get(Schema, "schema_gen")
    if examples is None or schema is None or name not in scored.predictions:
        return [], (0.0, 0.0)
    features, _ = read_schema(schema.proto())
    residuals = scored.predictions[name].astype(np.float64) - scored.labels
    names = [feature.name for feature in features][:MAX_RESIDUAL_FEATURES]
    bands = list(residual_bands(examples, residuals, names))
    ends = np.concatenate([np.concatenate([band.low, band.high]) for band in bands]) if bands else np.empty(0)
    ends = ends[np.isfinite(ends)]
    return bands, (float(ends.min()), float(ends.max())) if len(ends) else (0.0, 0.0)


def _named(band: charts.Bands, texts: ColumnTexts) -> charts.Bands:
    return dataclasses.replace(band, name=charts.shorten(texts.name(band.name), MAX_AXIS_NAME))


def _band_title(model: str, band: charts.Bands, texts: ColumnTexts) -> str:
    finite = band.middle[np.isfinite(band.middle)]
    largest = number(float(np.max(np.abs(finite))), 2) if len(finite) else "none"
    return f"Residual of {model} by {texts.name(band.name)}: largest median of a group {largest}"


def data(run: Run) -> dict[str, Any]:
    """Returns the statistics of every column, train beside eval, with histograms."""
    statistics, examples = run.get(Statistics, "statistics_gen"), run.get(Examples, "example_gen")
    if statistics is None or examples is None:
        return {"columns": []}
    views = column_views(statistics, examples.splits)
    views.sort(key=lambda view: view.name != examples.label)
    texts = column_texts(run)
    histograms = [{"name": view.name, "picture": _distribution(view, texts)} for view in views[:MAX_HISTOGRAMS]]
    counts = {split: examples.counts.get(split, 0) for split in examples.splits}
    return {
        "columns": views[:MAX_COLUMNS],
        "more": max(0, len(views) - MAX_COLUMNS),
        "histograms": histograms,
        "more_histograms": max(0, len(views) - MAX_HISTOGRAMS),
        "counts": counts,
        "label": examples.label,
        "doubts": examples.properties.get("doubts", [])[:MAX_COLUMNS],
    }


def _distribution(view: ColumnView, texts: ColumnTexts) -> str:
    name = texts.name(view.name)
    if view.values:
        bars = [(value, shares.get("train", 0.0), shares.get("eval", 0.0)) for value, shares in view.values]
        words = ", ".join(f"{charts.shorten(value, 20)} {percent(share)}" for value, share, _ in bars[:3])
        return value_bars(bars, f"Most frequent values of {name} in train: {words}")
    title, axis = f"Distribution of {name}, train and eval", axis_of(texts, view.name)
    text = functools.partial(texts.value, view.name)
    return histogram(view.numbers.get("train"), view.numbers.get("eval"), title, axis=axis, text=text)


def anomalies(run: Run) -> dict[str, Any]:
    """Returns what ExampleValidator found, errors first."""
    found = run.get(Anomalies, "example_validator")
    items = found.anomalies if found else []
    return {"checked": found is not None, "items": items[:MAX_ANOMALIES], "more": max(0, len(items) - MAX_ANOMALIES)}


def steps(run: Run) -> dict[str, Any]:
    """Returns the graph as a picture and as a table with times."""
    before, names = needs(run), ordered_steps(run)
    nodes, rows = [], []
    for name in names:
        record = run.record.steps.get(name, NOT_REACHED)
        took = duration(record.seconds) if record.status in ("ran", "failed", "interrupted") else ""
        nodes.append(Node(name, record.status.replace(" ", "-"), ", ".join(filter(None, [record.status, took]))))
        rows.append({"name": name, **dataclasses.asdict(record), "inputs": run.record.graph.get(name, ())})
    words = ", ".join(f"{node.name} {node.detail}" for node in nodes)
    picture = step_graph(nodes, before, f"The steps from top to bottom: {words}")
    return {"picture": picture, "rows": rows, "total": sum(row["seconds"] for row in rows)}


def pushed(run: Run) -> dict[str, Any] | None:
    """Returns where the model was pushed, and whether it is still in service."""
    artifact = run.get(PushedModel, "pusher")
    if artifact is None:
        return None
    return {**artifact.properties, "in_service": artifact.is_current, "fingerprint": artifact.fingerprint}
