"""Measures what each feature does to a model's predictions.

Both measures ask the exported model about rows of eval, in the label's unit, a bounded number of times:

* importance: by how much the RMSE grows where a feature's values are shuffled among the rows, so that they say nothing
  about their row any more. Features that say the same share it: each alone can be done without.
* dependence: the mean prediction where every row has the same value of a feature, for some of its values.

No rule reads them.

References:
  Breiman, 2001, Random Forests; Fisher, Rudin and Dominici, 2019, All Models are Wrong, but Many are Useful.
  Friedman, 2001, Greedy Function Approximation, section 8.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np

from crossnet.components.evaluation.metrics import plain
from crossnet.components.evaluation.row_sample import RowSample
from crossnet.components.features import Feature
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.serving.protocol.dtypes import Array

MAX_FEATURES = 200
ROWS_ASKED = 20_000  # of all features together, for the importance
MAX_ROWS, MIN_ROWS, MAX_SHUFFLES = 1000, 60, 5
ROWS_PER_CALL = 2000
MAX_CURVES, MAX_POINTS, CURVE_ROWS = 12, 10, 100


class Predictor(Protocol):
    """What is asked: features by name, each (rows,), to predictions (rows,)."""

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns one prediction per row."""


def measure_effects(
    model: Predictor, sample: RowSample, features: Sequence[Feature], params: EvaluatorParams
) -> dict[str, Any]:
    """Returns `importance` and `dependence` as JSON values; {} where there are not rows enough or numbers to compare.

    Args:
      model: An exported model.
      sample: Rows of eval with all features.
      features: Theirs; the first `MAX_FEATURES` are looked at.
      params: Seed of the shuffles and confidence of the intervals.

    Returns:
      `importance`: `rows`, `shuffles`, `rmse` of these rows, and `columns`, the most important first: `name`,
      `increase` of the RMSE, and its `interval`, rough: it takes rows for independent. `dependence` of the most
      important ones: `name`, `at` (values, ascending; texts by frequency) and `prediction`, the mean at each.
    """
    if sample.rows < 2:
        return {}
    importance = _importance(model, sample, features, params)
    if importance is None:
        return {}
    chosen = [column["name"] for column in importance["columns"] if column["increase"] > 0][:MAX_CURVES]
    return {"importance": importance, "dependence": _dependence(model, sample, features, chosen)}


def _importance(
    model: Predictor, sample: RowSample, features: Sequence[Feature], params: EvaluatorParams
) -> dict[str, Any] | None:
    looked_at = features[:MAX_FEATURES]
    asked = max(MIN_ROWS, ROWS_ASKED // max(1, len(looked_at)))
    places = _places(sample, min(asked, MAX_ROWS))
    shuffles = max(1, min(MAX_SHUFFLES, asked // len(places)))
    columns = {feature.name: sample.column(feature.name)[places] for feature in features}
    labels = sample.labels[places]
    weights = np.ones(len(places)) if sample.weights is None else sample.weights[places]
    random, z = np.random.default_rng(params.seed), NormalDist().inv_cdf((1 + params.confidence) / 2)
    square = np.square(model.predict(columns).astype(np.float64) - labels)
    if not weights.sum() > 0 or not np.isfinite(square).all():
        return None
    rmse = math.sqrt(np.average(square, weights=weights))
    found: list[dict[str, Any]] = []
    for feature, answers in _shuffled(model, columns, looked_at, shuffles, random):
        shuffled = np.square(answers - labels).mean(axis=0)
        if not np.isfinite(shuffled).all():
            return None
        whole = math.sqrt(np.average(shuffled, weights=weights))
        more = weights * (shuffled - square) / weights.mean()
        # The root's derivative at the sum of both: exact for the difference of two roots.
        half = z * float(more.std(ddof=1)) / math.sqrt(len(more)) / max(whole + rmse, 1e-300)
        increase = whole - rmse
        found.append({"name": feature.name, "increase": increase, "interval": [increase - half, increase + half]})
    found.sort(key=lambda column: -column["increase"])
    return {"rows": len(places), "shuffles": shuffles, "rmse": rmse, "columns": found}


def _shuffled(
    model: Predictor, columns: Mapping[str, Array], features: Sequence[Feature], shuffles: int, random: Any
) -> Iterator[tuple[Feature, Array]]:
    """Yields each feature and the predictions where it alone is shuffled, float64 (shuffles, rows).

    Several features are asked in one call: of a wide table, a call costs more than its rows.
    """
    rows = len(next(iter(columns.values())))
    at_once = max(1, ROWS_PER_CALL // (rows * shuffles))
    for first in range(0, len(features), at_once):
        asked = features[first : first + at_once]
        batch = {name: np.tile(values, shuffles * len(asked)) for name, values in columns.items()}
        for place, feature in enumerate(asked):
            orders = [random.permutation(rows) for _ in range(shuffles)]
            start = place * shuffles * rows
            batch[feature.name][start : start + shuffles * rows] = columns[feature.name][np.concatenate(orders)]
        answers = model.predict(batch).astype(np.float64).reshape(len(asked), shuffles, rows)
        yield from zip(asked, answers, strict=True)


def _dependence(
    model: Predictor, sample: RowSample, features: Sequence[Feature], names: Sequence[str]
) -> list[dict[str, Any]]:
    places = _places(sample, CURVE_ROWS)
    found: list[dict[str, Any]] = []
    columns = {feature.name: sample.column(feature.name)[places] for feature in features}
    weights = None if sample.weights is None or not sample.weights[places].any() else sample.weights[places]
    for name in names:
        points = _points(sample.column(name))
        if len(points) < 2:
            continue
        batch = {other: np.tile(values, len(points)) for other, values in columns.items()}
        batch[name] = np.repeat(points, len(places))
        means = np.average(
            model.predict(batch).astype(np.float64).reshape(len(points), -1), axis=1, weights=weights
        ).tolist()
        if not np.isfinite(means).all():
            continue
        found.append({"name": name, "at": [plain(value) for value in points], "prediction": means})
    return found


def _places(sample: RowSample, most: int) -> Array:
    """Returns the places of at most `most` rows, evenly spread."""
    return np.linspace(0, sample.rows - 1, min(most, sample.rows)).astype(np.int64)


def _points(values: Array) -> Array:
    """Returns values of a column: all of them, or quantiles of numbers and the most frequent texts."""
    if values.dtype == object:
        found, counts = np.unique(values, return_counts=True)
        return found[np.argsort(-counts, kind="stable")[:MAX_POINTS]]
    present = values[np.isfinite(values)]
    distinct = np.unique(present)
    if len(distinct) <= MAX_POINTS:
        return distinct
    shares = np.linspace(0.02, 0.98, MAX_POINTS)
    return np.unique(np.quantile(present, shares, method="nearest")).astype(values.dtype)
