from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.evaluation.crossings import CrossWeights, cross_layers, first_layer, strengths
from crossnet.components.networks.cross_gated import CrossGated
from crossnet.components.networks.cross_mix import CrossMix
from crossnet.components.networks.layers import CrossLayer


def test_cross_layers_multiply_low_rank_kernels():
    u, v, bias = np.array([[1.0], [2.0]]), np.array([[3.0, 4.0]]), np.array([5.0, 6.0])
    network = {"num_layers": 1, "projection_dim": 1, "use_bias": True, "diag_scale": 0.1}
    (layer,), rest = cross_layers([u, v, bias, np.ones((2, 1)), np.zeros(1)], network)
    np.testing.assert_array_equal(layer.kernel, [[3, 4], [6, 8]])
    assert (layer.bias.tolist(), layer.diag_scale, len(rest)) == ([5, 6], 0.1, 2)
    (layer,), rest = cross_layers([u @ v, np.ones((2, 1))], network | {"projection_dim": None, "use_bias": False})
    assert (layer.bias.tolist(), len(rest)) == ([0, 0], 1)


def test_strengths_are_norms_of_blocks():
    kernel = np.array([[3.0, 4.0, 1.0], [0.0, 0.0, 0.0], [2.0, 0.0, 5.0]])
    layer = CrossWeights(kernel, np.zeros(3), 0.0)
    assert strengths(layer, [2, 1]).tolist() == [[5.0, 1.0], [2.0, 5.0]]


LAYERS = {
    "cross_layer": (CrossLayer, {"projection_dim": 1, "diag_scale": 0.3}),
    "cross_gated": (CrossGated, {"projection_dim": 2, "diag_scale": 0.3}),
    "cross_gated without a bias": (CrossGated, {"projection_dim": None, "use_bias": False}),
    "cross_mix": (CrossMix, {"projection_dim": 3, "num_experts": 3}),
    "cross_mix of one expert": (CrossMix, {"projection_dim": 1, "num_experts": 1}),
}


@pytest.mark.parametrize("case", LAYERS)
def test_kernel_of_a_first_layer_is_how_its_factor_changes_around_the_mean_row(case: str) -> None:
    made, arguments = LAYERS[case]
    layer = made(**arguments, dtype="float64")
    layer.build((None, 4))
    random = np.random.default_rng(3)
    weights = [random.normal(size=weight.shape) for weight in layer.get_weights()]
    layer.set_weights(weights)
    network: dict[str, Any] = {"kind": case.split()[0], "num_layers": 1, "use_bias": True, "diag_scale": 0.0}
    found = first_layer([*weights, np.ones((4, 1)), np.ones(1)], network | arguments)
    mean_row = tf.zeros((1, 4), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(mean_row)
        factor = layer(tf.ones((1, 4), tf.float64), mean_row) - mean_row
    slopes = tape.jacobian(factor, mean_row)[0, :, 0, :]  # [to, from]
    np.testing.assert_allclose(found.kernel + found.diag_scale * np.eye(4), tf.transpose(slopes), rtol=1e-9, atol=1e-12)
