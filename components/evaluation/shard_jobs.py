"""Cuts the scoring of a split into jobs, one per shard.

A job asks every model about a batch before it reads the next one, so memory is constant. Batches end where their shard
ends: with several shards, the last digits of a sum of floats depend on where rows are cut, and on nothing else.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.evaluation.grouping import Grouping
from crossnet.components.evaluation.predictors import Predictor, ServedModel
from crossnet.components.evaluation.recorded import RecordedPredictions
from crossnet.components.features import Feature
from crossnet.components.records.dataset import check_count, read_columns, read_dataset
from crossnet.serving.protocol.dtypes import Array

T = TypeVar("T")

LOGGER = logging.getLogger(__name__)

# A process takes 3 CPU s to import TensorFlow. Two of them cost at most 1.3 times what one costs from some 20 s on.
LEAST_SECONDS = 20.0
# Of one process, for each row: to read and sum a value, to multiply two for the linear model, and for each parameter of
# a model. They are within a third of the Evaluator's 5.4 CPU s for 10,000,000 rows of 3 features, 12.6 for 1,000,000 of
# 39 and 12.9 for 100,000 of 199, two models each (2026-11-29, 2 shared cores, `python -m benchmarks.scale --sizes`).
VALUE_SECONDS, PRODUCT_SECONDS, PARAMETER_SECONDS = 150e-9, 1e-9, 1e-9
_BYTES_PER_SECOND = 100_000_000  # what the engines take a process to read


class Batch(NamedTuple):
    """Some rows with what models predict for them.

    Attributes:
      first: Place of the first of them in the split.
      inputs: Columns by name, each (rows,).
      labels: float64 (rows,).
      predictions: float64 (models, rows).
      weights: float64 (rows,); None: all 1.
      groups: What each row belongs to, (rows,); None: to nothing.
    """

    first: int
    inputs: dict[str, Array]
    labels: Array
    predictions: Array
    weights: Array | None
    groups: Array | None


@dataclass(frozen=True)
class SplitJob:
    """What the jobs of a split share.

    Attributes:
      examples, split: The rows.
      columns: What is read of them, without the label.
      label: The label.
      models: What is scored, by name.
      grouping: What rows weigh and belong to.
      batch_size: Rows per call of a model.
    """

    examples: Examples
    split: str
    columns: Sequence[Feature]
    label: Feature
    models: Mapping[str, Predictor]
    grouping: Grouping
    batch_size: int

    def batches(self, shard: Path | None, first: int) -> Iterator[Batch]:
        """Yields the rows of a shard, or of a split that is one; the first of them is row `first` of the split."""
        models = [
            model.starting(first) if isinstance(model, RecordedPredictions) else model for model in self.models.values()
        ]
        for inputs, labels in read_dataset(
            self.examples, self.split, self.columns, self.label, batch_size=self.batch_size, shard=shard
        ):
            assert labels is not None
            predictions = np.array([model.predict(inputs) for model in models], float)
            weights, groups = self.grouping.of(inputs, first, len(labels))
            yield Batch(first, inputs, labels.astype(np.float64), predictions, weights, groups)
            first += len(labels)

    def problems(self) -> dict[str, str]:
        """Returns why models have not answered, by name."""
        served = {name: model for name, model in self.models.items() if isinstance(model, ServedModel)}
        return {name: model.problem for name, model in served.items() if model.problem}


def map_shards(engine: Engine, function: Callable[..., T], job: SplitJob, *more: Any) -> Iterator[T]:
    """Calls `function(job, shard, first, *more)` for each shard and yields the results in order.

    `shard` and `first` are what `SplitJob.batches` takes.

    Raises:
      DataError: A file is damaged, or the split has more or fewer records than were written.
    """
    shards = job.examples.shards(job.split)
    if len(shards) == 1:  # whose rows are counted as they are read
        return engine.map(function, [(job, None, 0, *more)])
    found = engine.map(_count, [(job.examples, job.split, job.label.name, shard) for shard in shards])
    *firsts, rows = itertools.accumulate(found, initial=0)
    check_count(job.examples, job.split, rows)
    return engine.map(function, [(job, shard, first, *more) for shard, first in zip(shards, firsts, strict=True)])


def _count(examples: Examples, split: str, column: str, shard: Path) -> int:
    return sum(len(batch[column].values) for batch in read_columns(examples, split, columns=[column], shard=shard))


def engine_for(engine: Engine, rows: int, features: int, models: Iterable[Model]) -> Engine:
    """Returns the engine for asking models about so many rows: this process where others would cost more.

    Args:
      engine: What runs jobs where they are worth it.
      rows: Rows of all splits.
      features: Values of a row.
      models: The models.
    """
    parameters = sum(model.num_parameters for model in models)
    row = VALUE_SECONDS * features + PRODUCT_SECONDS * features**2 + PARAMETER_SECONDS * parameters
    seconds = rows * row
    return engine.for_bytes(int(seconds * _BYTES_PER_SECOND)) if seconds >= LEAST_SECONDS else IN_PROCESS


def say_problems(problems: Iterable[Mapping[str, str]]) -> None:
    """Logs why the models in service have not answered, each reason once."""
    for problem in dict.fromkeys(text for found in problems for text in found.values()):
        LOGGER.warning("the model in service does not answer: %s", problem)


def together(*columns: Iterable[Feature]) -> list[Feature]:
    """Returns the columns of several lists, each once, as the first list has it."""
    found: dict[str, Feature] = {}
    for column in itertools.chain(*columns):
        found.setdefault(column.name, column)
    return list(found.values())
