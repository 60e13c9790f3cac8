"""Gathers the facts of a model card from a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossnet.components.artifacts.anomalies import Anomalies
from crossnet.components.artifacts.evaluation import NOT_MODELS, Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.evaluation.verdict import earlier_models, interval_lines
from crossnet.components.formats import counted, number, percent
from crossnet.pipeline.report.arrays import column_views, scored_rows
from crossnet.pipeline.report.card_origin import Part, Table, data_part, origin_part
from crossnet.pipeline.report.column_texts import ColumnTexts, column_texts
from crossnet.pipeline.report.run import Run
from crossnet.pipeline.report.sections import ordered_models, subject

MAX_WARNINGS = 10
MAX_SLICES = 10


@dataclass(frozen=True)
class Card:
    """What a reader should know of a model: what it is for, data, metrics, the gate's verdict, limits, how it was made.

    Every line is a fact of the run; what the run does not know is left out.
    """

    title: str
    parts: Sequence[Part]


def make_card(run: Run) -> Card | None:
    """Returns the card of the champion, or else of the first candidate; None where no model was judged."""
    evaluation, examples, name = run.evaluation, run.get(Examples, "example_gen"), subject(run)
    if evaluation is None or examples is None or name not in run.models:
        return None
    texts = column_texts(run)
    pushed = run.get(PushedModel, "pusher")
    version = pushed.version if pushed is not None and pushed.model == run.models[name].fingerprint else None
    served = run.settings.get("pusher", {}).get("model_name", "")
    title = f"{served}, version {version}" if version else f"{name} of run {run.name}, which was not pushed"
    parts = [
        _purpose(run, examples, name, texts, served if version else ""),
        data_part(run, examples, texts),
        _metrics(run, evaluation, name),
        _gate(run, evaluation, name, texts),
        _limits(run, evaluation, name, texts),
        origin_part(run, name),
    ]
    return Card(title, [part for part in parts if part.lines or part.table])


def _purpose(run: Run, examples: Examples, name: str, texts: ColumnTexts, served: str) -> Part:
    columns = [column.name for column in examples.columns if column.name not in (examples.label, *examples.extra)]
    model = run.models[name]
    left_out = model.properties.get("preprocessing", {}).get("left_out", {})
    lines = [f"It predicts `{texts.name(examples.label)}` from {counted(len(columns) - len(left_out), 'column')}."]
    if served:
        lines.append(f"Servers answer for it under the name `{served}`, in the signature `serving_default`.")
    shares = model.properties.get("shares") or [1.0]
    shape = f", made of {len(shares)} networks" if len(shares) > 1 else ""
    shape += f", {sum(map(bool, shares))} of which are served" if 0.0 in shares else ""
    shape += (", and" if 0.0 in shares else " and") + " a linear model" if model.properties.get("linear_share") else ""
    lines.append(f"It is a `{name}` network of {counted(model.num_parameters, 'parameter')}{shape}.")
    return Part("What it is for", lines)


def _metrics(run: Run, evaluation: Evaluation, name: str) -> Part:
    """Returns the metrics of the model and of what it was compared with."""
    verdict, metrics = evaluation.verdict, evaluation.metrics
    lines = [
        f"On {counted(verdict['rows'], 'row')} of eval, in the unit of the label.",
        *_typical_error(evaluation, name),
    ]
    shown = [name, *(m for m in ordered_models(run) if m != name and m in (verdict["baseline"], *NOT_MODELS))]
    rows = [_metric_row(f"`{model}`" if model == name else model, metrics[model]) for model in shown]
    rows += [(words, number(facts["eval_rmse"], 4), "–", "–", "–", "–") for words, facts in earlier_models(verdict)]
    confidence = run.settings.get("evaluator", {}).get("confidence", 0.95)
    heads = ("model", "RMSE", f"{percent(confidence)} interval", "mean absolute error", "R²", "bias")
    lines += interval_lines([name], metrics)
    return Part("Metrics", lines, Table("The exported models on eval.", heads, rows, frozenset(range(1, 6))))


def _typical_error(evaluation: Evaluation, name: str) -> Iterator[str]:
    scored = scored_rows(evaluation)
    if scored is not None and name in scored.predictions:
        errors = np.abs(scored.predictions[name].astype(np.float64) - scored.labels)
        if len(errors) and np.isfinite(errors).all():
            half, most = (number(float(value), 4) for value in np.quantile(errors, [0.5, 0.95]))
            yield f"Half of the predictions are off by at most {half}, 95 % by at most {most}."


def _metric_row(words: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = facts.get("eval_rmse_interval") or (None, None)
    interval = "–" if low is None else f"{number(low, 4)} to {number(high, 4)}"
    values = [facts.get(key) for key in ("mae", "r2", "bias")]
    return words, number(facts["eval_rmse"], 4), interval, *("–" if v is None else number(v, 4) for v in values)


def _gate(run: Run, evaluation: Evaluation, name: str, texts: ColumnTexts) -> Part:
    facts = evaluation.verdict["candidates"].get(name)
    if facts is None:
        return Part("Verdict of the gate", [])
    rules = facts["rules"]
    lines = [f"`{name}` was {'blessed' if facts['blessed'] else 'not blessed'}."]
    words = {True: "passed", False: "FAILED", None: "skipped"}
    lines += [f"{words[rule['passed']]}: {rule['message']}" for rule in rules if rule["slice"] is None]
    lines += [f"FAILED: {rule['message']}" for rule in rules if rule["slice"] and rule["passed"] is False][:MAX_SLICES]
    infra = run.get(InfraValidation, "infra_validator")
    if infra is not None:
        lines.append(f"A server loaded it and answered: {'passed' if infra.blessed else 'FAILED'}.")
    judged = {rule["slice"] for rule in rules if rule["slice"] and not rule["skipped"]}
    small = {rule["slice"] for rule in rules if rule["slice"] and rule["skipped"]} - judged
    if judged or small:
        lines.append(f"Judged on {counted(len(judged), 'slice')}; {len(small):,} had too few rows to be judged.")
    slices = evaluation.details.get(name, {}).get("slices", [])
    hidden = len(slices) - MAX_SLICES if len(slices) > MAX_SLICES else 0
    slices = sorted(slices, key=lambda item: -(item.get("rmse") or 0.0))[:MAX_SLICES]
    rows = [
        (texts.values(item["slice"]), f"{item['rows']:,}", number(item["rmse"], 4), number(item["bias"], 3))
        for item in slices
    ]
    caption = f"Slices of eval, the worst first{f'; {hidden:,} more are in details.json' if hidden else ''}."
    table = Table(caption, ("slice", "rows", "RMSE", "bias"), rows, frozenset({1, 2, 3})) if rows else None
    return Part("Verdict of the gate", lines, table)


def _limits(run: Run, evaluation: Evaluation, name: str, texts: ColumnTexts) -> Part:
    """Returns where the model is weak, and what it has not seen."""
    verdict, properties = evaluation.verdict, run.models[name].properties
    lines = [*_largest_error(evaluation, name), *_unseen(run, name, texts)]
    lines += [item["message"] for item in verdict.get("segments", {}).get(name, ())]
    lines += [text for text in (verdict.get("collapsed"), *verdict.get("notes", ())) if text]
    lines += [*properties.get("notes", ()), *(properties.get("diagnosis") or ())]
    found = run.get(Anomalies, "example_validator")
    anomalies = found.anomalies if found else []
    lines += [f"{item['message']}." for item in anomalies[:MAX_WARNINGS]]
    if len(anomalies) > MAX_WARNINGS:
        lines.append(f"{counted(len(anomalies) - MAX_WARNINGS, 'more anomaly', 'more anomalies')} of the data.")
    if run.record.judged > 1:
        lines.append(f"The same eval rows have judged {run.record.judged:,} different candidates.")
    return Part("Limits", list(dict.fromkeys(lines)))


def _largest_error(evaluation: Evaluation, name: str) -> Iterator[str]:
    worst = next(iter(evaluation.details.get(name, {}).get("worst_rows", ())), None)
    if worst and worst["prediction"] is not None:
        yield (
            f"Its largest error on eval is {number(worst['prediction'] - worst['label'], 4)}: it predicts "
            f"{number(worst['prediction'], 4)} for a row whose label is {number(worst['label'], 4)}."
        )


def _unseen(run: Run, name: str, texts: ColumnTexts) -> Iterator[str]:
    """Yields what neither train nor eval can tell."""
    statistics, examples = run.get(Statistics, "statistics_gen"), run.get(Examples, "example_gen")
    if statistics is None or examples is None:
        return
    label = next(view for view in column_views(statistics, ["train"]) if view.name == examples.label).splits["train"]
    low, high = (texts.value(examples.label, label[end]) for end in ("min", "max"))
    yield f"The labels of train lie between {low} and {high}, their median is {number(label['median'], 4)}."
    if limits := run.models[name].properties.get("preprocessing", {}).get("label_range"):
        least, most = (texts.value(examples.label, limit) for limit in limits)
        yield f"Its predictions stay between {least} and {most}."
    if texts.units and examples.properties.get("split") != "time":
        yield (
            "Eval is from the same time as train: how large its errors are on later rows was not measured "
            '(`example_gen.split = "time"` measures it).'
        )
