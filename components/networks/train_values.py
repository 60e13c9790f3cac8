"""Reads from Statistics which values a model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossnet.components.statistics.columns import by_column
from crossnet.serving.protocol.train_values import TrainValues

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from crossnet.components.networks.preprocessing import Preprocessing


def train_values(preprocessing: Preprocessing, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> TrainValues:
    """Returns the values of the features that the network sees.

    A range is that of all rows of train. The least and largest number of whole numbers beyond 2^53 are rounded away
    from the others. A missing text is the category "", where the model has one for it.

    Args:
      preprocessing: What the network sees of each feature.
      statistics: Of train.
    """
    columns = by_column(statistics)
    found = {column.name: columns[column.name].num_stats for column in preprocessing.numbers}
    ranges = {
        name: (numbers.min, numbers.max)
        for name, numbers in found.items()
        if any(histogram.buckets for histogram in numbers.histograms)  # else train has no value
    }
    categories: dict[str, frozenset[str | int]] = {
        column.name: frozenset(column.vocabulary) for column in preprocessing.categories if column.name not in found
    }
    complete = {column.name for column in (*preprocessing.numbers, *preprocessing.categories) if column.required}
    return TrainValues(ranges, categories, frozenset(complete))
