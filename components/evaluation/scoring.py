"""Scores exported models over recorded rows.

Each split is a map over its shards and a merge in their order. Memory is constant: predictions go to disk as they come,
everything else is sums.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from crossnet.components.artifacts.evaluation import labels_file, predictions_file
from crossnet.components.artifacts.examples import Examples
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.evaluation.grouping import Grouping, grouping_of
from crossnet.components.evaluation.linear import NormalEquations
from crossnet.components.evaluation.metrics import ErrorSums, WorstRows, thinned
from crossnet.components.evaluation.predictors import Predictor
from crossnet.components.evaluation.row_sample import RowSample
from crossnet.components.evaluation.rule_results import Scores
from crossnet.components.evaluation.session import ServingSession
from crossnet.components.evaluation.shard_jobs import Batch, SplitJob, map_shards, say_problems, together
from crossnet.components.evaluation.slices import Cut, Slicer
from crossnet.components.evaluation.units import UnitSums
from crossnet.components.features import Feature
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.records.dataset import read_dataset
from crossnet.serving.protocol.dtypes import Array


@dataclass(frozen=True)
class Columns:
    """The columns of the rows.

    Attributes:
      features: What the models take.
      label: What they predict.
      recorded: Every recorded column by name, of which slices may name any.
    """

    features: Sequence[Feature]
    label: Feature
    recorded: Mapping[str, Feature]

    @classmethod
    def of(cls, examples: Examples, features: Sequence[Feature], label: Feature) -> Columns:
        """Returns the columns of rows; those that no model takes are read as if they had holes."""
        recorded = {name: Feature(name, kind, required=False) for name, kind in examples.column_types.items()}
        return cls(features, label, recorded | {feature.name: feature for feature in (*features, label)})


def score_train(
    examples: Examples,
    columns: Columns,
    models: Mapping[str, Predictor],
    equations: Callable[[], NormalEquations],
    *,
    batch_size: int,
    engine: Engine = IN_PROCESS,
) -> tuple[ErrorSums, NormalEquations]:
    """Returns the sums over the train split, in the order of `models`, and the equations with its rows.

    Args:
      examples: The rows.
      columns: Their columns.
      models: The models.
      equations: Makes equations without rows; it can be pickled.
      batch_size: Rows per call of a model.
      engine: Runs one job per shard.
    """
    grouping = Grouping(examples.weight)
    read = together(columns.features, grouping.columns(examples.column_types))
    job = SplitJob(examples, "train", read, columns.label, models, grouping, batch_size)
    sums, total = ErrorSums(len(models)), equations()
    for part, part_equations in map_shards(engine, _train_shard, job, equations):
        sums.merge(part)
        total.merge(part_equations)
    return sums, total


def _train_shard(
    job: SplitJob, shard: Path | None, first: int, make: Callable[[], NormalEquations]
) -> tuple[ErrorSums, NormalEquations]:
    sums, equations = ErrorSums(len(job.models)), make()
    for batch in job.batches(shard, first):
        sums.add(batch.labels, batch.predictions, batch.weights)
        equations.add(batch.inputs, batch.labels, batch.weights)
    return sums, equations


def score_eval(
    examples: Examples,
    columns: Columns,
    models: Mapping[str, Predictor],
    *,
    keys: Sequence[tuple[Cut, ...]],
    output_dir: Path,
    params: EvaluatorParams,
    sample: RowSample | None = None,
    engine: Engine = IN_PROCESS,
) -> tuple[Scores, dict[str, list[dict[str, Any]]]]:
    """Scores all models over the eval split.

    Args:
      examples: The rows.
      columns: Their columns.
      models: The models; predictions of those that are `ServingSession`s are written.
      keys: How rows are sliced.
      output_dir: Where labels.npy and predictions/<model>.npy go, float32 (rows,), in record order.
      params: Batch size; resamples and seed of the bootstrap.
      sample: Takes the rows too.
      engine: Runs one job per shard.

    Returns:
      The scores, and the worst rows of each model whose predictions are written.
    """
    recorded, grouping = columns.recorded, grouping_of(examples, "eval")
    cuts = {cut for key in keys for cut in key}
    sliced = (recorded[name] for name in sorted({cut.column for cut in cuts} - {columns.label.name}))
    read = together(columns.features, grouping.columns(examples.column_types), sliced)
    slicer = Slicer(keys, _samples(examples, recorded, cuts, params), examples.time_units)
    job = SplitJob(examples, "eval", read, columns.label, models, grouping, params.batch_size)
    places = {name: i for i, (name, model) in enumerate(models.items()) if isinstance(model, ServingSession)}
    total, problems = _empty(job, places), []
    paths = [labels_file(output_dir), *(predictions_file(output_dir, name) for name in places)]
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(dir=output_dir, prefix=".shards-"))
        files = [stack.enter_context(_npy(path, examples.counts["eval"])) for path in paths]
        for part in map_shards(engine, _eval_shard, job, places, slicer, sample, Path(scratch)):
            total.merge(part.sums)
            slicer.merge(part.slicer)
            if sample is not None and part.sample is not None:
                sample.merge(part.sample)
            problems.append(part.problems)
            for place, file in enumerate(files):
                with (part.folder / str(place)).open("rb") as values:
                    shutil.copyfileobj(values, file)
            shutil.rmtree(part.folder)
    say_problems(problems)
    scores = Scores(
        names=tuple(models),
        whole=total.whole,
        slices=dict(sorted(total.slices.items())),
        resampled=total.units.resampled(params.num_bootstrap, params.seed),
        unit=grouping.unit,
        units=total.units.count if total.units.grouped else None,
    )
    return scores, {name: rows.rows() for name, rows in total.worst.items()}


class _Sums(NamedTuple):
    """Sums over rows.

    Attributes:
      whole: Over all of them.
      units: By unit.
      slices: By slice.
      worst: The worst rows of each model whose predictions are written.
    """

    whole: ErrorSums
    units: UnitSums
    slices: dict[str, ErrorSums]
    worst: dict[str, WorstRows]

    def add(self, batch: Batch, slicer: Slicer, label: str, places: Mapping[str, int]) -> None:
        """Adds rows; `places` are those of the models whose worst rows are kept."""
        _, inputs, labels, predictions, weights, groups = batch
        for name, model in places.items():
            self.worst[name].add(batch.first, labels, predictions[model], inputs)
        self.units.add(self.whole.add(labels, predictions, weights), weights, groups)
        for name, rows in slicer.groups(inputs | {label: labels.astype(np.float32)}):
            own = (values if values is None else values[rows] for values in (weights, groups))
            self.slices.setdefault(name, ErrorSums(len(predictions))).add(labels[rows], predictions[:, rows], *own)

    def merge(self, other: _Sums) -> None:
        """Adds the sums of the rows that follow."""
        self.whole.merge(other.whole)
        self.units.merge(other.units)
        for name, sums in other.slices.items():
            self.slices.setdefault(name, ErrorSums(len(sums.nonfinite))).merge(sums)
        for name, rows in other.worst.items():
            self.worst[name].merge(rows)


def _empty(job: SplitJob, places: Mapping[str, int]) -> _Sums:
    count = len(job.models)
    units = UnitSums(count, grouped=job.grouping.unit != "row")
    return _Sums(ErrorSums(count), units, {}, {name: WorstRows() for name in places})


class _EvalPart(NamedTuple):
    """What was found in a shard of eval.

    Attributes:
      sums: Its sums.
      slicer: Has seen its slices.
      sample: Some of its rows, where they are asked for.
      problems: Why models have not answered, by name.
      folder: A new one, with files of the labels, 0, and of the predictions that are written, 1 and so on.
    """

    sums: _Sums
    slicer: Slicer
    sample: RowSample | None
    problems: dict[str, str]
    folder: Path


def _eval_shard(
    job: SplitJob,
    shard: Path | None,
    first: int,
    places: Mapping[str, int],
    slicer: Slicer,
    sample: RowSample | None,
    scratch: Path,
) -> _EvalPart:
    sums, slicer, folder = _empty(job, places), slicer.part(), Path(tempfile.mkdtemp(dir=scratch))
    sample = sample and sample.part(first, job.examples.counts["eval"])
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context((folder / str(place)).open("wb")) for place in range(len(places) + 1)]
        for batch in job.batches(shard, first):
            written = [batch.labels, *(batch.predictions[model] for model in places.values())]
            for file, values in zip(files, written, strict=True):
                file.write(values.astype("<f4").tobytes())
            sums.add(batch, slicer, job.label.name, places)
            if sample is not None:
                sample.add(*batch[1:])
    return _EvalPart(sums, slicer, sample, job.problems(), folder)


def _samples(
    examples: Examples, recorded: Mapping[str, Feature], cuts: Iterable[Cut], params: EvaluatorParams
) -> dict[str, Array]:
    """Returns values of the columns of the eval split that are cut at quantiles, thinned to a bounded number."""
    columns = {cut.column: recorded[cut.column] for cut in cuts if cut.bins}
    return {
        name: thinned(
            batch[name] for batch, _ in read_dataset(examples, "eval", [column], None, batch_size=params.batch_size)
        )
        for name, column in columns.items()
    }


@contextlib.contextmanager
def _npy(path: Path, rows: int) -> Iterator[BinaryIO]:
    """Opens a .npy file of float32 (rows,) to which the values are then written, little-endian, in order."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (rows,)})
        yield stream
