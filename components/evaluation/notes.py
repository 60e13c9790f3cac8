"""Says what a reader of a verdict should know about its rows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from crossnet.components.artifacts.examples import Examples
from crossnet.components.evaluation.rule_results import Scores
from crossnet.components.formats import percent

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    Columns = Mapping[str, statistics_pb2.FeatureNameStatistics]

# One row that carries more of the squared error than this decides an RMSE almost alone.
LARGE_SHARE = 0.2
# Of normal errors it is about 6 and of Laplace's 4, of Student's with three degrees 2.7 (1,000 rows, the 50 largest).
HEAVY_TAIL = 3.5
# A key names what rows belong to: it has many values, which come back.
MIN_VALUES, MIN_ROWS_PER_VALUE = 20, 2
_KEY_NAMES = re.compile(
    r"(^|_)(id|ids|key|uuid|user|customer|client|member|patient|subject|person|household|account|session|device|machine|"
    r"sensor|vehicle|driver|store|shop|seller|player)s?($|_)|[a-z](Id|ID|Key)$",
    re.IGNORECASE,
)


def notes_on(candidates: Mapping[str, bool], scores: Scores) -> Iterator[str]:
    """Yields a sentence where few rows decide, and one where a later candidate passed.

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


def _distinct(column: statistics_pb2.FeatureNameStatistics) -> int:
    if column.HasField("string_stats"):
        return int(column.string_stats.unique)
    return round(next((custom.num for custom in column.custom_stats if custom.name == "unique"), 0))


def _shared(train: Any, evaluation: Any) -> float:
    """Returns the share of eval's values that train has."""
    known = {bucket.label for bucket in train.string_stats.rank_histogram.buckets}
    seen = [bucket.label for bucket in evaluation.string_stats.rank_histogram.buckets]
    return sum(label in known for label in seen) / max(len(seen), 1)
