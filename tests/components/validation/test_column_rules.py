from __future__ import annotations

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from crossnet.components.params.example_validator import ExampleValidatorParams
from crossnet.components.records.dataset import Column
from crossnet.components.statistics.stored import stored_of
from crossnet.components.validation import column_rules
from crossnet.components.validation.repeats import Repeats
from support.column_fixtures import numbers, statistics_of

PARAMS = ExampleValidatorParams()


def column(values):
    return {"x": stored_of(statistics_of("FLOAT", Column(np.asarray(values, np.float32), None)).proto())}


def test_every_rule_has_a_name_of_its_own_and_a_reason_that_the_proto_knows():
    names = [rule.name for rule in column_rules.RULES]
    assert len(set(names)) == len(names) == 17
    known = anomalies_pb2.AnomalyInfo.Type.values()
    assert all(rule.reason in known for rule in column_rules.RULES)
    in_module = [value for value in vars(column_rules).values() if isinstance(value, column_rules.Rule)]
    assert set(in_module) == set(column_rules.RULES)


@pytest.mark.parametrize(
    ("count", "rows", "text"), [(14, 2000, "in 14 of 2,000 rows"), (2000, 2000, "in all 2,000 rows")]
)
def test_in_rows_reads_as_words(count, rows, text):
    assert column_rules.in_rows(count, rows) == text


@pytest.mark.parametrize(
    ("data", "schema", "fits"),
    [
        ("INT", "INT", True),
        ("INT", "FLOAT", True),
        ("FLOAT", "INT", False),
        ("BYTES", "FLOAT", False),
        ("INT", "BYTES", False),
    ],
)
def test_types_fit(data, schema, fits):
    assert column_rules.fits(data, schema_pb2.Feature(type=schema)) is fits


def test_check_columns_lists_all_that_is_wrong():
    features = {
        name: schema_pb2.Feature(name=name, type="INT", presence=schema_pb2.FeaturePresence(min_fraction=fraction))
        for name, fraction in (("a", 1.0), ("b", 0.5), ("c", 0.0), ("d", 1.0))
    }
    found = column_rules.check_columns("eval", 7, features, {"d": "BYTES", "e": "INT"})
    assert [(finding.column, finding.rule.name, finding.count) for finding in found] == [
        ("a", "missing_column", 7),
        ("b", "missing_column", 7),
        ("d", "type", 7),
        ("e", "extra_column", 7),
    ]


def test_check_label_looks_at_finite_values_and_needs_two():
    def found(*values):
        return [
            f.text for f in column_rules.check_label("train", 2, "y", statistics_of("FLOAT", numbers(values)).proto())
        ]

    assert found(0.0, 0.0) == ["label `y` is 0 in all 2 rows, so there is nothing to learn"]
    assert found(0.0, 1.0) == found(3.0) == found(None, None) == found(float("nan"), float("nan")) == []


def test_check_skew_needs_a_distance_above_the_limit_and_above_chance():
    rng = np.random.default_rng(0)
    train, near, far = rng.normal(size=5000), rng.normal(0.3, size=5000), rng.normal(2, size=5000)

    def found(other, **settings):
        params = ExampleValidatorParams(**settings)
        return [
            (f.severity, f.threshold) for f in column_rules.check_skew("eval", 1, column(train), column(other), params)
        ]

    assert found(near) == []
    assert found(far) == [("warning", 0.1)]
    assert found(near, warn_skew=0.01) == [("warning", 0.01)]
    assert found(near, max_skew=0.01) == [("error", 0.01)]
    assert found(far, warn_skew=0.5, max_skew=0.3) == [("error", 0.3)]
    assert found(far, max_skew=1.0) == [("warning", 0.1)]
    # Limits of 0 leave what chance explains alone, however few the rows.
    assert found(train[:40] + 0.1, warn_skew=0.0, max_skew=0.0) == []


def test_check_drift_leaves_columns_that_were_not_there_before():
    assert list(column_rules.check_drift("train", 9, {}, column(range(9)), PARAMS)) == []
    (finding,) = column_rules.check_drift("train", 900, column(range(900)), column(range(900, 1800)), PARAMS)
    assert finding.text == ("`x` differs from the last blessed run: Jensen-Shannon distance 1, above warn_drift 0.1")
    assert finding.reason == anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH


def test_shares_at_their_limit_are_not_errors():
    (at,) = column_rules.check_duplicates(Repeats(5, ("train", 3)), 100, 0.05)
    (above,) = column_rules.check_duplicates(Repeats(6, ("train", 3)), 100, 0.05)
    assert (at.severity, above.severity) == ("warning", "error")
    assert (at.text, above.text[:38]) == (
        "5 of 100 rows repeat an earlier row",
        "6 of 100 rows repeat an earlier row, m",
    )
    none = Repeats()
    assert list(column_rules.check_duplicates(none, 100, 0.0)) == []
    assert list(column_rules.check_row_leakage("eval", none, 100, 0.0)) == []
    assert list(column_rules.check_key_leakage("eval", "rider", none, 100)) == []


def test_one_row_has_a_verb_of_its_own():
    one = Repeats(1, ("train", 3))
    (repeated,) = column_rules.check_duplicates(one, 546, None)
    (leaked,) = column_rules.check_row_leakage("eval", one, 546, None)
    (of_key,) = column_rules.check_key_leakage("eval", "rider", one, 546)
    assert [finding.text for finding in (repeated, leaked, of_key)] == [
        "1 of 546 rows repeats an earlier row",
        "1 of 546 rows also occurs in `train`",
        "1 of 546 rows has a `rider` that also occurs in `train`",
    ]
