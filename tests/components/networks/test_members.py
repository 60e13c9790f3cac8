from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tf_keras

from crossnet.components.networks.members import JoinMembers, MemberDense, MembersLast
from crossnet.components.networks.models import build_network, initialize
from crossnet.components.params.networks import CrossLayerParams, CrossMixParams, DenseParams

RANDOM = np.random.default_rng(1)
KINDS: dict[str, Any] = {
    "cross_layer": CrossLayerParams(structure="parallel", deep_units=(5,), projection_dim=2),
    "cross_gated": CrossLayerParams(structure="stacked", deep_units=(5,)),
    "cross_mix": CrossMixParams(num_experts=2),
    "dense": DenseParams(units=(4, 4)),
}
INPUTS: dict[str, Any] = {"num_numbers": 2, "tables": [(3, 2)], "edges": [(0.0, 1.0, 2.0), ()], "number_dim": 2}


@pytest.mark.parametrize("shared", [True, False])
def test_each_member_computes_its_own_dense_layer(shared: bool) -> None:
    layer = MemberDense(2, members=3, activation="relu")
    x = RANDOM.normal(size=(4, 5) if shared else (3, 4, 5)).astype(np.float32)
    output = layer(x).numpy()
    layer.bias.assign(RANDOM.normal(size=(3, 2)))
    output = layer(x).numpy()
    for member in range(3):
        own = x if shared else x[member]
        expected = np.maximum(own @ layer.kernel[member].numpy() + layer.bias[member].numpy(), 0)
        np.testing.assert_allclose(output[member], expected, rtol=1e-5, atol=1e-6)


def test_shared_and_own_inputs_are_joined() -> None:
    shared, own = np.ones((4, 2), np.float32), np.zeros((3, 4, 1), np.float32)
    joined = JoinMembers(3)([shared, own]).numpy()
    assert joined.tolist() == [[[1.0, 1.0, 0.0]] * 4] * 3
    assert MembersLast()(joined[:, :, :1]).shape == (4, 3)


@pytest.mark.parametrize("layer", [MemberDense(2, 3, "relu"), JoinMembers(3), MembersLast()])
def test_layers_are_made_again_from_their_config(layer: Any) -> None:
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_networks_of_their_own_side_by_side(kind: str) -> None:
    several = build_network(kind, KINDS[kind], members=3, **INPUTS)
    initialize(several, seed=1)
    inputs = [RANDOM.uniform(0, 2, (6, 2)).astype(np.float32), RANDOM.integers(0, 3, (6, 1))]
    outputs = several(inputs).numpy()
    assert outputs.shape == (6, 3)
    assert len(np.unique(outputs[0])) == 3  # drawn on their own
    one = build_network(kind, KINDS[kind], **INPUTS)
    for member in range(3):
        for variable, weight in zip(one.trainable_variables, several.trainable_variables, strict=True):
            assert variable.name.split("/")[0] == weight.name.split("/")[0]
            variable.assign(weight[member])
        np.testing.assert_allclose(outputs[:, member], one(inputs).numpy()[:, 0], rtol=1e-4, atol=1e-5)
        tf_keras.backend.clear_session()


def test_members_have_no_bias_at_first() -> None:
    network = build_network("dense", KINDS["dense"], members=3, **INPUTS)
    initialize(network, seed=1)
    biases = [variable for variable in network.trainable_variables if "bias" in variable.name]
    assert len(biases) == 4
    assert not any(np.any(bias.numpy()) for bias in biases)
