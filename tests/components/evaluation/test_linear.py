"""The linear model beside numpy's own least squares, on tables that can be checked."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest

from crossnet.components.evaluation.linear import (
    LinearInputs,
    LinearModel,
    NormalEquations,
    NumberInput,
    TextInput,
    linear_inputs,
)
from crossnet.components.features import Feature
from support.column_fixtures import numbers, statistics_of, texts

RANDOM = np.random.default_rng(5)


def fitted(inputs, columns, labels, *, parts=1):
    cuts = np.array_split(np.arange(len(labels)), parts)
    whole = NormalEquations(inputs, float(np.mean(labels)), float(np.std(labels)))
    for rows in cuts:
        part = NormalEquations(inputs, float(np.mean(labels)), float(np.std(labels)))
        part.add({name: values[rows] for name, values in columns.items()}, labels[rows])
        whole.merge(part)
    return whole.solve()


def rmse(model, columns, labels):
    return float(np.sqrt(np.mean(np.square(model.predict(columns) - labels))))


def test_linear_model_finds_the_weights_of_a_linear_table():
    x, z = RANDOM.normal(5, 2, 500), RANDOM.integers(0, 3, 500)
    columns = {"x": x.astype(np.float32), "zone": np.array([b"a", b"b", b"c"], object)[z]}
    labels = 3 * columns["x"].astype(np.float64) + np.array([10.0, 20.0, 60.0])[z]
    inputs = LinearInputs((NumberInput("x", 5.0, 2.0, False),), (TextInput("zone", ("a", "b", "c")),))
    model = fitted(inputs, columns, labels)
    assert model.num_parameters == 5
    assert model.weights[0] == pytest.approx(6.0, rel=1e-6)  # per scale of 2
    assert np.diff(model.weights[1:]) == pytest.approx([10.0, 40.0], rel=1e-6)
    assert rmse(model, columns, labels) < 1e-6 * labels.std()
    assert model.train_rmse < 1e-6 * labels.std()


def test_linear_model_is_least_squares_where_rows_are_many():
    rows = 5000
    columns = {f"x{i}": RANDOM.normal(0, 1, rows).astype(np.float32) for i in range(4)}
    matrix = np.stack([*columns.values(), np.ones(rows)], axis=1).astype(np.float64)
    labels = matrix @ [1.0, -2.0, 0.5, 0.0, 7.0] + RANDOM.normal(0, 1, rows)
    best = matrix @ np.linalg.lstsq(matrix, labels, rcond=None)[0]
    model = fitted(LinearInputs(tuple(NumberInput(name, 0.0, 1.0, False) for name in columns), ()), columns, labels)
    assert model.predict(columns) == pytest.approx(best, abs=0.01)
    assert model.train_rmse == pytest.approx(rmse(model, columns, labels), rel=1e-9)


def test_linear_model_of_parts_is_that_of_the_whole():
    columns = {"x": RANDOM.normal(0, 1, 300).astype(np.float32), "t": RANDOM.choice([b"a", b"b", b"?"], 300)}
    columns["t"] = columns["t"].astype(object)
    labels = columns["x"] + (columns["t"] == b"a") + RANDOM.normal(0, 1, 300)
    inputs = LinearInputs((NumberInput("x", 0.0, 1.0, False),), (TextInput("t", ("a", "b")),))
    whole, parts = fitted(inputs, columns, labels), fitted(inputs, columns, labels, parts=7)
    assert parts.weights == pytest.approx(whole.weights, rel=1e-12)


def test_linear_model_stays_near_the_mean_where_inputs_outnumber_rows_and_say_nothing():
    train, fresh = (RANDOM.normal(0, 1, (rows, 60)).astype(np.float32) for rows in (50, 2000))
    inputs = LinearInputs(tuple(NumberInput(f"x{i}", 0.0, 1.0, False) for i in range(60)), ())
    labels, truth = RANDOM.normal(0, 1, 50), RANDOM.normal(0, 1, 2000)
    model = fitted(inputs, {f"x{i}": train[:, i] for i in range(60)}, labels)
    assert rmse(model, {f"x{i}": fresh[:, i] for i in range(60)}, truth) < 1.1 * truth.std()


@pytest.mark.parametrize("seed", range(20))
def test_linear_model_does_not_warn_where_inputs_outnumber_rows_and_fit_them_exactly(seed):
    train = np.random.default_rng(seed).integers(0, 2, (5, 12)).astype(np.float32)
    inputs = LinearInputs(tuple(NumberInput(f"x{i}", 0.0, 1.0, False) for i in range(12)), ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fitted(inputs, {f"x{i}": train[:, i] for i in range(12)}, train[:, 0].astype(float))
    assert math.isfinite(model.penalty)


def test_linear_model_takes_a_missing_number_as_the_mean_and_an_indicator():
    x = RANDOM.normal(0, 1, 400).astype(np.float32)
    gone = np.arange(400) % 4 == 0
    labels = np.where(gone, 50.0, 2.0 * x)
    columns = {"x": np.where(gone, np.float32("nan"), x)}
    model = fitted(LinearInputs((NumberInput("x", 0.0, 1.0, True),), ()), columns, labels)
    assert rmse(model, columns, labels) < 1e-5 * labels.std()


def test_linear_model_keeps_the_digits_of_a_time_in_seconds():
    seconds = 1_700_000_000 + RANDOM.integers(0, 1000, 400)
    labels = 0.001 * (seconds - 1_700_000_000.0)
    inputs = LinearInputs((NumberInput("t", float(seconds.mean()), float(seconds.std()), False),), ())
    assert rmse(fitted(inputs, {"t": seconds}, labels), {"t": seconds}, labels) < 1e-7


def test_linear_model_without_a_column_that_varies_predicts_the_mean():
    columns, labels = {"x": np.ones(30, np.float32)}, RANDOM.normal(4, 1, 30)
    model = fitted(LinearInputs((NumberInput("x", 1.0, 1.0, False),), ()), columns, labels)
    assert model.predict(columns) == pytest.approx(np.full(30, labels.mean()))
    assert fitted(LinearInputs((), ()), columns, labels).predict(columns) == pytest.approx(np.full(30, labels.mean()))


def test_linear_inputs_take_the_most_frequent_values_and_what_may_be_missing():
    words = [b"v%03d" % i for i in range(300) for _ in range(300 - i)]
    statistics = {
        "x": statistics_of("FLOAT", numbers([1.0, 3.0])).proto(),
        "flat": statistics_of("INT", numbers([7, 7], np.int64)).proto(),
        "t": statistics_of("BYTES", texts(words)).proto(),
    }
    features = [Feature("x", "FLOAT", required=False), Feature("flat", "INT"), Feature("t", "BYTES")]
    inputs = linear_inputs(features, statistics)
    assert inputs.numbers == (NumberInput("x", 2.0, 1.0, True), NumberInput("flat", 7.0, 1.0, False))
    assert inputs.texts[0].values == tuple(f"v{i:03d}" for i in range(100))
    assert inputs.sizes == (3, 100)
    many = [Feature(f"t{i}", "BYTES", required=False) for i in range(50)]
    narrow = linear_inputs(many, {feature.name: statistics["t"] for feature in many})
    assert sum(narrow.sizes) == 1000  # the sums are a square of this size
    assert narrow.texts[0].values[:2] == ("", "v000")


def test_linear_model_is_read_as_it_was_written():
    columns = {"x": RANDOM.normal(0, 1, 50).astype(np.float32), "t": np.array([b"a", b"\xff"] * 25, object)}
    inputs = LinearInputs((NumberInput("x", 0.0, 1.0, True),), (TextInput("t", ("a", "é")),))
    model = fitted(inputs, columns, columns["x"].astype(np.float64))
    again = LinearModel.from_json(json.loads(json.dumps(model.to_json())))
    assert again.predict(columns).tolist() == model.predict(columns).tolist()
    assert (again.train_rmse, again.num_parameters) == (model.train_rmse, 5)


def test_a_time_of_day_is_linear_in_its_minutes():
    minutes = np.arange(1440)
    times = minutes // 60 * 100 + minutes % 60
    statistics = {"at": statistics_of("INT", numbers(times.tolist(), np.int64)).proto()}
    columns, labels = {"at": times}, 3.0 * minutes + 7
    models = [
        fitted(linear_inputs([Feature("at", "INT", clock=clock)], statistics), columns, labels)
        for clock in ("hhmm", "")
    ]
    assert (
        rmse(models[0], columns, labels) < 1e-6 * labels.std() < 0.01 * labels.std() < rmse(models[1], columns, labels)
    )
    again = LinearModel.from_json(json.loads(json.dumps(models[0].to_json())))
    assert again.predict(columns) == pytest.approx(models[0].predict(columns))
    assert "clock" not in models[1].to_json()["numbers"][0]
    older = models[0].to_json()
    older["numbers"][0]["is_clock"] = older["numbers"][0].pop("clock") == "hhmm"
    assert LinearModel.from_json(older).predict(columns) == pytest.approx(models[0].predict(columns))
