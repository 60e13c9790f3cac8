from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from crossnet.components.networks.cross_mix import CrossMix


def softmax(values: Any) -> Any:
    exponentials = np.exp(values - np.max(values))
    return exponentials / exponentials.sum()


def by_the_paper(x0: Any, x: Any, v: Any, c: Any, u: Any, gate: Any, bias: Any) -> Any:
    """Equations 3 and 4 of DCN-v2, row by row and expert by expert; the bias is inside each expert, as there."""
    rows = []
    for one0, one in zip(x0, x, strict=True):
        shares = softmax([one @ gate[:, k] for k in range(len(v))])
        inner = [np.tanh(c[k].T @ np.tanh(v[k].T @ one)) for k in range(len(v))]
        experts = [one0 * (u[k].T @ inner[k] + bias) for k in range(len(v))]
        rows.append(sum(share * expert for share, expert in zip(shares, experts, strict=True)) + one)
    return np.array(rows)


def test_mix_multiplies_as_on_paper() -> None:
    layer = CrossMix(1, num_experts=2, activation=None)
    layer.build((None, 2))
    experts = [[[[1.0], [1.0]], [[1.0], [0.0]]], [[[2.0]], [[10.0]]], [[[1.0, 0.0]], [[0.0, 1.0]]]]
    layer.set_weights([np.array(one) for one in (*experts, np.zeros((2, 2)), np.array([1.0, 0.5]))])
    x0, x = tf.constant([[2.0, 3.0]]), tf.constant([[4.0, 1.0]])
    # The experts give 2 (4 + 1) and 10 * 4, to one output each; half of each counts.
    np.testing.assert_allclose(layer(x0, x), [[2 * (5 + 1) + 4, 3 * (20 + 0.5) + 1]], rtol=1e-6)


def test_gate_says_row_by_row_which_expert_counts() -> None:
    layer = CrossMix(1, num_experts=2, activation=None, use_bias=False)
    layer.build((None, 1))
    layer.set_weights([np.ones((2, 1, 1)), np.array([[[1.0]], [[5.0]]]), np.ones((2, 1, 1)), np.array([[0.0, 50.0]])])
    np.testing.assert_allclose(layer(np.array([[1.0], [-1.0]])), [[5 + 1], [1 - 1]], atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
def test_mix_equals_the_equations_of_the_paper_row_by_row(dtype: str, tolerance: float) -> None:
    random = np.random.default_rng(8)
    layer = CrossMix(2, num_experts=3, dtype=dtype)
    layer.build((None, 5))
    weights = [random.normal(0, 0.5, weight.shape) for weight in layer.get_weights()]
    layer.set_weights(weights)
    x0, x = random.normal(size=(2, 7, 5))
    np.testing.assert_allclose(layer(x0, x), by_the_paper(x0, x, *weights), rtol=0, atol=tolerance)


def test_mix_of_one_expert_has_no_gate() -> None:
    layer = CrossMix(2, num_experts=1)
    layer.build((None, 4))
    assert [weight.shape for weight in layer.get_weights()] == [(1, 4, 2), (1, 2, 2), (1, 2, 4), (4,)]


@pytest.mark.parametrize(("width", "rank"), [(1, 1), (3, 2), (6, 3), (200, 32)])
def test_rank_is_half_the_width_unless_given(width: int, rank: int) -> None:
    layer = CrossMix()
    layer.build((None, width))
    shapes = [(4, width, rank), (4, rank, rank), (4, rank, width), (width, 4), (width,)]
    assert [weight.shape for weight in layer.get_weights()] == shapes


def test_experts_of_an_initializer_with_a_seed_differ_and_are_spread_as_one_matrix_is() -> None:
    layer = CrossMix(30, kernel_initializer=tf_keras.initializers.GlorotUniform(seed=3))
    layer.build((None, 40))
    assert len({expert.tobytes() for expert in layer.kernel_v.numpy()}) == 4
    limit = (6 / (40 + 30)) ** 0.5
    assert 0.95 * limit < np.abs(layer.kernel_v).max() <= limit


def test_training_moves_every_weight() -> None:
    layer = CrossMix(2, num_experts=3, kernel_initializer="glorot_uniform")
    x = tf.constant(np.random.default_rng(1).normal(size=(8, 4)), tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(x, x)))
    assert all(tf.reduce_any(gradient != 0) for gradient in tape.gradient(loss, layer.trainable_weights))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"projection_dim": 0},
            r"`projection_dim` must be a whole number of at least 1\. Received 0\. Use None for half",
        ),
        ({"num_experts": 0}, r"`num_experts` must be a whole number of at least 1\. Received 0\. Use 1 for no mixture"),
        ({"num_experts": 1.5}, r"`num_experts` must be a whole number .* Received 1\.5"),
        ({"num_experts": None}, r"`num_experts` must be a whole number .* Received None"),
    ],
)
def test_counts_that_are_not_whole_numbers_of_at_least_one_are_refused(arguments: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        CrossMix(**arguments)
