"""Counts the rows to learn from, and weighs the label's statistics."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.errors import TrainingError
from crossnet.components.records.dataset import read_columns
from crossnet.components.training.sharing import Sharing

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


def learned_rows(examples: Examples, statistics: Statistics, sharing: Sharing | None = None) -> LearnedRows:
    """Returns what is known of the rows to learn from; reads label and weights where rows have weights.

    Args:
      examples: The rows.
      statistics: Theirs.
      sharing: The workers of whom each reads its share of them. None: this process reads all.

    Raises:
      TrainingError: No row has a weight above 0.
    """
    rows, proto = examples.counts.get("train", 0), statistics.proto("train")
    if not examples.weight or not rows:
        return LearnedRows(rows, proto)
    found = _Moments()
    names, blocks = list({examples.label: 0, examples.weight: 0}), sharing.blocks(rows) if sharing else None
    for batch in read_columns(examples, "train", batch_size=READ_ROWS, columns=names, blocks=blocks):
        weights = batch[examples.weight].values.astype(np.float64)
        labels = batch[examples.label].values[weights > 0].astype(np.float64)
        weights = weights[weights > 0]
        if not len(weights):
            continue
        part = float(weights.sum())
        mean = float(weights @ labels) / part
        squares = float(weights @ np.square(labels - mean))
        low, high = float(labels.min()), float(labels.max())
        found = found.with_others(_Moments(len(weights), part, mean, squares, low, high))
    if sharing:
        parts = sharing.joined(np.array(found, np.float64)).reshape(sharing.count, -1).tolist()
        found = functools.reduce(_Moments.with_others, itertools.starmap(_Moments, parts))
    count = int(found.rows)
    if not count:
        raise TrainingError(
            f"Every row of train weighs 0 in `{examples.weight}`, so that there is nothing to learn from. Give rows "
            "that count a weight above 0, or name another column in `example_gen.weight`."
        )
    if (label := numbers_of(proto, examples.label)) is not None:
        label.mean, label.std_dev = found.mean, math.sqrt(found.squares / found.total)
        label.min, label.max = found.low, found.high
    return LearnedRows(count, proto)


class _Moments(NamedTuple):
    """Of the labels of some rows: rows, sum of weights, mean, squared deviations from it, least and greatest."""

    rows: float = 0
    total: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    def with_others(self, part: _Moments) -> _Moments:
        """Returns those of these rows and others (Chan, Golub and LeVeque 1979)."""
        if not part.rows:
            return self
        shift, total = part.mean - self.mean, self.total + part.total
        squares = self.squares + (part.squares + shift * shift * part.total * (total - part.total) / total)
        mean = self.mean + shift * part.total / total
        low, high = min(self.low, part.low), max(self.high, part.high)
        return _Moments(self.rows + part.rows, total, mean, squares, low, high)


def numbers_of(proto: statistics_pb2.DatasetFeatureStatisticsList, name: str) -> Any:
    """Returns the statistics of a column's numbers; None where it has none, as a text has."""
    columns = (column for column in proto.datasets[0].features if (column.name or column.path.step[0]) == name)
    return next((column.num_stats for column in columns if column.HasField("num_stats")), None)
