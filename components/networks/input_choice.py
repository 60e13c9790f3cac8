"""Decides from Statistics what the network sees of each column."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from crossnet.components.errors import TrainingError
from crossnet.components.features import Feature
from crossnet.components.networks.bin_edges import Floats, bin_edges, bins_by_rows, robust_scaling, width_by_rows
from crossnet.components.networks.category_choice import (
    FEW_VALUES,
    MAX_RARE_SHARE,
    embedding_width,
    is_key,
    least_count,
)
from crossnet.components.networks.columns import (
    MAX_OPTIONAL_KEY,
    SECONDS,
    UNITS,
    KeyColumn,
    LeftOut,
    NumberColumn,
    TextColumn,
)
from crossnet.components.networks.number_inputs import CLIP
from crossnet.components.networks.preprocessing import LABEL_MARGIN, Preprocessing
from crossnet.components.networks.seen_numbers import distribution, moments
from crossnet.components.params.setting import AUTO
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.statistics.columns import common_of, custom_number
from crossnet.components.statistics.values import UNIQUE, VALUE_COUNTS

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

MAX_EMBEDDING_DIM = 16
# A label in [-10, 10] with at least this spread is of the network's own size: normalising it would only cost precision.
MAX_LABEL, MIN_LABEL_SPREAD = 10.0, 0.1
# The largest size of a train value that "auto" leaves to a feature. Cross layers multiply features: a rare value of 30
# standard deviations would make a rare product of 900, whose gradients drown those of all other rows.
MAX_INPUT = 5.0
# A cycle is seen of times that span this share of it: a year's rows, of which the last day is missing, span a year.
MIN_CYCLES = 0.9


def make_preprocessing(
    features: Sequence[Feature],
    label: Feature,
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    *,
    params: TrainerParams,
) -> Preprocessing:
    """Returns the preprocessing for a table.

    Args:
      features: The table's features.
      label: Its label.
      statistics: Of the train split.
      params: `normalize` "auto" (centre every feature and divide it by its standard deviation, or by as much more as
        brings all train values to [-5, 5]; z-score the label unless its train values lie in [-10, 10] with a standard
        deviation of at least 0.1), "zscore" (all of them), "robust" (median and quartiles, clipped smoothly to [-3, 3];
        z-score the label) or "none"; and all settings that say what else is seen of a column.

    Raises:
      TrainingError: The label is text, or Statistics lack a column of the Schema.
    """
    by_name = {(column.name or column.path.step[0]): column for column in statistics.datasets[0].features}
    if absent := [column.name for column in (*features, label) if column.name not in by_name]:
        raise TrainingError(
            f"Statistics of train have no {', '.join(f'`{name}`' for name in absent)}, which the schema asks for. "
            f"There are: {', '.join(sorted(by_name))}. Make the schema fit the data, or `exclude` the column."
        )
    if label.is_text:
        raise TrainingError(
            f"The label `{label.name}` is text; a regression needs a number. Name a numeric column in "
            "`example_gen.label`, or force its type with `example_gen.numeric`."
        )
    rows = statistics.datasets[0].num_examples
    chosen = [_chosen(feature, by_name[feature.name], rows, params) for feature in features]
    found = [column for columns in chosen for column in columns]
    numbers = tuple(column for column in found if isinstance(column, NumberColumn))
    label_mean, label_scale = label_scaling(by_name[label.name].num_stats, params.normalize)
    return Preprocessing(
        numbers,
        tuple(column for column in found if isinstance(column, TextColumn)),
        label_mean,
        label_scale,
        number_dim=by_rows(params.number_dim, width_by_rows(rows)) if any(column.edges for column in numbers) else 0,
        clip=params.normalize == "robust",
        keys=tuple(column for column in found if isinstance(column, KeyColumn)),
        left_out=tuple(column for column in found if isinstance(column, LeftOut)),
        label_range=_label_range(by_name[label.name].num_stats) if params.clip_predictions else (),
    )


def by_rows(given: int | str, chosen: int) -> int:
    """Returns what a setting says, or what was chosen where it says "auto"."""
    return chosen if given == AUTO else int(given)


def label_scaling(numbers: statistics_pb2.NumericStatistics, normalize: str) -> tuple[float, float]:
    """Returns the mean and scale by which the label is normalised; 0 and 1 where it is not."""
    usable = math.isfinite(numbers.std_dev) and numbers.std_dev > 0
    own_size = max(abs(numbers.min), abs(numbers.max)) <= MAX_LABEL and numbers.std_dev >= MIN_LABEL_SPREAD
    if not usable or normalize == "none" or (normalize == "auto" and own_size):
        return 0.0, 1.0
    return numbers.mean, numbers.std_dev


def _label_range(numbers: statistics_pb2.NumericStatistics) -> tuple[float, float]:
    """Returns the least and the largest prediction: the labels of train and a margin, which changes no sign."""
    margin = LABEL_MARGIN * numbers.std_dev
    low, high = numbers.min - margin, numbers.max + margin
    return max(low, 0.0) if numbers.min >= 0 else low, min(high, 0.0) if numbers.max <= 0 else high


def _chosen(
    feature: Feature, column: statistics_pb2.FeatureNameStatistics, rows: int, params: TrainerParams
) -> list[NumberColumn | TextColumn | KeyColumn | LeftOut]:
    """Returns what the network sees of a feature: one or two inputs, or none."""
    if feature.is_text:
        return [_text_column(feature, column, rows, params)]
    number = _scaled(feature, column, params.normalize)
    values, weights = distribution(feature, column)
    if params.normalize != "robust" or not len(values):
        return [number]
    if feature.required and len(values) == 1:
        return [_left_out(feature, "has one value in train, so nothing can be learned from it: the model ignores it")]
    key = _key_column(feature, column, rows, params)
    if key and feature.categorical:
        return [key]
    bins = by_rows(params.number_bins, bins_by_rows(rows))
    edges = _network_edges(number, bin_edges(values, weights, bins)) if bins else ()
    cycles = _cycles(feature, values, column.num_stats) if params.date_parts else ()
    unit = feature.time_unit if cycles and feature.time_unit else number.unit
    return [dataclasses.replace(number, edges=edges, cycles=cycles, unit=unit), *([key] if key else [])]


def _scaled(feature: Feature, column: statistics_pb2.FeatureNameStatistics, normalize: str) -> NumberColumn:
    """Returns a number with the mean and scale of its input, and what a missing value is replaced by."""
    mean, scale, least, largest = moments(feature, column)
    number = NumberColumn(feature.name, feature.type, feature.required, fill=mean, unit=feature.clock)
    if normalize == "none":
        return number
    values, weights = distribution(feature, column)
    if normalize == "robust" and len(values):
        median, scale = robust_scaling(values, weights)
        return dataclasses.replace(number, mean=median, scale=scale, fill=median)
    # Features in [0, 1] are centred too: there x and x² correlate at 0.97, around the mean hardly at all, which saves
    # Adam most of its updates.
    if normalize == "auto":
        scale = max(scale, (largest - mean) / MAX_INPUT, (mean - least) / MAX_INPUT)
    scale = scale if math.isfinite(scale) and scale > 0 else 1.0
    return dataclasses.replace(number, mean=mean, scale=scale)


def _network_edges(number: NumberColumn, edges: Floats) -> tuple[float, ...]:
    """Returns edges as the network sees them, those that float32 tells apart; none where it is fewer than two."""
    third = (edges - number.mean) / number.scale / CLIP
    seen = np.unique((CLIP * third / np.sqrt(1 + np.square(third))).astype(np.float32))
    return tuple(seen.tolist()) if len(seen) > 1 else ()


def _cycles(feature: Feature, values: Floats, numbers: statistics_pb2.NumericStatistics) -> tuple[str, ...]:
    """Returns the cycles that a time is seen in: those that train spans, and the day only where there are hours."""
    if feature.clock:
        return ("day",)
    if not feature.time_unit:
        return ()
    second = UNITS[feature.time_unit]
    span = (numbers.max - numbers.min) / second
    cycles = [name for name, length in SECONDS.items() if span >= MIN_CYCLES * length]
    if not np.mod(values, SECONDS["day"] * second).any():
        cycles = [name for name in cycles if name != "day"]
    return tuple(cycles)


def _key_column(
    feature: Feature, column: statistics_pb2.FeatureNameStatistics, rows: int, params: TrainerParams
) -> KeyColumn | None:
    """Returns a column of whole numbers as categories; None where it cannot be seen so, or is not to be."""
    counts, distinct = _counts(column), custom_number(column, UNIQUE)
    exact = feature.required or max(abs(column.num_stats.min), abs(column.num_stats.max)) <= MAX_OPTIONAL_KEY
    if not params.embed_whole_numbers or feature.type != "INT" or not (counts and exact):
        return None
    if feature.time_unit or feature.clock:
        return None
    low, high = FEW_VALUES
    if not (feature.categorical or low <= distinct <= high or is_key(counts, distinct, _present(column))):
        return None
    least = by_rows(params.min_count, least_count(rows))
    kept = tuple(sorted(value for value, count in counts if count >= least))
    width = embedding_width(len(kept), params.embedding_dim, MAX_EMBEDDING_DIM)
    return KeyColumn(feature.name, feature.required, kept, width) if kept else None


def _text_column(
    feature: Feature, column: statistics_pb2.FeatureNameStatistics, rows: int, params: TrainerParams
) -> TextColumn | LeftOut:
    """Takes the vocabulary from the schema's domain, or else from the values of train, most frequent first."""
    counts = {bucket.label: bucket.sample_count for bucket in column.string_stats.rank_histogram.buckets}
    least = by_rows(params.min_count, least_count(rows))
    vocabulary = tuple(dict.fromkeys(feature.vocabulary or counts))
    if least > 1:
        kept = {value for value, count in counts.items() if count >= least}
        rare = _present(column) - sum(counts[value] for value in kept)
        if rare > MAX_RARE_SHARE * rows:
            words = "once" if least == 2 else f"fewer than {least} times"
            reason = f"is left out: nearly all of its values occur {words} in train. Name it in `example_gen.exclude`"
            return _left_out(feature, reason)
        if feature.required and len(counts) == 1 and not rare:
            return _left_out(feature, "has one value in train, so nothing can be learned from it: the model ignores it")
        vocabulary = tuple(value for value in vocabulary if value in kept)
    if "" not in vocabulary and not (feature.required and vocabulary):  # a lookup table takes no empty vocabulary
        vocabulary = ("", *vocabulary)
    width = embedding_width(len(vocabulary), params.embedding_dim, MAX_EMBEDDING_DIM)
    return TextColumn(feature.name, feature.required, vocabulary, width)


def _left_out(feature: Feature, reason: str) -> LeftOut:
    return LeftOut(feature.name, feature.type, feature.required, reason)


def _present(column: statistics_pb2.FeatureNameStatistics) -> int:
    return int(common_of(column).num_non_missing)


def _counts(column: statistics_pb2.FeatureNameStatistics) -> list[tuple[int, int]]:
    """Returns whole numbers and how often each occurs, most frequent first; empty where Statistics do not list them."""
    found: Mapping[str, statistics_pb2.RankHistogram] = {c.name: c.rank_histogram for c in column.custom_stats}
    listed = found[VALUE_COUNTS].buckets if VALUE_COUNTS in found else ()
    return [(int(bucket.label), int(bucket.sample_count)) for bucket in listed]
