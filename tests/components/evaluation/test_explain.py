"""Explain: weights multiplied out by hand, and a network that was really trained."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.evaluation.crossings import CrossWeights
from crossnet.components.evaluation.explain import (
    SYNTHETIC_TRUTH,
    _formula,
    expand,
    explain,
    known_truth,
)
from crossnet.components.evaluation.session import ServingSession
from crossnet.components.networks.columns import KeyColumn, NumberColumn, TextColumn
from crossnet.components.networks.export import export_model
from crossnet.components.networks.models import build_network, describe, initialize
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.params.networks import CrossLayerParams, CrossMixParams, DenseParams, ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.trainer import train_model
from support.gate_fixtures import article
from support.training_fixtures import make_artifacts

PLAIN = [(0.0, 1.0), (0.0, 1.0)]


def nonzero(polynomial):
    return {factors: value for factors, value in polynomial.items() if value}


def test_expand_multiplies_one_layer_out():
    # x0 * (x W + b) + x with W = [[1, 2], [3, 4]], [from][to], b = (5, 6); the output adds 10 x0' + x1' + 7.
    layer = CrossWeights(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0]), 0.0)
    assert nonzero(expand([layer], np.array([10.0, 1.0]), 7.0, PLAIN)) == {
        (0, 0): 10.0,  # 10 x0 * 1 x0
        (0, 1): 32.0,  # 10 x0 * 3 x1 + x1 * 2 x0
        (1, 1): 4.0,
        (0,): 60.0,  # 10 * (5 + 1)
        (1,): 7.0,  # 6 + 1
        (): 7.0,
    }


def test_expand_of_two_layers_is_of_third_degree():
    layer = CrossWeights(np.ones((1, 1)), np.zeros(1), 0.0)  # x -> z x + x, twice: z² (z + 1) + z² + z
    assert nonzero(expand([layer, layer], np.ones(1), 0.0, [(0.0, 1.0)])) == {(0,): 1.0, (0, 0): 2.0, (0, 0, 0): 1.0}


def test_expand_undoes_the_normalisation_and_adds_the_diagonal():
    layer = CrossWeights(np.zeros((1, 1)), np.zeros(1), 2.0)  # z -> 2 z² + z with z = (x - 3) / 2
    polynomial = expand([layer], np.ones(1), 0.0, [(3.0, 2.0)])
    assert polynomial == {(0, 0): 0.5, (0,): pytest.approx(-2.5), (): pytest.approx(3.0)}


def test_expand_equals_the_network_on_random_weights():
    random = np.random.default_rng(0)
    layers = [CrossWeights(random.normal(size=(4, 4)), random.normal(size=4), 0.3) for _ in range(2)]
    head, scales = random.normal(size=4), list(zip(random.normal(size=4), random.uniform(1, 2, 4), strict=True))
    values = random.normal(size=(5, 4))
    z = (values - [mean for mean, _ in scales]) / [scale for _, scale in scales]
    x = z
    for layer in layers:
        x = z * (x @ layer.kernel + layer.bias + layer.diag_scale * x) + x
    polynomial = expand(layers, head, 0.5, scales)
    ours = sum(value * np.prod(values[:, list(factors)], axis=1) for factors, value in polynomial.items())
    np.testing.assert_allclose(ours, x @ head + 0.5, rtol=1e-9)


def test_formula_writes_signs_powers_and_small_numbers():
    terms = [(1.0, ["x0", "x0"]), (-2.5, ["x0", "x1"]), (0.01234, ["x2"]), (-1.0, [])]
    assert _formula(terms) == "1.000 x0² - 2.500 x0·x1 + 0.0123 x2 - 1.000"
    assert _formula([(-1.0, ["x"] * 12)]) == "-1.000 x¹²"
    assert _formula([]) == "0"


@pytest.mark.slow
def test_explain_finds_the_truth_in_a_trained_cross_network(tmp_path):
    table = {name: values for name, values in article(1000).items() if name != "zone"}
    examples, schema, statistics = make_artifacts(tmp_path, table, table)
    (tmp_path / "model").mkdir()
    model = train_model(
        examples,
        schema,
        statistics,
        output_dir=tmp_path / "model",
        params=TrainerParams(epochs=400, batch_size=100, warmup_records=0),
        model=ModelParams(kind="cross_layer", architecture=CrossLayerParams()),
    )
    found = explain(model, SYNTHETIC_TRUTH)
    assert explain(model)["formula"] == "1.000 x0² + 1.000 x0·x1 + 1.000 x1·x2 + 1.000 x2²"
    assert found["max_error"] < 1e-3
    np.testing.assert_allclose(found["interactions"], [[1, 1, 0], [1, 0, 1], [0, 1, 1]], atol=1e-3)
    term = next(term for term in found["terms"] if term["factors"] == ["x1", "x2"])
    assert term["truth"] == 1.0
    assert term["error"] == term["coefficient"] - 1.0


def untrained(folder, kind, architecture, numbers, texts=(), label_mean=0.0, label_scale=1.0, members=None, **more):
    """Exports a network with its first weights."""
    preprocessing = Preprocessing(numbers, texts, label_mean, label_scale, **more)
    network = build_network(
        kind, architecture, num_numbers=len(preprocessing.number_names), tables=preprocessing.tables, members=members
    )
    initialize(network, 0)
    model = Model(folder)
    description = describe(kind, architecture, network)
    if members:
        description["shares"] = [1 / members] * members
    export_model(network, Transform(preprocessing), model.serving_path, description=description)
    return model


MILES = NumberColumn("miles", "FLOAT", True, mean=100.0, scale=50.0)
HOURS = NumberColumn("hours", "FLOAT", True, mean=5.0, scale=2.0)
ZONE = TextColumn("zone", True, ("east", "north"), 3)


def test_explain_speaks_in_the_units_of_the_table(tmp_path):
    model = untrained(tmp_path, "tfrs_cross", CrossLayerParams(), (MILES, HOURS), label_mean=1000.0, label_scale=300.0)
    with ServingSession(model.serving_path) as session:
        miles, hours = np.array([0, 80, 200, 90], np.float32), np.array([1, 5, 9, 4], np.float32)
        expected = session.predict({"miles": miles, "hours": hours})
    values = {"miles": miles.astype(float), "hours": hours.astype(float)}
    ours = sum(
        term["coefficient"] * np.prod([values[name] for name in term["factors"]] or [np.ones(4)], axis=0)
        for term in explain(model)["terms"]
    )
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    assert "miles·hours" in explain(model)["formula"]


@pytest.mark.parametrize(
    ("bent", "names"),
    [
        ({"clip": True}, ["miles", "hours"]),
        ({"numbers": (MILES, NumberColumn("hours", "INT", True, unit="hhmm"))}, ["miles", "hours"]),
        ({"label_range": (0.0, 1.0)}, ["miles", "hours"]),
        ({"keys": (KeyColumn("shop", True, (7, 9), 2),)}, ["miles", "hours", "shop"]),
    ],
)
def test_explain_gives_no_polynomial_of_inputs_or_answers_that_are_bent(tmp_path, bent, names):
    numbers = bent.pop("numbers", (MILES, HOURS))
    found = explain(untrained(tmp_path, "cross_layer", CrossLayerParams(), numbers, **bent))
    assert set(found) == {"features", "strengths"}
    assert found["features"] == names


@pytest.mark.parametrize(
    ("architecture", "numbers", "texts"),
    [
        (CrossLayerParams(), (MILES,), (ZONE,)),
        (CrossLayerParams(structure="stacked", deep_units=(4,)), (MILES, HOURS), ()),
        (CrossLayerParams(structure="parallel", deep_units=(8, 4)), (MILES, HOURS), ()),
        (CrossLayerParams(preactivation="relu"), (MILES, HOURS), ()),
        (CrossLayerParams(), (NumberColumn("miles", "FLOAT", False),), ()),
    ],
    ids=["text", "deep layers", "deep layers beside", "activation", "a feature that may be missing"],
)
def test_explain_gives_strengths_where_nothing_can_be_multiplied_out(tmp_path, architecture, numbers, texts):
    model = untrained(tmp_path, "cross_layer", architecture, numbers, texts)
    found = explain(model)
    assert set(found) == {"features", "strengths"}
    assert np.shape(found["strengths"]) == (2, 2)


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [("cross_mix", CrossMixParams(num_layers=2)), ("cross_gated", CrossLayerParams(num_layers=2))],
)
def test_explain_gives_strengths_of_gated_and_mixed_networks(tmp_path, kind, architecture):
    found = explain(untrained(tmp_path, kind, architecture, (MILES, HOURS), (ZONE,)))
    assert set(found) == {"features", "strengths"}
    assert np.shape(found["strengths"]) == (3, 3)
    assert np.min(found["strengths"]) > 0


@pytest.mark.parametrize("kind", ["cross_layer", "cross_mix", "cross_gated"])
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("rank", [None, 1])
def test_explain_says_nothing_about_networks_side_by_side(tmp_path, kind, members, use_bias, rank):
    mixed = kind == "cross_mix"
    architecture = (
        CrossMixParams(use_bias=use_bias) if mixed else CrossLayerParams(use_bias=use_bias, projection_dim=rank)
    )
    assert explain(untrained(tmp_path, kind, architecture, (MILES, HOURS), (ZONE,), members=members)) is None


def test_explain_says_nothing_about_a_dense_network(tmp_path):
    assert explain(untrained(tmp_path, "dense", DenseParams(), (MILES, HOURS))) is None


def test_explain_says_nothing_about_a_model_that_was_not_trained_here(tmp_path):
    assert explain(Model(tmp_path)) is None


def test_known_truth_is_that_of_the_synthetic_table(tmp_path):
    assert known_truth(Examples(tmp_path, properties={"source": "synthetic"})) == SYNTHETIC_TRUTH
    assert known_truth(Examples(tmp_path, properties={"source": "csv"})) is None
