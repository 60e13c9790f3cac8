"""The loop inside one TensorFlow call, against updates that NumPy makes by hand. `fit` is compared with Keras."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tf_keras

from crossnet.components.training.epoch import EpochLoop
from crossnet.components.training.optimizers import Optimizer
from crossnet.components.training.rows import Rows

RATE = 0.1


def linear(dtype: str = "float64", regularizer: Any = None) -> tf_keras.Model:
    inputs = tf_keras.Input((2,), dtype=dtype)
    outputs = tf_keras.layers.Dense(1, dtype=dtype, kernel_initializer="ones", kernel_regularizer=regularizer)(inputs)
    return tf_keras.Model(inputs, outputs)


def rows(count: int, chunk: int = 0) -> Rows:
    random = np.random.default_rng(1)
    return Rows((random.normal(size=(count, 2)),), random.normal(size=count), chunk or count)


def loop(network: tf_keras.Model, batch_size: int) -> EpochLoop:
    return EpochLoop(network, Optimizer("sgd", network.trainable_variables), batch_size)


def by_hand(data: Rows, order: Any, batch_size: int, penalty: float = 0.0) -> tuple[list[float], Any]:
    """Returns the losses and the weights (kernel, then bias) after one epoch of gradient descent."""
    x, y = data.inputs[0][order], data.label[order]
    kernel, bias, losses = np.ones(2), 0.0, []
    for first in range(0, len(y), batch_size):
        part = x[first : first + batch_size]
        errors = part @ kernel + bias - y[first : first + batch_size]
        losses.append(float(np.mean(errors**2)))
        kernel = kernel - RATE * (2 * part.T @ errors / len(errors) + 2 * penalty * kernel)
        bias = bias - RATE * 2 * np.mean(errors)
    return losses, np.array([*kernel, bias])


def weights(network: tf_keras.Model) -> Any:
    return np.concatenate([weight.ravel() for weight in network.get_weights()])


@pytest.mark.parametrize(("count", "batch_size"), [(12, 4), (14, 4), (3, 4), (5, 1)])
@pytest.mark.parametrize("chunk", [0, 8])  # in memory, or handed over in pieces
def test_epoch_makes_one_update_per_batch_and_returns_the_losses_before_them(
    count: int, batch_size: int, chunk: int
) -> None:
    data, network = rows(count, chunk), linear()
    losses, expected = by_hand(data, np.arange(count), batch_size)
    found = loop(network, batch_size).run(data, np.full(len(losses), RATE))
    np.testing.assert_allclose(found, losses, rtol=1e-12)
    np.testing.assert_allclose(weights(network), expected, rtol=1e-12)


def test_epoch_takes_rows_in_the_order_that_it_is_given() -> None:
    data, network, order = rows(10), linear(), np.random.default_rng(2).permutation(10)
    losses, expected = by_hand(data, order, 4)
    np.testing.assert_allclose(loop(network, 4).run(data, np.full(3, RATE), order), losses, rtol=1e-12)
    np.testing.assert_allclose(weights(network), expected, rtol=1e-12)


def test_each_update_has_its_own_step_size() -> None:
    data, network = rows(8), linear()
    _, expected = by_hand(data, np.arange(4), 4)
    loop(network, 4).run(data, np.array([RATE, 0.0]))
    np.testing.assert_allclose(weights(network), expected, rtol=1e-12)


def test_penalty_of_a_regularizer_changes_the_update_and_not_the_loss() -> None:
    data, network = rows(4), linear(regularizer=tf_keras.regularizers.L2(0.5))
    losses, expected = by_hand(data, np.arange(4), 4, penalty=0.5)
    np.testing.assert_allclose(loop(network, 4).run(data, np.array([RATE])), losses, rtol=1e-12)
    np.testing.assert_allclose(weights(network), expected, rtol=1e-12)


@pytest.mark.parametrize("chunk", [0, 4])
def test_epoch_ends_with_the_first_loss_that_is_not_finite(chunk: int) -> None:
    data, network = rows(16, chunk), linear()
    data.label[6] = np.nan  # in the second of four batches
    (first, _), _ = by_hand(data, np.arange(8), 4)
    losses = loop(network, 4).run(data, np.full(4, RATE))
    assert losses.tolist() == [pytest.approx(first), pytest.approx(np.nan, nan_ok=True)]


def test_second_epoch_over_the_same_rows_goes_on_from_the_first() -> None:
    data, network = rows(8), linear()
    both = loop(network, 8)
    first, second = both.run(data, np.array([RATE])), both.run(data, np.array([RATE]))
    assert second[0] < first[0]
    other = rows(8)
    other.label[:] = 0.0
    expected = np.mean((other.inputs[0] @ weights(network)[:2] + weights(network)[2]) ** 2)
    assert both.run(other, np.array([RATE]))[0] == pytest.approx(expected)  # and sees that these rows are others


def test_mean_squared_error_is_that_of_all_rows_whatever_the_pieces() -> None:
    data = rows(25_000, chunk=10_000)
    expected = np.mean((data.inputs[0].sum(axis=1) - data.label) ** 2)
    assert loop(linear(), 7).mean_squared_error(data) == pytest.approx(expected, rel=1e-12)


def test_network_of_several_inputs_gets_them_all() -> None:
    parts = [tf_keras.Input((1,), dtype="float64"), tf_keras.Input((1,), dtype="float64")]
    joined = tf_keras.layers.Concatenate(dtype="float64")(parts)
    network = tf_keras.Model(parts, tf_keras.layers.Dense(1, dtype="float64", kernel_initializer="ones")(joined))
    data = rows(6)
    losses, expected = by_hand(data, np.arange(6), 4)
    split = Rows((data.inputs[0][:, :1], data.inputs[0][:, 1:]), data.label, 6)
    np.testing.assert_allclose(loop(network, 4).run(split, np.full(2, RATE)), losses, rtol=1e-12)
    np.testing.assert_allclose(weights(network), expected, rtol=1e-12)


def test_mean_squared_error_does_not_depend_on_what_is_handed_over_at_once() -> None:
    made = loop(linear(), 32)
    for count in range(25_000, 75_000, 10_000):
        assert made.mean_squared_error(rows(count)) == made.mean_squared_error(rows(count, chunk=10_000))


def weighed(data: Rows, *weight: float) -> Rows:
    made = np.array(weight)
    return dataclasses.replace(data, weight=(made / made.mean()).astype(np.float32))


@pytest.mark.parametrize("chunk", [0, 2])
def test_a_row_of_weight_two_counts_as_the_row_twice(chunk: int) -> None:
    data, network = rows(3), linear()
    losses, expected = by_hand(data, [0, 0, 1, 2], 4)
    data = dataclasses.replace(weighed(data, 2, 1, 1), chunk=chunk or 3)
    np.testing.assert_allclose(loop(network, 3).run(data, np.array([RATE])), losses, rtol=1e-6)
    np.testing.assert_allclose(weights(network), expected, rtol=1e-6)


def test_each_batch_counts_by_the_weight_of_its_rows() -> None:
    data, network = weighed(rows(4), 3, 1, 0.5, 0.5), linear()  # 1.25 in the mean
    (x,), y = data.inputs, data.label
    slow = 1e-9  # so that the second batch sees the weights of the first
    losses = loop(network, 2).run(data, np.array([slow, slow]))
    errors = x @ np.ones(2) - y
    np.testing.assert_allclose(losses, [np.average(errors[:2] ** 2, weights=[3, 1]), np.mean(errors[2:] ** 2)])
    slopes = 2 * x.T @ (errors * [3, 1, 0.5, 0.5]) / 1.25 / 2
    np.testing.assert_allclose((1 - weights(network)[:2]) / slow, slopes, rtol=1e-4)
    np.testing.assert_allclose(data.batch_weights(2), [3.2, 0.8])
    np.testing.assert_allclose(data.batch_weights(3, np.array([3, 2, 1, 0])), [1.6, 2.4])
    assert rows(7).batch_weights(3).tolist() == [3, 3, 1]


def test_members_learn_and_are_validated_by_weight() -> None:
    """Member 0 holds out rows 0 and 1, member 1 rows 2 and 3."""
    inputs = tf_keras.Input((2,), dtype="float64")
    layer = tf_keras.layers.Dense(2, dtype="float64", kernel_initializer="ones", use_bias=False)
    network = tf_keras.Model(inputs, layer(inputs))
    data = weighed(rows(4), 3, 1, 1, 3)
    data.fold = np.array([0, 0, 1, 1], np.int32)
    made = EpochLoop(network, Optimizer("sgd", network.trainable_variables), 4, held_out=[0, 1])
    (x,), errors = data.inputs, data.inputs[0].sum(axis=1) - data.label
    squares, heavy = errors**2, np.array([3, 1, 1, 3])
    expected = [np.average(squares[:2], weights=[3, 1]), np.average(squares[2:], weights=[1, 3])]
    np.testing.assert_allclose(made.validation_errors(data), expected)
    np.testing.assert_allclose(made.mean_squared_error(data), np.average(squares, weights=heavy))
    np.testing.assert_allclose(made.run(data, np.array([RATE])), [np.average(squares, weights=heavy)])
    steps = [2 * x[part].T @ (errors * heavy)[part] / 8 for part in (slice(2, 4), slice(0, 2))]
    np.testing.assert_allclose(layer.get_weights()[0], 1 - RATE * np.transpose(steps))


def test_validation_looks_at_no_row_that_no_member_holds_out() -> None:
    inputs = tf_keras.Input((2,), dtype="float64")
    network = tf_keras.Model(inputs, tf_keras.layers.Dense(1, dtype="float64", kernel_initializer="ones")(inputs))
    data = rows(6)
    data.fold = np.array([0, 1, 2, 0, 1, 2], np.int32)
    expected = np.mean(np.square(data.inputs[0].sum(axis=1) - data.label)[[1, 4]])
    data.inputs[0][[0, 2, 3, 5]] = np.nan  # nothing times zero would be NaN
    made = EpochLoop(network, Optimizer("sgd", network.trainable_variables), 4, held_out=[1])
    np.testing.assert_allclose(made.validation_errors(data), [expected])


@pytest.mark.parametrize("count", [8, 9, 11, 3, 1])  # of batches of 4: the last holds 4, 1, 3, 3 and 1
@pytest.mark.parametrize("heavy", [False, True])
def test_rows_that_fill_the_last_batch_up_change_no_update(count: int, heavy: bool) -> None:
    network, data = linear(), rows(count, chunk=100)
    data.weight = np.linspace(0.5, 1.5, count).astype(np.float32) if heavy else None
    data.fold = (np.arange(count) % 3).astype(np.int32)
    made = EpochLoop(network, Optimizer("sgd", network.trainable_variables), 4, held_out=[1])
    found = made.run(data, np.full(-(-count // 4), RATE))
    kernel, bias, losses = np.ones(2), 0.0, []
    counts = np.ones(count) if data.weight is None else data.weight.astype(np.float64)
    for first in range(0, count, 4):
        batch = np.arange(first, min(first + 4, count))
        learned = batch[data.fold[batch] != 1]
        x, factor = data.inputs[0][learned], counts[learned]
        errors = x @ kernel + bias - data.label[learned]
        losses.append(np.average(errors**2, weights=factor))
        kernel = kernel - RATE * 2 * x.T @ (factor * errors) / len(batch)
        bias -= RATE * 2 * np.sum(factor * errors) / len(batch)
    np.testing.assert_allclose(found, losses, rtol=1e-12)
    np.testing.assert_allclose(weights(network), [*kernel, bias], rtol=1e-12)
    assert made._updates.experimental_get_tracing_count() == 1
