from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from crossnet.components.networks.piecewise import PiecewiseLinear

EDGES = ((0.0, 1.0, 3.0), (), (-1.0, 1.0))
NUMBERS = np.float32([[0.5, 9.0, 0.0], [2.0, 9.0, -5.0], [7.0, 9.0, 0.5]])


def layer(members: int | None = None) -> PiecewiseLinear:
    made = PiecewiseLinear(EDGES, 2, members=members)
    made.build((None, 3))
    kernel = np.float32([[[1, 10], [2, 20]], [[4, -4], [99, 99]]])  # the padded bin's weights play no part
    bias = np.float32([0.0, 1.0, 0.0, 2.0])
    if members:
        kernel = np.stack([kernel * (k + 1) for k in range(members)])
        bias = np.stack([bias * (k + 1) for k in range(members)])
    made.set_weights([kernel, bias])
    return made


def test_numbers_are_embedded_as_on_paper() -> None:
    # 0.5 fills half of [0, 1]; 2 fills it and half of [1, 3]; 7 fills both. 0 is the middle of [-1, 1], -5 before it.
    expected = [[0.5, 6.0, 2.0, 0.0], [2.0, 21.0, 0.0, 2.0], [3.0, 31.0, 3.0, -1.0]]
    np.testing.assert_allclose(layer()(NUMBERS), expected)


def test_shares_of_bins_are_continuous_and_constant_outside() -> None:
    x = np.linspace(-3, 6, 901, dtype=np.float32)
    shares = layer().shares(tf.constant([x, x, x])).numpy()
    assert shares.shape == (2, 2, 901)
    assert np.abs(np.diff(shares, axis=-1)).max() <= 0.0101
    np.testing.assert_array_equal(shares[0, :, [0, 900]], [[0, 0], [1, 1]])
    np.testing.assert_array_equal(shares[1, 1], 0)


def test_what_is_not_a_number_stays_so() -> None:
    assert np.isnan(layer()(np.float32([[np.nan, 0.0, 0.0]])).numpy()[0, :2]).all()


@pytest.mark.parametrize("rows", [NUMBERS, np.stack([NUMBERS, NUMBERS])], ids=["shared rows", "rows of their own"])
def test_members_have_weights_of_their_own(rows: Any) -> None:
    found = layer(members=2)(rows).numpy()
    alone = layer()(NUMBERS).numpy()
    np.testing.assert_allclose(found, [alone, 2 * alone])


def test_layer_is_trained_saved_and_loaded(tmp_path: Path) -> None:
    inputs = tf_keras.Input((3,))
    model = tf_keras.Model(inputs, PiecewiseLinear(EDGES, 2)(inputs))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(NUMBERS))
    gradient, _ = tape.gradient(loss, model.trainable_variables)
    np.testing.assert_allclose(gradient.numpy()[:, :, 0], [[2.5, 1.5], [1.25, 0.0]])
    model.save(tmp_path / "model.keras")
    again = tf_keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(NUMBERS), model(NUMBERS))


def test_first_weights_are_as_large_as_the_bins_allow() -> None:
    made = PiecewiseLinear([range(17)] * 50, 4)
    made.build((None, 50))
    assert 0.24 < np.abs(made.kernel).max() <= 0.25
    np.testing.assert_array_equal(made.bias, 0)


@pytest.mark.parametrize(
    ("edges", "dim", "members", "sentence"),
    [
        ([(), ()], 1, None, "at least one number must have two edges"),
        ([(1.0,)], 1, None, r"The edges of number 0 must be two or more that ascend. Received \[1.0\]"),
        ([(1.0, 1.0)], 1, None, "must be two or more that ascend"),
        ([(0.0, 1.0)], 0, None, "must be at least 1. Received 0"),
        ([(0.0, 1.0)], 1, 0, "must be at least 1. Received 1 and 0"),
    ],
)
def test_senseless_arguments_are_refused(edges: Any, dim: int, members: int | None, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PiecewiseLinear(edges, dim, members)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="There are edges for 3 numbers. Received 2"):
        PiecewiseLinear(EDGES, 2)(np.zeros((1, 2), np.float32))
