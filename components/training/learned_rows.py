"""Counts the rows to learn from, and weighs the label's statistics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.errors import TrainingError
from crossnet.components.records.dataset import read_columns

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

READ_ROWS = 100_000


@dataclass(frozen=True)
class LearnedRows:
    """What is known of the rows to learn from before they are read.

    Attributes:
      count: Rows of train whose weight is above 0; without weights all of them.
      statistics: Of train. The label's mean, deviation and range are those of these rows, as they weigh; all else is
        that of all rows, each once: weights say how much an error costs, not what values there are.
    """

    count: int
    statistics: statistics_pb2.DatasetFeatureStatisticsList


def learned_rows(examples: Examples, statistics: Statistics) -> LearnedRows:
    """Returns what is known of the rows to learn from; reads label and weights where rows have weights.

    Raises:
      TrainingError: No row has a weight above 0.
    """
    rows, proto = examples.counts.get("train", 0), statistics.proto("train")
    if not examples.weight or not rows:
        return LearnedRows(rows, proto)
    count, total, mean, squares, low, high = 0, 0.0, 0.0, 0.0, math.inf, -math.inf
    for batch in read_columns(
        examples, "train", batch_size=READ_ROWS, columns=list({examples.label: 0, examples.weight: 0})
    ):
        weights = batch[examples.weight].values.astype(np.float64)
        labels = batch[examples.label].values[weights > 0].astype(np.float64)
        weights = weights[weights > 0]
        if not len(weights):
            continue
        part = float(weights.sum())
        part_mean = float(weights @ labels) / part
        shift, total = part_mean - mean, total + part  # Chan, Golub and LeVeque 1979
        squares += float(weights @ np.square(labels - part_mean)) + shift * shift * part * (total - part) / total
        mean += shift * part / total
        count, low, high = count + len(weights), min(low, float(labels.min())), max(high, float(labels.max()))
    if not count:
        raise TrainingError(
            f"Every row of train weighs 0 in `{examples.weight}`, so that there is nothing to learn from. Give rows "
            "that count a weight above 0, or name another column in `example_gen.weight`."
        )
    if (label := numbers_of(proto, examples.label)) is not None:
        label.mean, label.std_dev, label.min, label.max = mean, math.sqrt(squares / total), low, high
    return LearnedRows(count, proto)


def numbers_of(proto: statistics_pb2.DatasetFeatureStatisticsList, name: str) -> Any:
    """Returns the statistics of a column's numbers; None where it has none, as a text has."""
    columns = (column for column in proto.datasets[0].features if (column.name or column.path.step[0]) == name)
    return next((column.num_stats for column in columns if column.HasField("num_stats")), None)
