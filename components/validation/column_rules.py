"""Checks columns against schema and statistics, without reading rows.

The rules that need rows are in `row_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from crossnet.components.formats import counted, number
from crossnet.components.params.example_validator import ExampleValidatorParams
from crossnet.components.statistics.stored import StoredColumn
from crossnet.components.validation.distances import Distance, distance
from crossnet.components.validation.repeats import Repeats

Columns = Mapping[str, StoredColumn]
_Reason = anomalies_pb2.AnomalyInfo
ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Rule:
    """One thing that can be wrong with the data.

    Attributes:
      name: Its name in anomalies.json.
      reason: The nearest type of tensorflow_metadata's AnomalyInfo.
      remedy: What to do where the source is right; "" where only fixing the source helps.
    """

    name: str
    reason: int
    remedy: str = ""


_REVIEW = "name a reviewed schema in `schema_gen.schema_file`"
MISSING_LABEL = Rule("missing_label", _Reason.FEATURE_TYPE_LOW_FRACTION_PRESENT)
NAN = Rule("nan", _Reason.FLOAT_TYPE_HAS_NAN, 'let NaN be a missing value with `example_gen.nan = "missing"`')
INFINITY = Rule("infinity", _Reason.FLOAT_TYPE_HAS_INF)
MISSING_COLUMN = Rule("missing_column", _Reason.SCHEMA_MISSING_COLUMN, _REVIEW)
EXTRA_COLUMN = Rule("extra_column", _Reason.SCHEMA_NEW_COLUMN, _REVIEW)
TYPE = Rule("type", _Reason.UNEXPECTED_DATA_TYPE, _REVIEW)
MISSING = Rule("missing", _Reason.FEATURE_TYPE_LOW_FRACTION_PRESENT, _REVIEW)
RANGE = Rule("range", _Reason.FLOAT_TYPE_BIG_FLOAT, _REVIEW)
TIME_OF_DAY = Rule(
    "time_of_day", _Reason.CUSTOM_VALIDATION, "take the column out of `example_gen.clock`: then it is a number"
)
NEW_CATEGORY = Rule("new_category", _Reason.ENUM_TYPE_UNEXPECTED_STRING_VALUES, _REVIEW)
CONSTANT_LABEL = Rule(
    "constant_label",
    _Reason.FEATURE_TYPE_LOW_UNIQUE,
    "name another column in `example_gen.label`, or choose rows whose labels differ (in float32, of some 7 digits)",
)
CONSTANT_EVAL_LABEL = Rule(
    "constant_eval_label",
    _Reason.FEATURE_TYPE_LOW_UNIQUE,
    "choose another `example_gen.split`, raise `example_gen.eval_fraction`, or set `example_gen.stratify = true`",
)
SKEW = Rule("skew", _Reason.COMPARATOR_L_INFTY_HIGH, "raise `example_validator.max_skew`")
DRIFT = Rule("drift", _Reason.COMPARATOR_L_INFTY_HIGH, "raise `example_validator.max_drift`")
DUPLICATE_ROWS = Rule("duplicate_rows", _Reason.CUSTOM_VALIDATION, "raise `example_validator.max_duplicate_fraction`")
ROW_LEAKAGE = Rule("row_leakage", _Reason.CUSTOM_VALIDATION, "raise `example_validator.max_leaked_fraction`")
KEY_LEAKAGE = Rule("key_leakage", _Reason.CUSTOM_VALIDATION)
RULES = (
    MISSING_LABEL,
    NAN,
    INFINITY,
    MISSING_COLUMN,
    EXTRA_COLUMN,
    TYPE,
    MISSING,
    RANGE,
    TIME_OF_DAY,
    NEW_CATEGORY,
    CONSTANT_LABEL,
    CONSTANT_EVAL_LABEL,
    SKEW,
    DRIFT,
    DUPLICATE_ROWS,
    ROW_LEAKAGE,
    KEY_LEAKAGE,
)
_DISTANCES = {
    "L-infinity": _Reason.COMPARATOR_L_INFTY_HIGH,
    "Jensen-Shannon": _Reason.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
}


@dataclass(frozen=True)
class Finding:
    """One anomaly, before its place in the source is found.

    Attributes:
      split: The split; "" for a finding about all splits.
      column: The column; "" for a finding about whole rows.
      rule: The rule that is broken.
      severity: "error" or "warning".
      count: Rows that break it.
      rows: Rows in all.
      text: What is wrong, as a clause without a full stop.
      first: Split and number of the first record that breaks it; None where no single record breaks it.
      reason: As in `Rule`, where it depends on more than the rule; 0: the rule's.
      distance: What was measured, for skew and drift.
      threshold: The limit that `distance` exceeds.
    """

    split: str
    column: str
    rule: Rule
    severity: str
    count: int
    rows: int
    text: str
    first: tuple[str, int] | None = None
    reason: int = 0
    distance: Distance | None = None
    threshold: float = 0.0


def in_rows(count: int, rows: int) -> str:
    """Returns "in 14 of 2,000 rows"."""
    return f"in all {rows:,} rows" if count == rows else f"in {count:,} of {rows:,} rows"


def check_columns(
    split: str, rows: int, features: Mapping[str, schema_pb2.Feature], types: Mapping[str, str]
) -> Iterator[Finding]:
    """Yields the columns that are missing, extra, or not of the schema's type.

    Args:
      split: The split.
      rows: Its rows.
      features: The schema's columns.
      types: Types of the data's columns: "FLOAT", "INT" or "BYTES".
    """
    for name, feature in features.items():
        required = feature.presence.min_fraction > 0 or feature.presence.min_count > 0
        if name not in types and required:
            text = f"`{name}` is a column of the schema and not of the data, {in_rows(rows, rows)}"
            yield Finding(split, name, MISSING_COLUMN, ERROR, rows, rows, text, (split, 0))
    for name, type_name in types.items():
        if name not in features:
            text = f"`{name}` is a column of the data and not of the schema, {in_rows(rows, rows)}"
            yield Finding(split, name, EXTRA_COLUMN, ERROR, rows, rows, text, (split, 0))
            continue
        if not fits(type_name, features[name]):
            expected = schema_pb2.FeatureType.Name(features[name].type)
            text = f"`{name}` has type {type_name}, the schema expects {expected}, {in_rows(rows, rows)}"
            yield Finding(split, name, TYPE, ERROR, rows, rows, text, (split, 0))


def fits(type_name: str, feature: schema_pb2.Feature) -> bool:
    """Returns whether the schema allows a column of this type; INT is allowed where the schema has FLOAT."""
    expected = schema_pb2.FeatureType.Name(feature.type)
    return type_name == expected or (type_name, expected) == ("INT", "FLOAT")


def check_label(
    split: str, rows: int, label: str, statistics: statistics_pb2.FeatureNameStatistics
) -> Iterator[Finding]:
    """Yields a finding where all labels are equal: a model cannot learn from them, or cannot be judged by them."""
    numbers = statistics.num_stats
    values = int(numbers.common_stats.num_non_missing)
    if values > 1 and numbers.min == numbers.max and any(histogram.buckets for histogram in numbers.histograms):
        rule, so = CONSTANT_LABEL, "so there is nothing to learn"
        if split != "train":
            rule, so = CONSTANT_EVAL_LABEL, "so that it does not show which model is better"
        text = f"label `{label}` is {numbers.min:g} {in_rows(values, rows)}, {so}"
        yield Finding(split, label, rule, ERROR, values, rows, text, (split, 0))


def check_skew(
    split: str, rows: int, train: Columns, other: Columns, params: ExampleValidatorParams
) -> Iterator[Finding]:
    """Yields the columns whose values differ from those of train."""
    limits = {"warn_skew": params.warn_skew, "max_skew": params.max_skew}
    yield from _check_distances(SKEW, split, rows, train, other, "differs from `train`", limits)


def check_drift(
    split: str, rows: int, previous: Columns, current: Columns, params: ExampleValidatorParams
) -> Iterator[Finding]:
    """Yields the columns whose values differ from those of the last blessed run."""
    limits = {"warn_drift": params.warn_drift, "max_drift": params.max_drift}
    yield from _check_distances(DRIFT, split, rows, previous, current, "differs from the last blessed run", limits)


def _check_distances(
    rule: Rule,
    split: str,
    rows: int,
    before: Columns,
    now: Columns,
    text: str,
    limits: Mapping[str, float | None],
) -> Iterator[Finding]:
    """Yields each column whose distance is above a limit, and above what chance alone explains.

    Args:
      limits: By name; the last one, where it is set and exceeded, is an error.
    """
    for name in now:
        found = distance(before[name], now[name]) if name in before else None
        if found is None:
            continue
        crossed = [
            (limit, threshold)
            for limit, threshold in limits.items()
            if threshold is not None and found.value > max(threshold, found.noise)
        ]
        if crossed:
            limit, threshold = crossed[-1]
            severity = ERROR if limit.startswith("max_") else WARNING
            at = f" at {found.detail}" if found.detail else ""
            measured = f"{found.measure} distance {number(found.value)}{at}, above {limit} {threshold:g}"
            yield Finding(
                split,
                name,
                rule,
                severity,
                rows,
                rows,
                f"`{name}` {text}: {measured}",
                reason=_DISTANCES[found.measure],
                distance=found,
                threshold=threshold,
            )


def check_duplicates(repeats: Repeats, rows: int, max_share: float | None) -> Iterator[Finding]:
    """Yields a finding where rows occur more than once, in any splits."""
    if repeats.rows:
        text = _rows_do(repeats.rows, rows, "repeats", "repeat", "an earlier row")
        yield _share("", DUPLICATE_ROWS, repeats.rows, rows, text, repeats.first, "max_duplicate_fraction", max_share)


def check_row_leakage(split: str, leaked: Repeats, rows: int, max_share: float | None) -> Iterator[Finding]:
    """Yields a finding where rows of another split also occur in train, so that they cannot judge the model."""
    if leaked.rows:
        text = _rows_do(leaked.rows, rows, "also occurs", "also occur", "in `train`")
        yield _share(split, ROW_LEAKAGE, leaked.rows, rows, text, leaked.first, "max_leaked_fraction", max_share)


def _rows_do(some: int, rows: int, one: str, many: str, what: str) -> str:
    """Returns a sentence about some of the rows, with the verb of one of them or of many."""
    return f"{some:,} of {counted(rows, 'row')} {one if some == 1 else many} {what}"


def _share(
    split: str,
    rule: Rule,
    count: int,
    rows: int,
    text: str,
    first: tuple[str, int] | None,
    limit: str,
    max_share: float | None,
) -> Finding:
    """Returns a warning, or an error where a share is above its limit."""
    if max_share is None or count <= max_share * rows:
        return Finding(split, "", rule, WARNING, count, rows, text, first)
    return Finding(split, "", rule, ERROR, count, rows, f"{text}, more than {limit} {max_share:g} allows", first)


def check_key_leakage(split: str, column: str, leaked: Repeats, rows: int) -> Iterator[Finding]:
    """Yields a finding where, in a key split, rows of another split have a key that train has."""
    if leaked.rows:
        text = _rows_do(leaked.rows, rows, "has", "have", f"a `{column}` that also occurs in `train`")
        yield Finding(split, column, KEY_LEAKAGE, ERROR, leaked.rows, rows, text, leaked.first)
