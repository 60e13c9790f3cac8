from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.networks.cross_gated import CrossGated
from crossnet.components.networks.layers import CrossLayer


def test_gated_multiplies_as_on_paper() -> None:
    layer = CrossGated()
    layer.build((None, 2))
    layer.set_weights([np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([0.0, 1.0]), np.array([[0.0, 0.0], [0.0, 50.0]])])
    x0, x = tf.constant([[2.0, 3.0]]), tf.constant([[4.0, 1.0]])
    # The first gate is half open, the second one open.
    np.testing.assert_allclose(layer(x0, x), [[2 * (4 + 1) / 2 + 4, 3 * (2 + 1) + 1]], rtol=1e-6)
    np.testing.assert_allclose(layer(x0, -x), [[2 * -5 / 2 - 4, -1]], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "arguments", [{}, {"projection_dim": 2, "diag_scale": 0.3, "preactivation": "tanh"}, {"use_bias": False}]
)
def test_gated_with_a_gate_of_one_half_adds_half_of_what_a_cross_layer_adds(arguments: Any) -> None:
    random = np.random.default_rng(4)
    gated, cross = CrossGated(**arguments, dtype="float64"), CrossLayer(**arguments, dtype="float64")
    for layer in (gated, cross):
        layer.build((None, 5))
    weights = [random.normal(size=weight.shape) for weight in cross.get_weights()]
    cross.set_weights(weights)
    kernels = len(weights) - cross.use_bias
    gates = [np.zeros(weight.shape) for weight in weights[:kernels]]
    gated.set_weights([*weights, *gates])
    x0, x = random.normal(size=(2, 7, 5))
    np.testing.assert_allclose(gated(x0, x) - x, (cross(x0, x) - x) / 2, rtol=1e-12)


def test_gated_equals_its_formula_row_by_row() -> None:
    random = np.random.default_rng(4)
    layer = CrossGated(2, dtype="float64")
    layer.build((None, 5))
    u, v, bias, gate_u, gate_v = weights = [random.normal(size=weight.shape) for weight in layer.get_weights()]
    layer.set_weights(weights)
    x0, x = random.normal(size=(2, 7, 5))
    rows = [
        one0 * (v.T @ (u.T @ one) + bias) / (1 + np.exp(-(gate_v.T @ (gate_u.T @ one)))) + one
        for one0, one in zip(x0, x, strict=True)
    ]
    np.testing.assert_allclose(layer(x0, x), rows, rtol=1e-12)


def test_gated_refuses_a_rank_that_saves_nothing() -> None:
    with pytest.raises(ValueError, match=r"`projection_dim` must be at most half the features' width"):
        CrossGated(projection_dim=3).build((None, 5))
