from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from crossnet.components.training.best_epochs import BestEpochs


def fed(losses: list[list[float]]) -> tuple[BestEpochs, tf.Variable]:
    """Returns what is kept of a weight [members, 1] that is the number of the epoch, counted from 1."""
    members = len(losses[0])
    weight = tf.Variable(tf.zeros([members, 1]))
    best = BestEpochs([weight], members)
    for epoch, of_members in enumerate(losses):
        weight.assign(tf.fill([members, 1], epoch + 1.0))
        best.add(epoch, np.array(of_members))
    return best, weight


def kept(best: BestEpochs, weight: Any) -> list[float]:
    best.restore_weights()
    return [float(value) for value in weight.numpy()[:, 0]]


def test_each_member_keeps_its_own_best_epoch() -> None:
    best, weight = fed([[3.0, 3.0], [2.0, 4.0], [5.0, 1.0]])
    assert kept(best, weight) == [2.0, 3.0]
    assert best.epochs.tolist() == [1, 2]


def test_an_epoch_without_a_number_is_never_the_best() -> None:
    best, weight = fed([[np.nan], [4.0], [np.nan], [5.0]])
    assert kept(best, weight) == [2.0]


def test_what_was_written_goes_on() -> None:
    best, _ = fed([[3.0, 3.0], [2.0, 4.0]])
    again, weight = fed([[9.0, 9.0]])
    again.read(best.arrays())
    again.add(2, np.array([5.0, 5.0]))
    assert kept(again, weight) == [2.0, 1.0]
