"""Checks rows: counts those that break a rule, and finds the first.

The statistics show whether a rule is broken; the rows show how often and where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tensorflow_metadata.proto.v0.anomalies_pb2 import AnomalyInfo

from crossnet.components import clock
from crossnet.components.records.dataset import Column
from crossnet.components.records.texts import as_texts, chosen
from crossnet.components.statistics.columns import common_of, custom_number
from crossnet.components.statistics.stored import StoredColumn
from crossnet.components.statistics.values import COUNT_ERROR, NUM_INFINITE
from crossnet.components.validation.column_rules import (
    ERROR,
    INFINITY,
    MISSING,
    MISSING_LABEL,
    NAN,
    NEW_CATEGORY,
    RANGE,
    TIME_OF_DAY,
    Finding,
    Rule,
    in_rows,
)

Mask = NDArray[np.bool_]
MAX_EXAMPLES = 3
RANGE_REASONS = {  # (float, above)
    (True, True): AnomalyInfo.FLOAT_TYPE_BIG_FLOAT,
    (True, False): AnomalyInfo.FLOAT_TYPE_SMALL_FLOAT,
    (False, True): AnomalyInfo.INT_TYPE_BIG_INT,
    (False, False): AnomalyInfo.INT_TYPE_SMALL_INT,
}


class RowRule(NamedTuple):
    """A rule that some rows break, or may break.

    Attributes:
      column: The column that it checks.
      rule: Its name and kind.
      broken: Takes a column's values, (values,), and returns where they break the rule, bool (values,). None: a row
        breaks the rule where its value is missing.
      text: What is wrong, as the beginning of a clause.
      reason: As in `Finding`.
    """

    column: str
    rule: Rule
    broken: Callable[[Any], Mask] | None
    text: str
    reason: int = 0


def data_rules(name: str, statistics: statistics_pb2.FeatureNameStatistics, *, is_label: bool) -> Iterator[RowRule]:
    """Yields the broken ones of the rules for every table: numbers are finite, labels are not missing."""
    if statistics.HasField("num_stats"):
        if any(histogram.num_nan for histogram in statistics.num_stats.histograms):
            yield RowRule(name, NAN, np.isnan, f"`{name}` is NaN")
        if custom_number(statistics, NUM_INFINITE):
            yield RowRule(name, INFINITY, np.isinf, f"`{name}` is infinite, or beyond 3.4e+38,")
    if is_label and common_of(statistics).num_missing:
        yield RowRule(name, MISSING_LABEL, None, f"`{name}` is missing")


def clock_rule(name: str, column: StoredColumn, form: str = clock.HHMM) -> RowRule:
    """Returns the rule that whole numbers are times of day; the text names some that Statistics show not to be."""
    values = np.unique(column.points.values)
    wrong = values[~clock.is_time(values, form)]
    more = ", ..." if len(wrong) > MAX_EXAMPLES else ""
    shown = f" ({', '.join(f'{value:.0f}' for value in wrong[:MAX_EXAMPLES])}{more})" if len(wrong) else ""
    below = "minutes" if form == clock.HHMM else "minutes and seconds"
    expected = f"expected 0 to {clock.LAST[form]} with {below} below 60"
    text = f"`{name}` has numbers that are not times of day {form}{shown}, {expected},"
    return RowRule(name, TIME_OF_DAY, lambda numbers: ~clock.is_time(numbers, form), text)


def schema_rules(
    feature: schema_pb2.Feature,
    vocabulary: Sequence[str],
    statistics: statistics_pb2.FeatureNameStatistics,
    *,
    is_label: bool,
) -> Iterator[RowRule]:
    """Yields the broken ones of the rules that an agreed schema sets for a column."""
    common = common_of(statistics)
    rows = common.num_non_missing + common.num_missing
    presence = feature.presence
    too_few = common.num_non_missing < max(presence.min_fraction * rows, presence.min_count)
    if too_few and common.num_missing and not is_label:
        yield RowRule(feature.name, MISSING, None, f"`{feature.name}` is missing")
    if statistics.HasField("string_stats"):
        if vocabulary:
            yield from _category_rules(feature.name, vocabulary, statistics)
    else:
        yield from _range_rules(feature, statistics.num_stats)


def _category_rules(
    name: str, vocabulary: Sequence[str], statistics: statistics_pb2.FeatureNameStatistics
) -> Iterator[RowRule]:
    texts = statistics.string_stats
    listed = [bucket.label for bucket in texts.rank_histogram.buckets]
    known = set(vocabulary)
    new = [value for value in listed if value not in known]
    all_listed = len(listed) == texts.unique and not custom_number(statistics, COUNT_ERROR)
    if not new and all_listed:
        return
    legal = as_texts(value.encode() for value in vocabulary)
    more = ", ..." if len(new) > MAX_EXAMPLES or not all_listed else ""
    shown = f" ({', '.join(_quoted(value) for value in new[:MAX_EXAMPLES])}{more})" if new else ""
    yield RowRule(
        name,
        NEW_CATEGORY,
        lambda values: ~pc.is_in(values, legal).to_numpy(zero_copy_only=False),
        f"`{name}` has values that the schema does not list{shown}",
    )


def _quoted(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")


def _range_rules(feature: schema_pb2.Feature, numbers: statistics_pb2.NumericStatistics) -> Iterator[RowRule]:
    domain = feature.int_domain if feature.HasField("int_domain") else feature.float_domain
    low = domain.min if domain.HasField("min") else None
    high = domain.max if domain.HasField("max") else None
    is_float = isinstance(domain, schema_pb2.FloatDomain)
    if not any(histogram.buckets for histogram in numbers.histograms):
        return
    below, above = low is not None and numbers.min < low, high is not None and numbers.max > high
    if not (below or above):
        return
    reached = [numbers.min] * below + [numbers.max] * above
    allowed = f"{_shown(low)} to {_shown(high)}" if None not in (low, high) else ""
    allowed = allowed or (f"at least {_shown(low)}" if high is None else f"at most {_shown(high)}")
    # The data is float32: a bound such as 0.1 is compared as the float32 that the proto holds.
    values = " and ".join(str(np.float32(value)) if is_float else str(int(value)) for value in reached)

    def broken(values: NDArray[Any]) -> Mask:
        outside = np.zeros(len(values), bool)
        if low is not None:
            outside |= values < low
        if high is not None:
            outside |= values > high
        return outside & np.isfinite(values)

    text = f"`{feature.name}` reaches {values}, schema allows {allowed},"
    yield RowRule(feature.name, RANGE, broken, text, RANGE_REASONS[is_float, above])


def _shown(bound: float | None) -> str:
    """Returns a bound in its short form: 0, not 0.0, and 0.1, not 0.10000000149."""
    return str(bound) if isinstance(bound, int) else str(np.float32(bound)).removesuffix(".0")


@dataclass
class RowTally:
    """What was counted in consecutive rows.

    Attributes:
      counts: By rule, the rows that break it.
      first: By rule, the first of them, counted from the first of these rows.
      rows: How many rows.
    """

    counts: list[int]
    first: list[int]
    rows: int = 0

    def merge(self, other: RowTally) -> None:
        """Adds what was counted in the rows that follow."""
        for index, count in enumerate(other.counts):
            if count and not self.counts[index]:
                self.first[index] = self.rows + other.first[index]
            self.counts[index] += count
        self.rows += other.rows


class RowScan:
    """Counts the rows that break rules, in one pass over a split or a part of it.

    Args:
      split: The split.
      rows: Its rows.
      rules: The rules to check.

    Attributes:
      tally: What was counted; another process can merge it.
    """

    def __init__(self, split: str, rows: int, rules: Sequence[RowRule]) -> None:
        self.split, self.rows, self.rules = split, rows, rules
        self.tally = RowTally([0] * len(rules), [0] * len(rules))

    def update(self, columns: Mapping[str, Column]) -> None:
        """Checks a batch of rows."""
        for index, rule in enumerate(self.rules):
            broken = broken_rows(rule, columns[rule.column])
            if broken.any():
                if not self.tally.counts[index]:
                    self.tally.first[index] = self.tally.rows + int(broken.argmax())
                self.tally.counts[index] += int(broken.sum())
        self.tally.rows += num_rows(next(iter(columns.values())))

    def findings(self) -> Iterator[Finding]:
        """Yields a finding for each rule that rows break."""
        for rule, count, first in zip(self.rules, self.tally.counts, self.tally.first, strict=True):
            if count:
                text = f"{rule.text} {in_rows(count, self.rows)}"
                place = (self.split, first)
                yield Finding(self.split, rule.column, rule.rule, ERROR, count, self.rows, text, place, rule.reason)


def num_rows(column: Column) -> int:
    """Returns the rows of a batch."""
    return len(column.values if column.lengths is None else column.lengths)


def broken_rows(rule: RowRule, column: Column) -> Mask:
    """Returns the rows that break a rule, bool (rows,)."""
    rows = num_rows(column)
    present = np.ones(rows, bool) if column.present is None else column.present
    if rule.broken is None:
        return ~present
    if column.lengths is None:
        broken = np.zeros(rows, bool)
        broken[present] = rule.broken(chosen(column.values, present))
        return broken
    owners = np.repeat(np.arange(rows), column.lengths)
    return np.bincount(owners[rule.broken(column.values)], minlength=rows) > 0
