"""Reads from Statistics the numbers that a model sees of a column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossnet.components import clock
from crossnet.components.features import Feature
from crossnet.components.statistics.buckets import bucket_values
from crossnet.components.statistics.values import DISTRIBUTION

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

Floats = NDArray[np.float64]


class Moments(NamedTuple):
    """Of the finite numbers of a column: mean, standard deviation (it may be 0 or NaN), and the ends."""

    mean: float
    deviation: float
    least: float
    largest: float


def distribution(feature: Feature, column: statistics_pb2.FeatureNameStatistics) -> tuple[Floats, Floats]:
    """Returns ascending numbers and the rows that each stands for, float64 (values,), of times of day since 0."""
    found = [custom.histogram for custom in column.custom_stats if custom.name == DISTRIBUTION]
    values, weights = bucket_values(found[0]) if found else (np.empty(0), np.empty(0))
    return clock.since_midnight(values, feature.clock) if feature.clock else values, weights


def moments(feature: Feature, column: statistics_pb2.FeatureNameStatistics) -> Moments:
    """Returns the moments of a column's numbers; of times of day, in minutes or seconds."""
    numbers = column.num_stats
    values, weights = distribution(feature, column) if feature.clock else (np.empty(0), np.empty(0))
    if len(values):
        mean = float(np.average(values, weights=weights))
        deviation = math.sqrt(np.average(np.square(values - mean), weights=weights))
        return Moments(mean, deviation, float(values[0]), float(values[-1]))
    return Moments(numbers.mean if math.isfinite(numbers.mean) else 0.0, numbers.std_dev, numbers.min, numbers.max)
