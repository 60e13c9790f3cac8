"""Collects the statistics of one column, mergeable over shards.

These are counts, moments, quantiles and frequent values, all from one pass.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records.dataset import Column
from crossnet.components.records.texts import chosen
from crossnet.components.records.wire_format import heading, tagged
from crossnet.components.statistics.values import Numbers, Texts
from crossnet.serving.protocol.varint import varint

TYPES = {
    "FLOAT": statistics_pb2.FeatureNameStatistics.FLOAT,
    "INT": statistics_pb2.FeatureNameStatistics.INT,
    "BYTES": statistics_pb2.FeatureNameStatistics.STRING,
}
_MORE_THAN_ANY = 2**62  # values in a row
_DATASETS, _FEATURES = 0x0A, 0x1A  # tags of a DatasetFeatureStatisticsList and of a DatasetFeatureStatistics
_PATH, _STEP = 0x42, 0x0A  # of a FeatureNameStatistics and of its path


class ColumnStatistics:
    """The statistics of one column of one split.

    Args:
      name: The column's name.
      type: "FLOAT", "INT" or "BYTES".
      params: The sizes of histograms and vocabularies.
    """

    def __init__(self, name: str, type: str, params: StatisticsGenParams) -> None:
        self.name, self.type, self.params = name, type, params
        self.num_rows = self.num_present = self.num_values = self.max_num_values = 0
        self.min_num_values = _MORE_THAN_ANY
        self.values = Texts(params.max_vocabulary) if type == "BYTES" else Numbers()

    def update(self, column: Column) -> None:
        """Adds a batch of rows."""
        if column.lengths is None:
            values = column.values if column.present is None else chosen(column.values, column.present)
            counts = np.ones(min(len(values), 1), np.int64)
            self.num_rows += len(column.values)
            self.num_present += len(values)
        else:
            values, counts = column.values, column.lengths[column.lengths > 0]
            self.num_rows += len(column.lengths)
            self.num_present += len(counts)
        self.num_values += len(values)
        self.min_num_values = min(self.min_num_values, int(counts.min(initial=_MORE_THAN_ANY)))
        self.max_num_values = max(self.max_num_values, int(counts.max(initial=0)))
        self.values.update(values)

    def merge(self, other: ColumnStatistics) -> None:
        """Adds the statistics of `other`, which must be about the same column."""
        self.num_rows += other.num_rows
        self.num_present += other.num_present
        self.num_values += other.num_values
        self.min_num_values = min(self.min_num_values, other.min_num_values)
        self.max_num_values = max(self.max_num_values, other.max_num_values)
        self.values.merge(other.values)  # type: ignore[arg-type]  # the same column has the same type

    def proto(self) -> statistics_pb2.FeatureNameStatistics:
        """Returns the column's statistics in the layout of TFDV."""
        return statistics_pb2.FeatureNameStatistics.FromString(self.serialized())

    def serialized(self) -> bytes:
        """Returns the column's statistics in the layout of TFDV, serialized."""
        statistics = statistics_pb2.FeatureNameStatistics(type=TYPES[self.type])
        others = self.values.fill(statistics, self.params)
        texts = isinstance(self.values, Texts)
        common = (statistics.string_stats if texts else statistics.num_stats).common_stats
        common.num_non_missing, common.num_missing = self.num_present, self.num_rows - self.num_present
        common.tot_num_values = self.num_values
        if self.num_present:
            common.min_num_values, common.max_num_values = self.min_num_values, self.max_num_values
            common.avg_num_values = self.num_values / self.num_present
        path = tagged(_PATH, tagged(_STEP, self.name.encode()))
        return b"".join([statistics.SerializeToString(deterministic=True), *others, path])


def dataset_parts(split: str, num_rows: int, columns: Iterable[bytes]) -> list[bytes]:
    """Returns the statistics of one split as a DatasetFeatureStatisticsList, serialized.

    Messages that hold all columns would copy each of them twice. The parts are to be written one after the other, since
    to join them would copy all of them again.

    Args:
      split: Its name.
      num_rows: Its rows.
      columns: `ColumnStatistics.serialized` of each column.
    """
    parts = [statistics_pb2.DatasetFeatureStatistics(name=split, num_examples=num_rows).SerializeToString()]
    for column in columns:
        parts += heading(_FEATURES, len(column)), column
    return [bytes([_DATASETS]) + varint(sum(map(len, parts))), *parts]


def by_column(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
) -> dict[str, statistics_pb2.FeatureNameStatistics]:
    """Returns the statistics of each column, by name."""
    return {feature.path.step[0]: feature for dataset in statistics.datasets for feature in dataset.features}


def common_of(statistics: statistics_pb2.FeatureNameStatistics) -> statistics_pb2.CommonStatistics:
    """Returns the part of a column's statistics that every type has."""
    return (statistics.string_stats if statistics.HasField("string_stats") else statistics.num_stats).common_stats


def custom_number(statistics: statistics_pb2.FeatureNameStatistics, name: str) -> float:
    """Returns a custom statistic, or 0 where it is missing."""
    return next((custom.num for custom in statistics.custom_stats if custom.name == name), 0.0)
