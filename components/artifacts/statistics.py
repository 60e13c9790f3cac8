"""Reads the artifact of StatisticsGen: statistics of every column."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crossnet.components.artifacts.base import Artifact, split_folder

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2


def statistics_file(folder: Path, split: str) -> Path:
    """Returns the file of one split's statistics inside an artifact's folder."""
    return split_folder(folder, split) / "FeatureStats.pb"


class Statistics(Artifact):
    """Statistics of every column, by split.

    File structure:
      Split-train/FeatureStats.pb    (DatasetFeatureStatisticsList)
      Split-eval/FeatureStats.pb
    """

    def proto(self, split: str) -> statistics_pb2.DatasetFeatureStatisticsList:
        """Returns the statistics of one split."""
        from tensorflow_metadata.proto.v0 import statistics_pb2

        data = statistics_file(self.path, split).read_bytes()
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(data)
