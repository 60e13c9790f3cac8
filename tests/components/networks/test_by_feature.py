from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from crossnet.components.networks import by_feature as module
from crossnet.components.networks.by_feature import MAX_DENSE_WIDTH, by_feature
from crossnet.components.networks.layers import CrossLayer
from crossnet.components.networks.models import build_network, initialize
from crossnet.components.networks.piecewise import PiecewiseLinear
from crossnet.components.params.networks import CrossLayerParams, CrossMixParams, DenseParams
from support.drawn_inputs import drawn_inputs

ROWS = 50
TABLES = [(5, 2), (9, 3)]


def network(kind: str, architecture: Any, *, num_numbers: int = 3, tables: Any = ()) -> tf_keras.Model:
    made = build_network(kind, architecture, num_numbers=num_numbers, tables=tables)
    initialize(made, seed=5)
    random = np.random.default_rng(6)
    for variable in made.trainable_variables:  # biases start at zero, where a mistake would not show
        variable.assign_add(random.normal(0 if variable.shape.rank > 1 else 0.5, 0.3, variable.shape))
    return made


def call(model: tf_keras.Model, parts: Sequence[Any]) -> Any:
    return model(parts if len(parts) > 1 else parts[0])


def check(made: tf_keras.Model, num_numbers: int = 3, tables: Any = ()) -> None:
    parts = drawn_inputs(ROWS, num_numbers, tables)
    expected = call(made, parts).numpy()
    assert np.std(expected) > 0.01
    model = by_feature(made)
    assert model is not None
    found = tf.function(lambda *parts: call(model, parts))(*[tf.constant(part.T) for part in parts])
    np.testing.assert_allclose(found, expected.T, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("num_numbers", "tables"), [(3, ()), (3, TABLES), (0, TABLES), (1, ())])
@pytest.mark.parametrize(
    ("kind", "architecture"),
    [
        ("cross_layer", CrossLayerParams()),
        ("cross_layer", CrossLayerParams(num_layers=3, use_bias=False)),
        ("cross_layer", CrossLayerParams(num_layers=2, diag_scale=0.4, preactivation="tanh")),
        ("cross_layer", CrossLayerParams(num_layers=2, structure="stacked", deep_units=(4, 3))),
        ("cross_layer", CrossLayerParams(num_layers=2, structure="parallel", deep_units=(4, 3))),
        ("cross_gated", CrossLayerParams(num_layers=2, diag_scale=0.4, preactivation="tanh")),
        ("cross_gated", CrossLayerParams(use_bias=False, structure="parallel", deep_units=(4, 3))),
        ("cross_mix", CrossMixParams(num_layers=2)),
        ("cross_mix", CrossMixParams(num_experts=1, activation="relu", use_bias=False)),
        ("cross_mix", CrossMixParams(projection_dim=5, structure="stacked", deep_units=(4,))),
        ("dense", DenseParams()),
        ("dense", DenseParams(units=(MAX_DENSE_WIDTH, 5), activation="gelu")),
    ],
)
def test_network_gives_by_feature_what_keras_gives_by_row(
    kind: str, architecture: Any, num_numbers: int, tables: Any
) -> None:
    check(network(kind, architecture, num_numbers=num_numbers, tables=tables), num_numbers, tables)


def test_low_rank_cross_layers_are_the_same_by_feature() -> None:
    for kind in ("cross_layer", "cross_gated"):
        check(network(kind, CrossLayerParams(num_layers=2, projection_dim=2), num_numbers=6), 6)


def activations() -> list[str]:
    public = [getattr(tf_keras.activations, name) for name in dir(tf_keras.activations) if not name.startswith("_")]
    return sorted(f.__name__ for f in public if callable(f) and f.__name__ not in ("get", "serialize", "deserialize"))


@pytest.mark.parametrize("name", activations())
def test_each_activation_of_keras_is_the_same_by_feature_or_left_to_keras(name: str) -> None:
    cross = network("cross_layer", CrossLayerParams(preactivation=name))
    dense = network("dense", DenseParams(units=(4,), activation=name))
    mix = network("cross_mix", CrossMixParams(activation=name))
    for made in (cross, dense, mix):
        if "softmax" in name:  # it looks across the features
            assert by_feature(made) is None
        else:
            check(made)


def test_reference_and_wide_dense_networks_are_left_to_their_libraries() -> None:
    assert by_feature(network("tfrs_cross", CrossLayerParams())) is None
    assert by_feature(network("dense", DenseParams(units=(MAX_DENSE_WIDTH + 1,)))) is None


def test_members_are_left_to_keras() -> None:
    x0 = tf_keras.Input((3,))
    assert by_feature(tf_keras.Model(x0, CrossLayer(members=2)(x0))) is None


def test_small_weights_are_constants_and_large_ones_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made = network("cross_layer", CrossLayerParams(), tables=[(5000, 2)])
    signature = [tf.TensorSpec([3, None], tf.float32), tf.TensorSpec([1, None], tf.int64)]

    def reads() -> int:
        model = by_feature(made)
        assert model is not None
        graph = tf.function(lambda *parts: call(model, parts)).get_concrete_function(*signature).graph
        return sum(op.type in ("ReadVariableOp", "ResourceGather") for op in graph.get_operations())

    assert reads() == 0
    monkeypatch.setattr(module, "MAX_CONSTANT_BYTES", 5000 * 2 * 4 - 1)
    assert reads() == 1
    check(made, 3, [(5000, 2)])


def test_networks_of_another_wiring_are_followed_or_left_to_keras() -> None:
    x0 = tf_keras.Input((3,))
    deep = tf_keras.layers.Dense(4, "tanh")(x0)
    again = tf_keras.layers.Dense(2, use_bias=False)(tf_keras.layers.Concatenate()([deep, x0]))
    output = tf_keras.layers.Dense(1)(tf_keras.layers.Concatenate()([CrossLayer()(x0, x0), again, deep]))
    check(tf_keras.Model(x0, output))
    residual = tf_keras.layers.Add()([x0, tf_keras.layers.Dense(3)(x0)])
    assert by_feature(tf_keras.Model(x0, tf_keras.layers.Dense(1)(residual))) is None


def test_bins_of_numbers_are_the_same_by_feature() -> None:
    x0 = tf_keras.Input((3,))
    bins = PiecewiseLinear([(-1.0, 0.0, 1.0), (), (-2.0, 2.0)], 2)(x0)
    made = tf_keras.Model(x0, tf_keras.layers.Dense(1)(tf_keras.layers.Concatenate()([x0, bins])))
    made.set_weights([np.random.default_rng(8).normal(0, 1, weight.shape) for weight in made.get_weights()])
    check(made)


def test_networks_side_by_side_are_left_to_keras() -> None:
    x0 = tf_keras.Input((2,))
    output = PiecewiseLinear([(-1.0, 0.0), ()], 1, members=2)(x0)
    assert by_feature(tf_keras.Model(x0, output)) is None
