"""Segments that are bad are found and named; noise, and few groups, are not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crossnet.components.evaluation.row_sample import RowSample
from crossnet.components.evaluation.segments import find_segments
from crossnet.components.features import Feature
from crossnet.components.params.evaluator import EvaluatorParams

FEATURES = [Feature("x0", "FLOAT"), Feature("zone", "BYTES"), Feature("kind", "INT")]


def rows(count=4000, seed=0):
    random = np.random.default_rng(seed)
    zones = np.array([b"east", b"north", b"west"], object)[random.integers(0, 3, count)]
    x0 = random.uniform(0, 1, count).astype(np.float32)
    return random, {"x0": x0, "zone": zones, "kind": random.integers(0, 4, count)}


def found(inputs, *errors, other=None, **more):
    sample = RowSample([feature.name for feature in FEATURES])
    sample.add(inputs, np.zeros(len(errors[0])), np.stack(errors), **more)
    overall = math.sqrt(float(np.mean(np.square(errors[0]))))
    words = ("a", "of all rows" if other is None else "of version 17 in service")
    return find_segments(sample, FEATURES, 0, other, overall, EvaluatorParams(), words)


def test_a_bad_value_of_a_column_is_found():
    random, inputs = rows()
    errors = random.normal(0, 1, 4000) * np.where(inputs["zone"] == b"east", 2.0, 1.0)
    (first, *others) = found(inputs, errors)
    assert first["segment"] == "zone=east"
    assert first["rows"] == int((inputs["zone"] == b"east").sum())
    low, high = first["interval"]
    assert 1 < low < first["rmse"] / first["reference"] < high
    assert first["message"].startswith(f"On `zone=east` ({first['rows']:,} rows) `a` has rmse ")
    assert "times the" in first["message"]
    assert "of all rows (95 % interval over" in first["message"]
    assert others == []  # quarters of the east say no more


def test_a_bad_corner_of_two_columns_is_found():
    random, inputs = rows(8000)
    bad = (inputs["zone"] == b"west") & (inputs["x0"] < 0.25)
    first = found(inputs, random.normal(0, 1, 8000) * np.where(bad, 3.0, 1.0))[0]
    assert first["segment"].startswith("x0=below 0.2")
    assert first["segment"].endswith(", zone=west")


def test_a_segment_above_the_model_in_service_is_found_where_the_model_is_good_on_the_whole():
    random, inputs = rows()
    served = random.normal(0, 1, 4000)
    candidate = served * np.where(inputs["kind"] == 3, 1.3, 0.8) + 0.1 * random.normal(0, 1, 4000)
    first = found(inputs, candidate, served, other=1)[0]
    assert first["segment"] == "kind=3"
    assert first["reference"] == pytest.approx(np.sqrt(np.mean(served[inputs["kind"] == 3] ** 2)))
    assert "of version 17 in service" in first["message"]


def test_noise_is_found_in_at_most_one_of_twenty_tables():
    alarms = 0
    for seed in range(60):
        random, inputs = rows(1500, seed)
        alarms += bool(found(inputs, random.normal(0, 1, 1500)))
    assert alarms <= 6


def test_rows_that_belong_together_are_not_taken_for_independent():
    _, inputs = rows()
    groups = np.arange(4000) // 100
    effect = np.random.default_rng(1).normal(0, 1, 40)
    inputs["kind"] = groups % 4
    assert found(inputs, effect[groups], groups=groups) == []
    assert found(inputs, effect[groups] * np.where(groups % 4 == 1, 6, 1)) != []


def test_few_rows_have_no_segments():
    random, inputs = rows(50)
    assert found(inputs, random.normal(0, 1, 50) * np.where(inputs["zone"] == b"east", 5.0, 1.0)) == []
    assert find_segments(RowSample(["x0"]), FEATURES, 0, None, 1.0, EvaluatorParams(), ("a", "of all rows")) == []


def test_a_model_that_predicts_nan_or_makes_no_error_has_none():
    _, inputs = rows()
    assert found(inputs, np.full(4000, np.nan)) == found(inputs, np.zeros(4000)) == []


def test_holes_are_a_segment_of_their_own():
    random, inputs = rows()
    inputs["x0"][:400] = np.nan
    errors = random.normal(0, 1, 4000) * np.where(np.isnan(inputs["x0"]), 3.0, 1.0)
    assert found(inputs, errors)[0]["segment"] == "x0=(missing)"
