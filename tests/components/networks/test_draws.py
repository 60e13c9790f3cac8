from __future__ import annotations

import numpy as np
import tensorflow as tf
import tf_keras

from crossnet.components.networks.draws import draw


def test_matrix_is_drawn_as_keras_draws_it() -> None:
    glorot = tf_keras.initializers.GlorotUniform(seed=7)
    np.testing.assert_array_equal(draw(glorot, (3, 4), "float32"), tf_keras.initializers.GlorotUniform(seed=7)((3, 4)))


def test_each_matrix_of_a_stack_is_drawn_from_the_next_seed() -> None:
    drawn = draw(tf_keras.initializers.GlorotUniform(seed=7), (2, 3, 5, 4), "float64")
    assert drawn.shape == (2, 3, 5, 4)
    for i, matrix in enumerate(tf.reshape(drawn, (6, 5, 4))):
        np.testing.assert_array_equal(matrix, tf_keras.initializers.GlorotUniform(seed=7 + i)((5, 4), "float64"))


def test_stack_without_a_seed_and_by_a_function_is_drawn_too() -> None:
    drawn = draw(tf_keras.initializers.HeNormal(), (3, 5, 4), "float32").numpy()
    assert len({matrix.tobytes() for matrix in drawn}) == 3
    np.testing.assert_array_equal(
        draw(lambda shape, dtype: tf.ones(shape, dtype), (3, 2, 2), "float32"), np.ones((3, 2, 2))
    )
