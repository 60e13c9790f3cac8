"""Prepares what the report shows of training: curves, settings, members."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crossnet.components.artifacts.model import Model
from crossnet.components.formats import number, percent
from crossnet.components.params.networks import MODEL_KINDS
from crossnet.pipeline.report import charts
from crossnet.pipeline.report.charts import Series
from crossnet.pipeline.report.run import Run, history
from crossnet.pipeline.report.sections import css

MAX_SHARES = 4  # that are named one by one


def training(run: Run) -> dict[str, Any]:
    """Returns the loss curves of all models, wide and narrow, and how each was trained."""
    series, sentences, facts = [], [], []
    models = run.models
    for kind in sorted(models, key=lambda name: MODEL_KINDS.index(name) if name in MODEL_KINDS else len(MODEL_KINDS)):
        curves, properties = history(models[kind]), models[kind].properties
        shares = properties.get("shares") or []
        used = [share for share in shares if share] or shares
        for split, values in curves.items():
            epochs = np.arange(1, len(values) + 1, dtype=float)
            style = {"train": "", "validation": " held-out", "eval": " faint"}[split]
            series.append(Series("" if style else kind, css(kind) + style, epochs, values, said=f"{kind}, {split}"))
        train = curves.get("train", np.array([math.nan]))
        sentences.append(f"{kind} ends at {number(float(train[-1]), 3)} after {len(train)} epochs")
        facts.append(
            {"name": kind, "epochs": len(train), "first": float(train[0]), "last": float(train[-1])}
            | {key: properties.get(key) for key in ("updates", "train_seconds", "warm_start")}
            | {"diagnosis": properties.get("diagnosis") or []}
            | {"members": len(used), "left_out": len(shares) - len(used)}
            | {"shares": _shares(used, properties.get("linear_share"))}
        )
    title = f"RMSE over the train split by epoch, logarithmic. {'; '.join(sentences)}."
    pictures = [
        charts.line_chart(series, title, x_label="epoch", y_label="RMSE", width=width, height=height)
        for width, height in ((760, 340), (360, 300))
    ]
    has_eval, held_out = (any(style in one.css for one in series) for style in ("faint", "held-out"))
    found = {"charts": pictures if series else [], "models": facts, "chosen": _chosen(models)}
    return {**found, "has_eval": has_eval, "held_out": held_out}


def _chosen(models: Mapping[str, Model]) -> dict[str, Any]:
    """Returns what was chosen where settings say "auto": `models`, and `rows` of setting and value by model."""
    chosen = {name: model.properties.get("chosen") or {} for name, model in models.items()}
    names = list(dict.fromkeys(setting for values in chosen.values() for setting in values))
    rows = [(name, [setting_text(values.get(name)) for values in chosen.values()]) for name in names]
    return {"models": list(chosen), "rows": rows}


def setting_text(value: Any) -> str:
    """Returns the value of a setting; numbers have few digits."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number(value, 4)
    if isinstance(value, list | tuple):
        return f"[{', '.join(setting_text(item) for item in value)}]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shares(shares: Sequence[float], of_linear: float | None = None) -> str:
    """Returns each member's share of a prediction in words, of many the extremes; empty for one network."""
    if not shares:
        return ""
    low, high = percent(min(shares)), percent(max(shares))
    words = f"{low} each" if low == high else f"{low} to {high} each"
    if len(shares) <= MAX_SHARES:
        words = ", ".join(percent(share) for share in shares)
    return f"{words}, and a linear model {percent(of_linear)}" if of_linear else words
