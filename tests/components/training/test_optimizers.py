from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from crossnet.components.params.trainer import OPTIMIZERS
from crossnet.components.training.optimizers import Optimizer


def keras(name: str, **config: Any) -> tf_keras.optimizers.Optimizer:
    if name == "adamw":  # has no name that Keras looks up
        return tf_keras.optimizers.AdamW(**config)
    return tf_keras.optimizers.get({"class_name": name, "config": config})


# Keras takes its constants through float32, the kernels do not: that much differs.
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_makes_the_updates_of_keras(name: str, dtype: str) -> None:
    random = np.random.default_rng(1)
    rates = (0.3 * (1 + np.cos(np.arange(30) / 10))).astype(np.float32)
    theirs = keras(name)
    start = random.normal(size=(4, 3))
    reference, variable = tf.Variable(start, dtype=dtype), tf.Variable(start, dtype=dtype)
    ours = Optimizer(name, [variable])
    for rate, size in zip(rates, ours.step_sizes(rates.astype(np.float64), 0), strict=True):
        gradient = tf.constant(random.normal(size=(4, 3)), dtype)
        theirs.learning_rate = rate
        theirs.apply_gradients([(gradient, reference)])
        ours.apply([gradient], tf.constant(size, dtype))
    np.testing.assert_allclose(variable, reference, rtol=3e-5, atol=3e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_treats_rows_of_an_embedding_as_keras_does(name: str) -> None:
    theirs = keras(name, learning_rate=0.125)
    reference, variable = tf.Variable(tf.ones([3, 2], tf.float64)), tf.Variable(tf.ones([3, 2], tf.float64))
    ours = Optimizer(name, [variable])
    for size in ours.step_sizes(np.full(5, 0.125), 0):
        gradient = tf.IndexedSlices(tf.ones([2, 2], tf.float64), tf.constant([2, 2]), tf.constant([3, 2]))
        theirs.apply_gradients([(gradient, reference)])
        ours.apply([gradient], tf.constant(size, tf.float64))
    np.testing.assert_allclose(variable, reference, atol=5e-6)


def test_adam_step_sizes_go_on_from_the_first_update_asked_for() -> None:
    optimizer = Optimizer("adam", [tf.Variable([1.0])])
    rates = np.linspace(1, 2, 10)
    np.testing.assert_array_equal(optimizer.step_sizes(rates, 0)[4:], optimizer.step_sizes(rates[4:], 4))


def test_weight_decay_is_that_of_each_member_and_spares_a_bias() -> None:
    kernel, bias = tf.Variable(tf.ones([2, 1, 1])), tf.Variable(tf.ones([2, 1, 1]), name="dense/bias")
    optimizer = Optimizer("adamw", [kernel, bias], weight_decay=np.array([0.5, 2.0]))
    nothing = [tf.zeros([2, 1, 1]), tf.zeros([2, 1, 1])]  # no gradient: what is left is the decay
    for size in optimizer.step_sizes(np.full(2, 0.1), 0):
        optimizer.apply(nothing, tf.constant(size, tf.float32))
    np.testing.assert_allclose(kernel.numpy().ravel(), [0.95**2, 0.8**2], rtol=1e-6)
    np.testing.assert_array_equal(bias, tf.ones([2, 1, 1]))
