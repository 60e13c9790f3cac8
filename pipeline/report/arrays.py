"""Prepares the arrays that the report draws: predictions, residuals, distributions.

It works without TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crossnet.components.artifacts.evaluation import Evaluation, labels_file, predictions_file
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.statistics.columns import custom_number
from crossnet.components.statistics.values import UNIQUE
from crossnet.pipeline.report.charts import Bands, Density, Steps
from crossnet.serving.protocol.dtypes import Array

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2


MAX_EVAL_ROWS = 200_000  # shown in the charts of predictions and residuals
READ_ROWS = 50_000
CELLS = 60  # of the chart of predicted against actual, in each direction
MARGIN = 0.05  # space beyond the labels, as a share of their range
GROUPS = 20  # of a numeric feature, in the residuals by feature; fewer where a group would have few rows
ROWS_PER_GROUP = 20
MAX_BUCKETS = 100  # of a histogram


@dataclass(frozen=True)
class Scored:
    """Labels and predictions of the eval rows that the charts show.

    Attributes:
      labels: float32 (rows,).
      predictions: By model, float32 (rows,).
      total: Number of rows of the whole split.
    """

    labels: Array
    predictions: Mapping[str, Array]
    total: int


def scored_rows(evaluation: Evaluation) -> Scored | None:
    """Returns the first `MAX_EVAL_ROWS` eval rows; None where the Evaluator kept none."""
    try:
        labels = np.load(labels_file(evaluation.path), mmap_mode="r")
        files = {name: predictions_file(evaluation.path, name) for name in evaluation.metrics}
        predictions = {
            name: np.array(np.load(file, mmap_mode="r")[:MAX_EVAL_ROWS])
            for name, file in files.items()
            if file.is_file()
        }
    except (OSError, ValueError):
        return None
    return Scored(np.array(labels[:MAX_EVAL_ROWS]), predictions, len(labels))


def density(labels: Array, predictions: Array) -> Density:
    """Counts pairs of label and prediction in the cells of a square grid over the range of the labels."""
    finite = np.isfinite(labels)
    low, high = (float(labels[finite].min()), float(labels[finite].max())) if finite.any() else (0.0, 1.0)
    room = MARGIN * (high - low) or 0.5
    edges = np.linspace(low - room, high + room, CELLS + 1)
    counts = np.histogram2d(labels[finite], predictions[finite], bins=(edges, edges))[0].astype(np.int64)
    return Density(counts, edges, edges, len(labels) - int(counts.sum()))


def residual_bands(
    examples: Examples, residuals: Array, features: Sequence[str], *, max_names: int = 12
) -> Iterator[Bands]:
    """Yields, for each feature, the spread of the residuals by groups of its values.

    Args:
      examples: The rows, in the order of `residuals`.
      residuals: float (rows,), prediction minus label.
      features: Names of the features.
      max_names: How many values of a text feature are shown, the most frequent ones.
    """
    from crossnet.components.records.dataset import read_columns
    from crossnet.components.records.texts import is_text, joined

    parts: dict[str, list[Array]] = {name: [] for name in features}
    rows = 0
    for batch in read_columns(examples, "eval", batch_size=READ_ROWS, columns=list(features)):
        for name, column in batch.items():
            if column.lengths is not None:  # several values per row do not fit on one axis
                parts.pop(name, None)
            elif name in parts:
                number = column.present is not None and not is_text(column.values)
                parts[name].append(np.where(column.present, column.values, np.nan) if number else column.values)  # type: ignore[arg-type]
        column = next(iter(batch.values()))
        rows += len(column.values if column.lengths is None else column.lengths)
        if rows >= len(residuals):
            break
    for name, batches in parts.items():
        if batches:
            values = joined(batches)[: len(residuals)]
            bands = _text_bands if is_text(values) else _number_bands
            yield bands(name, values, residuals[: len(values)], max_names)


def _number_bands(name: str, values: Array, residuals: Array, max_names: int) -> Bands:
    values = values.astype(np.float64)
    finite = np.isfinite(values)
    distinct = np.unique(values[finite])
    most = min(GROUPS, max(4, len(values) // ROWS_PER_GROUP))
    if len(distinct) <= most:
        groups, count = np.searchsorted(distinct, values), len(distinct)
    else:
        inner = np.unique(np.quantile(values[finite], np.arange(1, most) / most))
        groups, count = np.searchsorted(inner, values, side="right"), len(inner) + 1
    members = [finite & (groups == i) for i in range(count)]
    members = [mask for mask in members if mask.any()]
    at = np.array([float(values[mask].mean()) for mask in members])
    return _bands(name, at, (), [residuals[mask] for mask in members])


def _text_bands(name: str, values: Any, residuals: Array, max_names: int) -> Bands:
    encoded = values.dictionary_encode()
    distinct, groups = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    counts = np.bincount(groups, minlength=len(distinct)).tolist()
    chosen = sorted(range(len(distinct)), key=lambda i: (-counts[i], distinct[i]))[:max_names]
    names = tuple(distinct[i].decode("utf-8", "replace") or "(missing)" for i in chosen)
    return _bands(name, np.empty(0), names, [residuals[groups == i] for i in chosen])


def _bands(name: str, at: Array, names: tuple[str, ...], groups: Sequence[Array]) -> Bands:
    found = np.full((3, len(groups)), np.nan)
    for i, group in enumerate(groups):
        finite = group[np.isfinite(group)]
        if len(finite):
            found[:, i] = np.quantile(finite.astype(np.float64), [0.05, 0.5, 0.95])
    low, middle, high = found
    return Bands(name, at, names, low, middle, high)


@dataclass(frozen=True)
class ColumnView:
    """Statistics of one column.

    Attributes:
      name, type: As recorded.
      splits: By split: rows, missing, and what a number or a text has: mean, std, min, median, max, zeros, nan; unique.
      numbers: By split, the histogram of a numeric column.
      values: Value and share by split of a text column's most frequent values.
    """

    name: str
    type: str
    splits: Mapping[str, Mapping[str, float]]
    numbers: Mapping[str, Steps]
    values: Sequence[tuple[str, Mapping[str, float]]]


def column_views(statistics: Statistics, splits: Sequence[str], *, max_values: int = 8) -> list[ColumnView]:
    """Returns every column's statistics, in the order of the train split."""
    found: dict[str, dict[str, statistics_pb2.FeatureNameStatistics]] = {}
    for split in splits:
        for dataset in statistics.proto(split).datasets:
            for column in dataset.features:
                found.setdefault(column.path.step[0] if column.path.step else column.name, {})[split] = column
    return [_column_view(name, by_split, max_values) for name, by_split in found.items()]


def _column_view(
    name: str, by_split: Mapping[str, statistics_pb2.FeatureNameStatistics], max_values: int
) -> ColumnView:
    splits, numbers = {}, {}
    shares: dict[str, dict[str, float]] = {}
    for split, column in by_split.items():
        text = column.HasField("string_stats")
        stats: Any = column.string_stats if text else column.num_stats
        common = stats.common_stats
        rows = common.num_non_missing + common.num_missing
        splits[split] = {"rows": rows, "missing": common.num_missing / rows if rows else 0.0}
        if text:
            splits[split]["unique"] = stats.unique
            for value in stats.top_values:
                shares.setdefault(value.value, {})[split] = value.frequency / max(1, common.num_non_missing)
            continue
        keys = ("mean", "std_dev", "min", "median", "max", "num_zeros")
        splits[split] |= {key: getattr(stats, key) for key in keys}
        splits[split]["unique"] = custom_number(column, UNIQUE)
        if steps := _steps(stats):
            numbers[split] = steps
    first = next(iter(by_split.values()))
    kind = first.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[first.type].name.lower()
    ordered = sorted(shares.items(), key=lambda item: -max(item[1].values()))[:max_values]
    return ColumnView(name, kind, splits, numbers, ordered)


def _steps(stats: statistics_pb2.NumericStatistics) -> Steps | None:
    """Returns the equal-width histogram as a density of area one; None without a finite value."""
    for histogram in stats.histograms:
        buckets = [bucket for bucket in histogram.buckets if math.isfinite(bucket.low_value + bucket.high_value)]
        if histogram.type == histogram.STANDARD and buckets:
            edges = np.array([buckets[0].low_value, *(bucket.high_value for bucket in buckets)])
            if edges[-1] <= edges[0]:
                edges = np.array([edges[0] - 0.5, edges[0] + 0.5])
                return Steps(edges, np.ones(1))
            counts = np.array([bucket.sample_count for bucket in buckets])
            joined = np.arange(0, len(counts), -(-len(counts) // MAX_BUCKETS))
            counts, edges = np.add.reduceat(counts, joined), np.append(edges[joined], edges[-1])
            return Steps(edges, counts / max(1.0, counts.sum()) / np.diff(edges))
    return None
