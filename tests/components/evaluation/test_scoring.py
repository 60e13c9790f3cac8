"""Passes over recorded rows with real exports: what is predicted, summed and written."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
from functools import partial

import numpy as np
import pytest

from crossnet.components.evaluation.linear import LinearInputs, NormalEquations, NumberInput
from crossnet.components.evaluation.metrics import ErrorSums
from crossnet.components.evaluation.predictors import MeanPredictor, ServedModel
from crossnet.components.evaluation.scoring import Columns, score_eval, score_train
from crossnet.components.evaluation.session import ServingSession
from crossnet.components.evaluation.slices import parse_slices
from crossnet.components.features import Feature, read_schema
from crossnet.components.params.evaluator import EvaluatorParams
from support.gate_fixtures import article, export, truth
from support.training_fixtures import make_artifacts

TRAIN, EVAL = article(250, seed=1), article(120, seed=2)
X = tuple(Feature(f"x{i}", "FLOAT") for i in range(3))


def stored(table):
    """The label and the truth as float32 rows have them, in float64."""
    columns = {name: np.array(values, np.float32) for name, values in table.items() if name != "zone"}
    return columns["y"].astype(float), truth(columns).astype(float)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return make_artifacts(tmp_path_factory.mktemp("rows"), TRAIN, EVAL)[0]


@pytest.fixture(scope="module")
def columns(examples):
    label, zone = Feature("y", "FLOAT"), Feature("zone", "BYTES", required=False)
    return Columns(X, label, {feature.name: feature for feature in (*X, label, zone)})


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    with contextlib.ExitStack() as stack:
        exact = ServingSession(export(folder / "exact", X, truth))
        far = ServingSession(export(folder / "far", X, lambda columns: truth(columns) + 0.5))
        yield {"exact": stack.enter_context(exact), "far": stack.enter_context(far)}


def test_train_is_summed_over_all_batches_in_the_order_of_the_models(examples, columns, models):
    make = partial(NormalEquations, LinearInputs((NumberInput("x0", 0.5, 0.3, False),), ()))
    sums, equations = score_train(examples, columns, models, make, batch_size=100)
    labels, exact = stored(TRAIN)
    assert (sums.rows, sums.label_mean) == (250, pytest.approx(labels.mean()))
    assert sums.rmse(0) == pytest.approx(math.sqrt(np.mean((exact - labels) ** 2)), abs=1e-7)
    assert sums.rmse(1) == pytest.approx(math.sqrt(np.mean((exact + 0.5 - labels) ** 2)), rel=1e-6)
    slope, shift = np.polyfit((np.float32(TRAIN["x0"]).astype(float) - 0.5) / 0.3, labels, 1)
    linear = equations.solve()
    assert (*linear.weights, linear.intercept) == pytest.approx((slope, shift), rel=1e-2)


@pytest.fixture(scope="module")
def scored(examples, columns, models, tmp_path_factory):
    """Scores of both models and the mean predictor, their worst rows, and the folder that was written."""
    folder = tmp_path_factory.mktemp("scored")
    keys = parse_slices([["zone"], ["x0:quartile"], ["y:quartile"]], columns.recorded)
    scores, worst = score_eval(
        examples,
        columns,
        {"far": models["far"], "mean": MeanPredictor(1.0), "exact": models["exact"]},
        keys=keys,
        output_dir=folder,
        params=EvaluatorParams(batch_size=50, num_bootstrap=100),
    )
    return scores, worst, folder


def test_eval_is_scored_whole_in_the_order_of_the_models(scored):
    scores, _, _ = scored
    labels, exact = stored(EVAL)
    assert scores.names == ("far", "mean", "exact")
    expected = ErrorSums(3)
    expected.add(labels, np.array([exact + 0.5, np.ones(120), exact]))
    assert scores.whole.rows == 120
    assert scores.whole.rmse(0) == pytest.approx(expected.rmse(0), rel=1e-6)
    assert scores.whole.rmse(1) == pytest.approx(expected.rmse(1), rel=1e-12)
    assert scores.whole.rmse(2) < 1e-6
    assert scores.resampled.rmse.shape == (100, 3)
    assert scores.resampled.rmse[:, 1].mean() == pytest.approx(scores.whole.rmse(1), rel=0.05)


def test_slices_may_name_a_column_that_no_model_takes(scored):
    scores, _, _ = scored
    zones = {name: sums for name, sums in scores.slices.items() if name.startswith("zone=")}
    assert {name: sums.rows for name, sums in zones.items()} == dict.fromkeys(
        ("zone=east", "zone=north", "zone=west"), 40
    )
    labels, _ = stored(EVAL)
    north = np.array(EVAL["zone"]) == "north"
    assert zones["zone=north"].rmse(1) == pytest.approx(math.sqrt(np.mean((1 - labels[north]) ** 2)), rel=1e-12)


def test_slices_are_cut_at_quantiles_of_features_and_of_the_label_and_sorted(scored):
    scores, _, _ = scored
    assert list(scores.slices) == sorted(scores.slices)
    for column in ("x0", "y"):
        rows = [sums.rows for name, sums in scores.slices.items() if name.startswith(f"{column}:quartile=")]
        assert len(rows) == 4
        assert sum(rows) == 120
        assert max(rows) - min(rows) <= 4


def test_labels_and_predictions_of_exports_are_written_in_order(scored):
    _, _, folder = scored
    labels, exact = stored(EVAL)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.npy")) == [
        "labels.npy",
        "predictions/exact.npy",
        "predictions/far.npy",
    ]
    written = np.load(folder / "labels.npy")
    assert written.dtype == np.float32
    np.testing.assert_array_equal(written, labels.astype(np.float32))
    np.testing.assert_allclose(np.load(folder / "predictions" / "far.npy"), exact + 0.5, rtol=1e-6)


def test_worst_rows_are_those_of_exports_with_their_place_in_the_split(scored):
    _, worst, _ = scored
    assert worst.keys() == {"far", "exact"}
    assert len(worst["far"]) == 10
    for row in worst["far"]:
        assert row["label"] == pytest.approx(EVAL["y"][row["record"]])
        assert row["features"]["zone"] == EVAL["zone"][row["record"]]


def test_columns_may_come_from_a_schema(tmp_path):
    examples, schema, _ = make_artifacts(tmp_path, TRAIN, EVAL)
    features, label = read_schema(schema.proto())
    constant = {"mean": MeanPredictor(0.0)}
    make = partial(NormalEquations, LinearInputs((), ()))
    sums, _ = score_train(examples, Columns(features, label, {}), constant, make, batch_size=10_000)
    assert sums.rmse(0) == pytest.approx(math.sqrt(np.mean(stored(TRAIN)[0] ** 2)))


def test_eval_is_scored_by_the_groups_and_weights_that_examples_name(examples, columns, models, tmp_path):
    named = dataclasses.replace(examples, properties={**examples.properties, "group": "zone", "weight": "x0"})
    params = EvaluatorParams(batch_size=50, num_bootstrap=100)
    scored, _ = score_eval(named, columns, {"far": models["far"]}, keys=[], output_dir=tmp_path, params=params)
    assert (scored.unit, scored.units, scored.resampled) == ("group of `zone`", 3, None)
    labels, exact = stored(EVAL)
    weights = np.array(EVAL["x0"], np.float32).astype(float)
    expected = ErrorSums(1)
    expected.add(labels, np.array([exact + 0.5]), weights)
    assert scored.whole.metrics(0) == pytest.approx(expected.metrics(0), rel=1e-6)
    assert scored.whole.label_mean == pytest.approx(np.average(labels, weights=weights))
    assert scored.extent.startswith("120 rows in 3 groups of `zone`, which weigh as ")


def test_train_is_weighted_where_rows_have_weights(examples, columns, models):
    named = dataclasses.replace(examples, properties={**examples.properties, "weight": "x1"})
    make = partial(NormalEquations, LinearInputs((), ()))
    sums, equations = score_train(named, columns, models, make, batch_size=100)
    labels, weights = stored(TRAIN)[0], np.array(TRAIN["x1"], np.float32).astype(float)
    assert sums.label_mean == pytest.approx(np.average(labels, weights=weights))
    assert equations.solve().intercept == pytest.approx(np.average(labels, weights=weights))


def test_why_a_model_in_service_does_not_answer_is_logged_once(examples, columns, tmp_path, caplog):
    import tensorflow as tf

    caplog.set_level(logging.WARNING)
    path = export(tmp_path / "m", X[:1], lambda c: tf.debugging.check_numerics(1 / (c["x0"] * 0), "bad"))
    with ServingSession(path) as session:
        served = {"(served)": ServedModel(session)}
        scored, _ = score_eval(
            examples, columns, served, keys=[], output_dir=tmp_path, params=EvaluatorParams(batch_size=50)
        )
    assert scored.whole.nonfinite.tolist() == [120]
    assert len(caplog.records) == 1
    assert caplog.text.count("the model in service does not answer: ") == 1
