"""A worker's parts of batches, and the updates that two workers make of them together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from crossnet.components.training.epoch import EpochLoop
from crossnet.components.training.optimizers import Optimizer
from crossnet.components.training.rows import Rows
from crossnet.components.training.shared_loop import SharedLoop, parts_of_batches
from crossnet.components.training.shared_rows import SharedRows
from support.meetings import share_of, sharing

ROWS = 103


def rows(*, weight: bool = False, fold: bool = False, chunk: int = 20) -> Rows:
    x = np.random.default_rng(1).random((ROWS, 2)).astype(np.float32)
    x[:, 0] = np.arange(ROWS)
    found = Rows((x,), x.sum(1), chunk)
    if weight:  # every other row of the first half weighs nothing, so that shares are unequal
        found.weight = (np.arange(ROWS) % 3 + 1).astype(np.float32)
        found.weight[: ROWS // 2 : 2] = 0
    if fold:
        found.fold = (np.arange(ROWS) % 4).astype(np.int32)
    return found


@pytest.mark.parametrize("weight", [False, True])
@pytest.mark.parametrize("window", [None, 1000, 16])
@pytest.mark.parametrize("batch_size", [1, 10, 50, 1000])
def test_parts_of_all_workers_have_each_row_once(batch_size: int, window: int | None, weight: bool) -> None:
    def work(own: SharedRows) -> Any:
        order = None if window is None else own.order(window, 3, 0)
        whole = list(parts_of_batches(own, batch_size, order))
        later = list(parts_of_batches(own, batch_size, order, first=1))
        joined = [np.concatenate([chunk.label for chunk in chunks]) for chunks in (whole, later) if chunks]
        if len(joined) == 2:
            np.testing.assert_array_equal(joined[0][1:], joined[1])  # begun at the second batch
        return [(chunk.inputs[0], chunk.label, chunk.weight) for chunk in whole]

    found = sharing(2, lambda workers: work(share_of(rows(weight=weight), workers)))
    assert [part[1].shape for part in found[0]] == [part[1].shape for part in found[1]]
    seen, sizes = [], []
    for both in zip(*found, strict=True):
        for inputs, label, weights in both:
            np.testing.assert_allclose(inputs.sum(2), label, rtol=1e-6)
            seen += inputs[weights > 0][:, 0].astype(int).tolist()
        sizes += sum((weights > 0).sum(1) for *_, weights in both).tolist()
    kept = np.arange(ROWS) if not weight else np.flatnonzero(rows(weight=True).weight > 0)
    assert sorted(seen) == kept.tolist()
    assert len(sizes) == -(-len(kept) // batch_size)
    assert max(sizes) - min(sizes) <= 2
    total = sum(float(weights.sum()) for part in found for *_, weights in part)
    assert total == (ROWS if not weight else rows(weight=True).weight.sum())


class TwoThreads:
    """What adds up over two workers that are threads of this process."""

    count = 2

    def __init__(self) -> None:
        self._parts: dict[int, Any] = {}
        self._barrier = threading.Barrier(2)

    def at(self, index: int) -> Any:
        def add_up(value: Any) -> Any:
            self._parts[index] = np.asarray(value)
            self._barrier.wait(30)
            total = self._parts[0] + self._parts[1]
            self._barrier.wait(30)
            return total

        class Replicas:
            count = 2

            @staticmethod
            def run(function: Callable[..., Any], arguments: Any) -> Any:
                return function(*arguments)

            @staticmethod
            def add_up(value: tf.Tensor) -> tf.Tensor:
                total = tf.numpy_function(add_up, [value], value.dtype)
                total.set_shape(value.shape)
                return total

            @staticmethod
            def total(sums: Any) -> Any:
                return add_up(sums)

        return Replicas()


def make(members: int) -> tf_keras.Model:
    made = tf_keras.Sequential([tf_keras.layers.Dense(members, input_shape=(2,), kernel_regularizer="l2")])
    made.set_weights([np.full((2, members), 0.01, np.float32), np.zeros(members, np.float32)])
    return made


@pytest.mark.parametrize("batch_size", [ROWS, 1000])
@pytest.mark.parametrize(("weight", "held_out"), [(False, None), (True, None), (False, [1, 2]), (True, [1, 2])])
def test_one_batch_of_two_workers_makes_the_update_of_one_device(
    batch_size: int, weight: bool, held_out: list[int] | None
) -> None:
    whole, members = rows(weight=weight, fold=held_out is not None), len(held_out or [0])
    if whole.weight is not None:
        kept = whole.weight > 0
        fold = None if whole.fold is None else whole.fold[kept]
        alone = Rows((whole.inputs[0][kept],), whole.label[kept], 1000, fold, whole.weight[kept])
    else:
        alone = Rows(whole.inputs, whole.label, 1000, whole.fold)
    network = make(members)
    loop = EpochLoop(network, Optimizer("sgd", network.trainable_variables), batch_size, held_out)
    steps = np.array([1e-5])
    expected = loop.run(alone, steps)
    errors = loop.mean_squared_error(alone), loop.validation_errors(alone) if held_out else None
    threads = TwoThreads()

    def work(own: SharedRows) -> Any:
        made = make(members)
        if held_out is not None:
            own.hold_out(own.fold, 4)
        optimizer = Optimizer("sgd", made.trainable_variables)
        ours = SharedLoop(made, optimizer, batch_size, held_out, threads.at(own.sharing.index), own)
        losses = ours.run(own, steps)
        assert ours.batch_weights(own, None).tolist() == pytest.approx([alone.total_weight])
        found = ours.mean_squared_error(own), ours.validation_errors(own) if held_out else None
        return losses, made.get_weights(), found

    # Both threads wait for each other inside TensorFlow, which must not run one after the other.
    for losses, found, (squares, validation) in sharing(2, lambda workers: work(share_of(whole, workers))):
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
        for ours, theirs in zip(found, network.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7)
        assert squares == pytest.approx(errors[0], rel=1e-5)
        if held_out:
            assert validation == pytest.approx(errors[1], rel=1e-5)
