from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.errors import TrainingError
from crossnet.components.networks.models import build_network, describe, initialize
from crossnet.components.params.networks import ARCHITECTURES, CrossLayerParams, CrossMixParams, DenseParams


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("cross_layer", 16),
        ("tfrs_cross", 16),
        ("cross_mix", 4 * (2 * 3 * 2 + 2 * 2) + 3 * 4 + 3 + 4),  # experts of rank 2, gate, bias, output
        ("cross_gated", 2 * 3 * 3 + 3 + 4),
        ("dense", 40),
    ],
)
def test_network_of_the_article_has_its_number_of_parameters(kind: str, parameters: int) -> None:
    assert build_network(kind, ARCHITECTURES[kind](), num_numbers=3).count_params() == parameters


def test_layers_between_inputs_and_output_compute_in_another_precision_and_keep_their_weights() -> None:
    tower = CrossLayerParams(structure="stacked", deep_units=(4,))
    x = [np.array([[0.5, -1.0, 2.0]], np.float32), np.array([[1]])]
    for kind, architecture in {
        "cross_layer": tower,
        "cross_gated": tower,
        "cross_mix": CrossMixParams(),
        "dense": DenseParams(),
    }.items():
        for members in (None, 2):
            settings: Any = {"num_numbers": 3, "tables": [(4, 2)], "edges": [(0, 1), (), (0, 1, 2)], "number_dim": 2}
            whole, mixed = (
                build_network(kind, architecture, **settings, members=members, compute=compute)
                for compute in (None, "mixed_bfloat16")
            )
            initialize(whole, 1)
            mixed.set_weights(whole.get_weights())
            found = {layer.name for layer in mixed.layers if layer.compute_dtype == "bfloat16"}
            hidden = {layer.name for layer in mixed.layers if layer.name.startswith(("cross_", "deep_", "dense_"))}
            assert found == hidden, kind
            assert {weight.dtype for weight in mixed.get_weights()} == {np.dtype(np.float32)}
            assert mixed.output.dtype == tf.float32
            np.testing.assert_allclose(mixed(x), whole(x), rtol=0.05, atol=0.02)


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [
        ("cross_mix", CrossMixParams(num_experts=2, projection_dim=3, activation="relu", use_bias=False)),
        ("cross_gated", CrossLayerParams(projection_dim=1, diag_scale=0.2, preactivation="tanh", use_bias=False)),
    ],
)
def test_mixed_and_gated_networks_have_what_their_settings_say(kind: str, architecture: Any) -> None:
    architecture = dataclasses.replace(architecture, num_layers=2, kernel_regularizer=0.5, kernel_initializer="ones")
    network = build_network(kind, architecture, num_numbers=3)
    for layer in (network.get_layer("cross_0"), network.get_layer("cross_1")):
        config = layer.get_config()
        for name in ("num_experts", "projection_dim", "diag_scale", "use_bias", "activation", "preactivation"):
            assert config.get(name) == getattr(architecture, name, None), name
        assert layer.kernel_regularizer.l2 == 0.5
        assert all((weight == 1).all() for weight in layer.get_weights())
    weights = sum(math.prod(weight.shape) for weight in network.trainable_variables) - 4  # without the output
    assert float(sum(network.losses)) == 0.5 * weights


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_layers": 3, "projection_dim": 2, "diag_scale": 0.1, "preactivation": "tanh"},
        {"num_layers": 2, "use_bias": False, "kernel_regularizer": 0.01},
        {"num_layers": 2, "structure": "stacked", "deep_units": (4, 3)},
        {"num_layers": 2, "structure": "parallel", "deep_units": (4, 3)},
    ],
)
def test_both_kinds_of_cross_network_start_equal_and_compute_the_same(settings: Any) -> None:
    tables = [(5, 2), (3, 1)]
    numbers = np.random.default_rng(2).normal(size=(7, 3)).astype(np.float32)
    ids = np.random.default_rng(2).integers(0, 3, size=(7, 2))
    outputs, losses = [], []
    for kind in ("cross_layer", "tfrs_cross"):
        network = build_network(kind, CrossLayerParams(**settings), num_numbers=3, tables=tables)
        initialize(network, seed=11)
        outputs.append(network([numbers, ids]))
        losses.append(float(sum(network.losses)))
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-6)
    assert losses[0] == pytest.approx(losses[1])


def test_stacked_and_parallel_networks_have_the_shapes_of_the_paper() -> None:
    stacked = CrossLayerParams(structure="stacked", deep_units=(4,))
    parallel = CrossLayerParams(structure="parallel", deep_units=(4,))
    # cross 3*3+3; tower 3*4+4; output 4+1 after the tower, 3+4+1 beside it
    assert build_network("cross_layer", stacked, num_numbers=3).count_params() == 12 + 16 + 5
    assert build_network("cross_layer", parallel, num_numbers=3).count_params() == 12 + 16 + 8


def test_network_takes_text_alone() -> None:
    network = build_network("cross_layer", CrossLayerParams(), num_numbers=0, tables=[(4, 2)])
    assert network(tf.constant([[1], [3]], tf.int64)).shape == (2, 1)


def test_network_computes_in_float64_where_asked() -> None:
    network = build_network("cross_layer", CrossLayerParams(), num_numbers=3, dtype="float64")
    assert {variable.dtype for variable in network.trainable_variables} == {tf.float64}


@pytest.mark.parametrize("kind", ["cross_layer", "cross_mix", "cross_gated", "dense"])
def test_initialize_gives_the_same_weights_for_a_seed_whatever_was_drawn_before(kind: str) -> None:
    settings: Any = {} if kind == "dense" else {"projection_dim": 1, "num_layers": 2}
    architecture = ARCHITECTURES[kind](**settings)
    networks = [build_network(kind, architecture, num_numbers=3) for _ in range(2)]
    initialize(networks[0], seed=5)
    tf.random.normal([3])
    initialize(networks[1], seed=4)
    assert not np.array_equal(networks[0].get_weights()[0], networks[1].get_weights()[0])
    initialize(networks[1], seed=5)
    for first, second in zip(networks[0].get_weights(), networks[1].get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_initialize_draws_each_expert_from_values_of_its_own() -> None:
    network = build_network("cross_mix", CrossMixParams(projection_dim=3), num_numbers=3)
    initialize(network, seed=5)
    layer = network.get_layer("cross_0")
    assert len({matrix.tobytes() for kernel in layer.get_weights()[:3] for matrix in kernel}) == 12
    assert 0.9 < np.abs(layer.kernel_v).max() <= 1  # Glorot's limit of one matrix of 3 x 3


def test_unknown_kind_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        TrainingError, match=r"Unknown model kind `cros_layer`\. Did you mean `cross_layer`\? There are: cross_layer, "
    ):
        build_network("cros_layer", CrossLayerParams(), num_numbers=3)


@pytest.mark.parametrize(
    ("kind", "architecture", "sentence"),
    [
        ("cross_layer", CrossLayerParams(projection_dim=2), "at most half the features' width.*Received 2 .* width 3"),
        ("cross_layer", CrossLayerParams(projection_dim=0), "must be at least 1. Received 0"),
        ("tfrs_cross", CrossLayerParams(preactivation="rely"), "`tfrs_cross.preactivation` is 'rely', which Keras"),
        ("dense", DenseParams(kernel_initializer="x"), "`dense.kernel_initializer` is 'x', which Keras does not know"),
        ("dense", CrossLayerParams(), "`dense` takes its architecture as DenseParams. Received CrossLayerParams"),
        ("cross_gated", CrossLayerParams(projection_dim=2), "at most half the features' width.*Received 2 .* width 3"),
        ("cross_mix", CrossMixParams(activation="tan"), "`cross_mix.activation` is 'tan', which Keras does not know"),
        ("cross_mix", CrossMixParams(deep_units=(3,)), "`structure` and `deep_units` disagree"),
        ("cross_mix", CrossLayerParams(), "`cross_mix` takes its architecture as CrossMixParams. Received CrossLayerP"),
        ("cross_layer", CrossLayerParams(structure="stacked"), "`structure` and `deep_units` disagree"),
    ],
)
def test_architecture_that_does_not_fit_is_refused(kind: str, architecture: Any, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        build_network(kind, architecture, num_numbers=3)


def test_network_without_features_is_refused() -> None:
    with pytest.raises(TrainingError, match="No feature is left to train on"):
        build_network("dense", DenseParams(), num_numbers=0)


def test_description_is_equal_for_equal_architectures_only() -> None:
    def described(**settings: Any) -> Any:
        architecture = CrossLayerParams(**settings)
        return describe("cross_layer", architecture, build_network("cross_layer", architecture, num_numbers=4))

    assert described() == described(kernel_initializer="ones")
    assert described() != described(num_layers=2)
    assert described() != described(preactivation="tanh")
