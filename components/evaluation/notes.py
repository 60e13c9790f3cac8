"""Says what a reader of a verdict should know about its rows."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.evaluation.row_sample import RowSample
from crossnet.components.evaluation.rule_results import Scores
from crossnet.components.features import Feature
from crossnet.components.formats import number, percent
from crossnet.serving.protocol.dtypes import Array

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    Columns = Mapping[str, statistics_pb2.FeatureNameStatistics]

# One row that carries more of the squared error than this decides an RMSE almost alone.
LARGE_SHARE = 0.2
# Of normal errors it is about 6 and of Laplace's 4, of Student's with three degrees 2.7 (1,000 rows, the 50 largest).
HEAVY_TAIL = 3.5
# Of the label's standard deviation: a linear model this near has found the sum that the label was made by.
EXACT_SUM = 1e-4
# Times the label's standard deviation on eval: a constant errs less by far, and train's labels are of another kind.
FAR_OFF = 10.0
# A key names what rows belong to: it has many values, which come back.
MIN_VALUES, MIN_ROWS_PER_VALUE = 20, 2
# A column whose values explain less of the errors' variance, or no more than chance would, is not worth a sentence.
LEAST_ALIKE, SURE = 0.05, 4.0
_KEY_NAMES = re.compile(
    r"(^|_)(id|ids|key|uuid|user|customer|client|member|patient|subject|person|household|account|session|device|machine|"
    r"sensor|vehicle|driver|store|shop|seller|player)s?($|_)|[a-z](Id|ID|Key)$",
    re.IGNORECASE,
)


def notes_on(candidates: Mapping[str, bool], scores: Scores) -> Iterator[str]:
    """Yields a sentence where few rows decide, errors are huge, the label is a sum of features or a later one passed.

    Args:
      candidates: By name in their order, whether each is blessed.
      scores: The measurements.
    """
    for name in candidates:
        share = scores.whole.largest_share(scores.names.index(name))
        if scores.whole.rows > 1 / LARGE_SHARE and share > LARGE_SHARE:
            yield (
                f"One row carries {percent(share)} of the squared error of `{name}`: its rmse and interval are hardly "
                "more than that row's. See the worst rows in the report."
            )
        elif scores.whole.tail_index(scores.names.index(name)) < HEAVY_TAIL:
            yield (
                f"The errors of `{name}` have a heavy tail: a few rows make much of its rmse, so that its interval "
                "holds the truth less often than it says. See the worst rows in the report."
            )
        rmse, std = scores.whole.rmse(scores.names.index(name)), scores.whole.label_std
        if scores.whole.rows > 1 and 0 < FAR_OFF * std < rmse:
            yield (
                f"The rmse of `{name}`, {number(rmse)}, is {number(rmse / std)} times the standard deviation of eval's "
                f"labels, {number(std)}: a constant would err less. Does train have a label unlike these, such as a "
                "number that stands for a missing one?"
            )
    if LINEAR in scores.names:
        rmse, std = scores.whole.rmse(scores.names.index(LINEAR)), scores.whole.label_std
        if scores.whole.rows > 1 and rmse < EXACT_SUM * std:
            yield (
                f"The label is a sum of features: the linear model's rmse is {number(rmse)} where the label's standard "
                f"deviation is {number(std)}. If a feature is known only after the label, name it in "
                "`example_gen.exclude`."
            )
    tried = list(candidates.values())
    if len(tried) > 1 and True in tried and not tried[0]:
        count = tried.index(True) + 1
        yield (
            f"{count} candidates were tried in order until one passed. Confidences hold for each of them, not for the "
            "best of several."
        )


def likely_groups(examples: Examples, train: Columns, evaluation: Columns) -> Iterator[str]:
    """Yields a sentence about each column that looks like what rows belong to, where they have neither group nor key.

    Such a column is not a number with a fraction, has at least `MIN_VALUES` values that come back, and is named like a
    key or, of text, has about as many values as the root of the number of rows. Most of those in eval are in train.

    Args:
      examples: The rows.
      train, evaluation: Statistics of both splits by column.
    """
    if examples.unit or examples.properties.get("split") == "time":
        return
    rows = examples.counts["train"]
    for name, kind in examples.column_types.items():
        if kind == "FLOAT" or name in (examples.label, examples.weight):
            continue
        values = _distinct(train[name])
        is_named = bool(_KEY_NAMES.search(name))
        if values < MIN_VALUES or rows < MIN_ROWS_PER_VALUE * values:
            continue
        if not is_named and (kind != "BYTES" or values < max(50, math.sqrt(rows) / 2)):
            continue
        if kind == "BYTES" and _shared(train[name], evaluation[name]) < 0.5:
            continue
        yield (
            f"`{name}` looks like a key, with {values:,} values in {rows:,} train rows, and its values are in train "
            "and in eval. If rows of one value belong together, the intervals are too narrow, and new values will see "
            f'a higher rmse: set `example_gen.group = "{name}"`.'
        )


def alike_errors(
    examples: Examples, sample: RowSample, features: Sequence[Feature], model: int, name: str
) -> Iterator[str]:
    """Yields a sentence about the column whose values explain most of the variance of the ranks of a model's errors.

    Where rows belong to neither group nor key, and the intra-class correlation is at least `LEAST_ALIKE` and beyond
    chance. Columns of numbers with a fraction are not asked. Ranks, because one row with a large error would make its
    value explain most of the errors themselves.

    Args:
      examples: The rows.
      sample: Eval rows.
      features: Their features.
      model: The model's place in the sample.
      name: Its name.
    """
    if examples.unit or examples.properties.get("split") == "time" or not sample.rows:
        return
    errors = sample.predictions(model) - sample.labels
    if not np.isfinite(errors).all():
        return
    ranks = _ranks(errors)
    alike = [(*intraclass_correlation(sample.column(f.name), ranks), f.name) for f in features if f.type != "FLOAT"]
    share, values, column = max(alike, default=(0.0, 0, ""))
    if share >= LEAST_ALIKE:
        yield (
            f"`{column}` explains {percent(share)} of the variance of the ranks of the errors of `{name}` (intra-class "
            f"correlation, {values:,} values). If rows of one value belong together, the intervals are too narrow: set "
            f'`example_gen.group = "{column}"`. Else the column says more than the model has learned.'
        )


def intraclass_correlation(values: Array, errors: Array) -> tuple[float, int]:
    """Returns the share of the errors' variance that lies between values, and how many values there are.

    The share is 0 with fewer than `MIN_VALUES` values or `MIN_ROWS_PER_VALUE` rows of each, and where it is within
    `SURE` standard errors of chance.

    Args:
      values: What rows may belong to, (rows,): texts as bytes (object), or numbers.
      errors: float64 (rows,).

    References:
      Donner, 1986, A Review of Inference Procedures for the Intraclass Correlation Coefficient.
    """
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.inf, values)  # holes are one value
    seen: dict[Any, int] = {}
    codes = np.fromiter((seen.setdefault(value, len(seen)) for value in values.tolist()), np.int64, len(values))
    rows, count = len(values), len(seen)
    if count < MIN_VALUES or rows < MIN_ROWS_PER_VALUE * count:
        return 0.0, count
    sizes, sums = np.bincount(codes).astype(np.float64), np.bincount(codes, weights=errors)
    total = float(np.sum(np.square(sums) / sizes))
    between = (total - errors.sum() ** 2 / rows) / (count - 1)
    within = (float(errors @ errors) - total) / (rows - count)
    if between <= 0 or within < 0:
        return 0.0, count
    chance = math.sqrt(2 / (count - 1) + 2 / (rows - count))  # of the logarithm of their ratio
    if within > 0 and math.log(between / within) < SURE * chance:
        return 0.0, count
    usual = (rows - float(np.sum(np.square(sizes))) / rows) / (count - 1)
    return (between - within) / (between + (usual - 1) * within), count


def _ranks(errors: Array) -> Array:
    """Returns the rank of each, float64 (rows,); equal ones share the mean of theirs."""
    _, places, counts = np.unique(errors, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[places], np.float64)


def best_epochs(models: Mapping[str, Model], scores: Scores) -> Iterator[str]:
    """Yields, of each candidate that is not better than the mean, at which epoch it was best on held-out rows.

    Args:
      models: The candidates by name.
      scores: The measurements.
    """
    mean = scores.whole.rmse(scores.names.index(MEAN_PREDICTOR))
    for name, model in models.items():
        if not scores.whole.rmse(scores.names.index(name)) >= mean:
            continue
        losses: Any = None
        with contextlib.suppress(OSError, ValueError):
            losses = model.history.get("validation_loss")
        known = [(loss, epoch) for epoch, loss in enumerate(losses or (), 1) if loss is not None]
        if known:
            loss, epoch = min(known)
            yield (
                f"`{name}` is not better than always predicting the mean. On the rows of train that were held out it "
                f"was best after epoch {epoch:,} of {len(losses):,}, with rmse {number(math.sqrt(loss))}."
            )
        elif losses is None:
            yield (
                f"`{name}` is not better than always predicting the mean, and no rows of train were held out to say "
                "after which epoch it was best: set `trainer.early_stopping_patience`."
            )


def _distinct(column: statistics_pb2.FeatureNameStatistics) -> int:
    if column.HasField("string_stats"):
        return int(column.string_stats.unique)
    return round(next((custom.num for custom in column.custom_stats if custom.name == "unique"), 0))


def _shared(train: Any, evaluation: Any) -> float:
    """Returns the share of eval's values that train has."""
    known = {bucket.label for bucket in train.string_stats.rank_histogram.buckets}
    seen = [bucket.label for bucket in evaluation.string_stats.rank_histogram.buckets]
    return sum(label in known for label in seen) / max(len(seen), 1)
