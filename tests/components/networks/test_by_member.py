from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from crossnet.components.networks import by_member as module
from crossnet.components.networks.by_member import MAX_ONE_HOT, by_member
from crossnet.components.networks.layers import CrossLayer
from crossnet.components.networks.models import build_network, initialize
from crossnet.components.params.networks import CrossLayerParams, CrossMixParams, DenseParams
from support.drawn_inputs import drawn_inputs

ROWS, MEMBERS, NUMBERS = 50, 3, 6
TABLES = [(5, 2), (MAX_ONE_HOT + 9, 3)]
EDGES = [(-1.0, 0.0, 1.0), (), (-2.0, 2.0), (), (), ()]


def network(kind: str, architecture: Any, *, num_numbers: int = NUMBERS, tables: Any = (), edges: Any = ()) -> Any:
    dim = 2 if edges else 0
    sizes = {"num_numbers": num_numbers, "tables": tables, "edges": edges, "number_dim": dim, "members": MEMBERS}
    made = build_network(kind, architecture, **sizes)
    initialize(made, seed=5)
    random = np.random.default_rng(6)
    for variable in made.trainable_variables:  # biases start at zero, where a mistake would not show
        is_bias = "bias" in variable.name
        variable.assign_add(random.normal(0.5 if is_bias else 0, 0.3, variable.shape))
    return made


def check(made: tf_keras.Model, num_numbers: int = NUMBERS, tables: Any = ()) -> None:
    parts = drawn_inputs(ROWS, num_numbers, tables)
    expected = made(parts if len(parts) > 1 else parts[0]).numpy()
    assert np.std(expected, axis=0).min() > 0.01
    outputs = by_member(made)
    assert outputs is not None
    found = tf.function(lambda *parts: outputs(parts))(*[tf.constant(part.T) for part in parts])
    np.testing.assert_allclose(found, expected.T, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


CASES: list[tuple[str, Any]] = [
    ("cross_layer", CrossLayerParams()),
    ("cross_layer", CrossLayerParams(num_layers=3, use_bias=False)),
    ("cross_layer", CrossLayerParams(structure="parallel", deep_units=(4, 3))),
    ("cross_layer", CrossLayerParams(num_layers=2, structure="parallel", deep_units=(4, 3))),
    ("cross_layer", CrossLayerParams(num_layers=2, structure="stacked", deep_units=(4,))),
    ("dense", DenseParams(units=(7, 5))),
]


@pytest.mark.parametrize(
    ("num_numbers", "tables", "edges"),
    [(NUMBERS, (), ()), (NUMBERS, TABLES, EDGES), (0, TABLES, ()), (1, (), [(-1.0, 1.0)])],
)
@pytest.mark.parametrize(("kind", "architecture"), CASES)
def test_members_give_one_by_one_what_keras_gives(
    kind: str, architecture: Any, num_numbers: int, tables: Any, edges: Any
) -> None:
    made = network(kind, architecture, num_numbers=num_numbers, tables=tables, edges=edges)
    check(made, num_numbers, tables)


@pytest.mark.parametrize("settings", [{}, {"num_layers": 2}, {"structure": "parallel", "deep_units": (4,)}])
def test_low_rank_cross_layers_are_the_same_member_by_member(settings: Any) -> None:
    check(network("cross_layer", CrossLayerParams(projection_dim=2, **settings)))


def test_output_of_one_cross_layer_is_that_on_paper() -> None:
    layer = CrossLayerParams(use_bias=True)
    made = build_network("cross_layer", layer, num_numbers=2, members=1)
    kernel, bias = [[[1.0, 2.0], [3.0, 4.0]]], [[10.0, 20.0]]
    made.set_weights([np.array(kernel), np.array(bias), np.array([[[1.0], [-1.0]]]), np.array([[0.5]])])
    outputs = by_member(made)
    assert outputs is not None
    # x W = (1 + 6, 2 + 8); x0 * (x W + b) + x = (1 * 17 + 1, 2 * 30 + 2); 18 - 62 + 0.5
    assert outputs([tf.constant([[1.0], [2.0]])]).numpy() == pytest.approx(np.array([[-43.5]]), rel=1e-6)


def test_members_with_other_layers_are_left_to_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [
        network("cross_gated", CrossLayerParams()),
        network("cross_mix", CrossMixParams()),
        network("cross_layer", CrossLayerParams(diag_scale=0.4)),
        network("cross_layer", CrossLayerParams(preactivation="tanh")),
        network("dense", DenseParams(units=(4,), activation="gelu")),
        build_network("dense", DenseParams(units=(4,)), num_numbers=3),
    ]
    assert [by_member(made) for made in left] == [None] * 6
    made = network("dense", DenseParams(units=(20,)))
    monkeypatch.setattr(module, "MAX_MATRIX_BYTES", NUMBERS * 20 * 4)
    assert by_member(made) is not None
    monkeypatch.setattr(module, "MAX_MATRIX_BYTES", NUMBERS * 20 * 4 - 1)
    assert by_member(made) is None


def test_networks_of_another_wiring_are_left_to_keras() -> None:
    x0 = tf_keras.Input((3,))
    assert by_member(tf_keras.Model(x0, CrossLayer(members=2)(x0))) is None


@pytest.mark.parametrize("most_constant", [0, 2**18])
def test_members_that_are_not_chosen_are_not_computed(monkeypatch: pytest.MonkeyPatch, most_constant: int) -> None:
    monkeypatch.setattr(module, "MAX_CONSTANT_BYTES", most_constant)
    made = network("cross_layer", CrossLayerParams(), tables=TABLES, edges=EDGES)
    parts = [tf.constant(part.T) for part in drawn_inputs(ROWS, NUMBERS, TABLES)]
    every, some = by_member(made), by_member(made, [0, 2])
    assert every is not None
    assert some is not None
    np.testing.assert_allclose(some(parts), every(parts).numpy()[[0, 2]], rtol=1e-6, atol=1e-6)

    def products(outputs: Any) -> int:
        graph = tf.function(lambda *parts: outputs(parts)).get_concrete_function(*parts).graph
        return sum(op.type == "MatMul" for op in graph.get_operations())

    shared = 3  # of two numbers' bins and of the table that is multiplied, for all members at once
    assert (products(some) - shared) * 3 == (products(every) - shared) * 2


def test_large_tables_are_read_and_all_else_is_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    made = network("cross_layer", CrossLayerParams(), tables=TABLES, edges=EDGES)
    signature = [tf.TensorSpec([NUMBERS, None], tf.float32), tf.TensorSpec([2, None], tf.int64)]

    def reads() -> int:
        outputs = by_member(made)
        assert outputs is not None
        graph = tf.function(lambda *parts: outputs(parts)).get_concrete_function(*signature).graph
        return sum(op.type in ("ReadVariableOp", "ResourceGather") for op in graph.get_operations())

    assert reads() == 0
    monkeypatch.setattr(module, "MAX_CONSTANT_BYTES", MEMBERS * (MAX_ONE_HOT + 9) * 3 * 4 - 1)
    assert reads() == 1
    check(made, NUMBERS, TABLES)
