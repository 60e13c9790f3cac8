"""Reads the artifact of StatisticsGen: statistics of every column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossnet.components.artifacts.base import Artifact

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2


class Statistics(Artifact):
    """Statistics of every column, by split.

    File structure:
      Split-train/FeatureStats.pb    (DatasetFeatureStatisticsList)
      Split-eval/FeatureStats.pb
    """

    def proto(self, split: str) -> statistics_pb2.DatasetFeatureStatisticsList:
        """Returns the statistics of one split."""
        from tensorflow_metadata.proto.v0 import statistics_pb2

        data = (self.path / f"Split-{split}" / "FeatureStats.pb").read_bytes()
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(data)
