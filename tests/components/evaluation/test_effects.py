import math

import numpy as np
import pytest

from crossnet.components.evaluation import effects
from crossnet.components.evaluation.effects import measure_effects
from crossnet.components.evaluation.row_sample import RowSample
from crossnet.components.features import Feature
from crossnet.components.params.evaluator import EvaluatorParams

FEATURES = (Feature("x", "FLOAT"), Feature("zone", "BYTES"), Feature("unused", "INT"))
PRICES = {b"a": 0.0, b"b": 10.0, b"": 40.0}


class Model:
    """Predicts 2 x + the zone's price exactly, and counts the rows that it is asked."""

    def __init__(self) -> None:
        self.rows = 0

    def predict(self, features):
        self.rows += len(features["x"])
        return (2 * features["x"] + np.array([PRICES[zone] for zone in features["zone"]])).astype(np.float32)


def sample(rows=3000, weights=None):
    random, made = np.random.default_rng(0), RowSample([feature.name for feature in FEATURES])
    columns = {
        "x": random.normal(0, 3, rows).astype(np.float32),
        "zone": np.array([[b"a", b"a", b"b", b""][i % 4] for i in range(rows)], object),
        "unused": np.arange(rows),
    }
    labels = Model().predict(columns).astype(float)
    made.add(columns, labels, labels[None], weights)
    return made


@pytest.fixture(scope="module")
def found():
    model = Model()
    return measure_effects(model, sample(), FEATURES, EvaluatorParams()), model.rows


def test_importance_is_the_growth_of_the_rmse_in_the_labels_unit(found):
    importance = found[0]["importance"]
    # Of a shuffled column the squared error is on average twice its contribution's variance.
    zone = math.sqrt(2 * np.var([0, 0, 10, 40]))
    assert [column["name"] for column in importance["columns"]] == ["zone", "x", "unused"]
    increases = [column["increase"] for column in importance["columns"]]
    assert increases == [pytest.approx(zone, rel=0.05), pytest.approx(math.sqrt(2) * 6, rel=0.05), 0.0]
    for column in importance["columns"]:
        low, high = column["interval"]
        assert low <= column["increase"] <= high
    assert importance["columns"][0]["interval"][0] < zone < importance["columns"][0]["interval"][1]
    assert (importance["rows"], importance["shuffles"], importance["rmse"]) == (1000, 5, 0.0)


def test_dependence_is_the_mean_prediction_at_each_value(found):
    zone, x = found[0]["dependence"]
    assert (zone["name"], x["name"]) == ("zone", "x")  # not "unused", which does nothing
    assert zone["at"] == ["a", "", "b"]  # the most frequent first
    assert np.diff(zone["prediction"]).tolist() == pytest.approx([40, -30], abs=1e-4)
    slope = np.diff(x["prediction"]) / np.diff(x["at"])
    np.testing.assert_allclose(slope, 2, rtol=1e-4)
    assert len(x["at"]) == effects.MAX_POINTS


def test_a_model_is_asked_a_bounded_number_of_rows(found):
    assert found[1] <= effects.ROWS_ASKED + effects.MAX_ROWS + 2 * effects.MAX_POINTS * effects.CURVE_ROWS
    features = [*FEATURES, *(Feature(f"n{i}", "INT") for i in range(40))]
    made, many = RowSample([feature.name for feature in features]), np.arange(500)
    columns = {feature.name: many.astype(np.float32) for feature in features} | {"zone": np.full(500, b"a", object)}
    made.add(columns, 2.0 * many, np.zeros((1, 500)))
    model = Model()
    assert len(measure_effects(model, made, features, EvaluatorParams())["importance"]["columns"]) == 43
    assert model.rows <= effects.ROWS_ASKED + effects.MAX_ROWS + effects.MAX_POINTS * effects.CURVE_ROWS


def test_a_model_of_many_features_is_asked_with_all_of_them(monkeypatch):
    monkeypatch.setattr(effects, "MAX_FEATURES", 1)
    found = measure_effects(Model(), sample(), FEATURES, EvaluatorParams())  # the model reads two
    assert [column["name"] for column in found["importance"]["columns"]] == ["x"]
    assert [curve["name"] for curve in found["dependence"]] == ["x"]


def test_the_same_rows_give_the_same_numbers(found):
    assert measure_effects(Model(), sample(), FEATURES, EvaluatorParams()) == found[0]


def test_rows_of_no_weight_do_not_count():
    weights = np.where(np.arange(3000) % 4 == 3, 0.0, 1.0)  # the dear zone
    importance = measure_effects(Model(), sample(weights=weights), FEATURES, EvaluatorParams())["importance"]
    # Its price still comes to other rows by the shuffle.
    zone = next(column for column in importance["columns"] if column["name"] == "zone")
    exact = np.mean([(one - other) ** 2 for one in (0, 0, 10) for other in (0, 0, 10, 40)])
    assert zone["increase"] == pytest.approx(math.sqrt(exact), rel=0.05)
    assert measure_effects(Model(), sample(weights=np.zeros(3000)), FEATURES, EvaluatorParams()) == {}


def test_a_column_without_two_values_has_no_curve():
    made = RowSample(["x", "zone"])
    columns = {"x": np.full(50, np.nan, np.float32), "zone": np.full(50, b"a", object)}
    made.add(columns, np.arange(50.0), np.zeros((1, 50)))

    class Noisy:
        def predict(self, features):
            return np.linspace(0, 1, len(features["x"]), dtype=np.float32)

    found = measure_effects(Noisy(), made, FEATURES[:2], EvaluatorParams())
    assert len(found["importance"]["columns"]) == 2
    assert found["dependence"] == []


def test_few_rows_or_numbers_that_are_not_finite_give_nothing():
    assert measure_effects(Model(), sample(1), FEATURES, EvaluatorParams()) == {}

    class Broken(Model):
        def predict(self, features):
            return np.full(len(features["x"]), np.nan, np.float32)

    assert measure_effects(Broken(), sample(), FEATURES, EvaluatorParams()) == {}
