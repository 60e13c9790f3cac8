from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.networks.cross_inputs import check_pair, one_shape, take
from crossnet.components.networks.layers import CrossLayer

X = np.arange(24, dtype=np.float32).reshape(6, 4) / 24


@pytest.mark.parametrize(
    ("given", "shape"),
    [(None, None), ((None, 4), (None, 4)), ([None, 4], (None, 4)), (4, (4,)), (tf.TensorShape(None), None)],
)
def test_one_shape_is_read_as_keras_gives_it(given: Any, shape: Any) -> None:
    found = one_shape(given)
    assert (None if found.rank is None else tuple(found)) == shape


def test_lists_are_told_from_tensors_by_what_they_hold() -> None:
    with pytest.raises(ValueError, match=r"`x0` must be a tensor or a NumPy array. Received a list of numbers"):
        CrossLayer()([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(ValueError, match=r"`x0` must be one tensor. Received a list of 2: give the second"):
        CrossLayer()([X, X])


def test_a_shape_that_is_not_known_is_refused() -> None:
    for layer_input in (None, tf.TensorShape(None)):
        with pytest.raises(ValueError, match="The last dimension of `x0` must be known. Received shape None"):
            CrossLayer().build(layer_input)
    with pytest.raises(ValueError, match=r"`x0` must be of shape \(batch, ..., width\). Received shape \(4,\)"):
        CrossLayer().build(4)


def test_a_tensor_of_keras_3_is_refused_with_the_library_to_take() -> None:
    with pytest.raises(ValueError, match="`x0` is a symbolic tensor of Keras 3.* Make the model with `tf_keras`"):
        CrossLayer()(keras.Input((4,)))
    with pytest.raises(ValueError, match="`x` is a symbolic tensor of Keras 3"):
        take("x", keras.Input((4,)), "float32")


def test_rows_of_one_width_are_taken_though_their_tensor_is_ragged_within_them() -> None:
    flat, nested = tf.RaggedTensor.from_tensor(X), tf.RaggedTensor.from_tensor(X.reshape(2, 3, 4), ragged_rank=2)
    layer = CrossLayer(kernel_initializer="ones")
    np.testing.assert_allclose(layer(flat, flat), layer(X), rtol=1e-6)
    np.testing.assert_allclose(layer(nested).to_tensor(), layer(X.reshape(2, 3, 4)), rtol=1e-6)


def test_a_pair_has_rows_of_the_same_lengths() -> None:
    first, second = (tf.RaggedTensor.from_row_lengths(X, lengths) for lengths in ([2, 4], [3, 3]))
    check_pair(first, first)
    with pytest.raises(tf.errors.InvalidArgumentError, match="differ in ragged dimension 1"):
        check_pair(first, second)


@pytest.mark.parametrize("diag_scale", ["1", True, [1.0], float("inf"), -1])
def test_diag_scale_is_a_number_that_is_not_negative(diag_scale: Any) -> None:
    with pytest.raises(ValueError, match="`diag_scale` must be a number, and not negative. Received"):
        CrossLayer(diag_scale=diag_scale)


def test_no_initializer_is_that_of_keras_own_layers() -> None:
    layer = CrossLayer(kernel_initializer=None)
    assert layer(X).shape == (6, 4)
    limit = np.sqrt(6 / 8)
    assert 0 < np.abs(layer.kernel).max() <= limit
    assert CrossLayer.from_config(layer.get_config())(X).shape == (6, 4)
