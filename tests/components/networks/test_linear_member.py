from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.networks.linear_member import LinearMember, unclipped
from crossnet.components.networks.number_inputs import smooth_clip

MEMBER = LinearMember(np.array([2.0, -1.0, 10.0]), (np.array([0.0, 5.0, 0.0, 7.0]), np.zeros(2)), 0.5, clipped=2)


def inputs() -> list[np.ndarray]:
    """Two numbers that were clipped, an indicator, and ids of three categories, of which the last has no weights."""
    raw = np.array([[0.0, 1.0], [-4.0, 30.0], [99.0, 0.25]], np.float32)
    numbers = np.concatenate([smooth_clip(tf.constant(raw)).numpy(), [[1.0], [0.0], [1.0]]], 1)
    return [numbers.astype(np.float32), np.array([[1, 0, 9], [2, 1, 9], [3, 0, 9]])]


def test_predictions_are_linear_in_what_was_not_clipped_yet() -> None:
    expected = [0.5 - 1 + 10 + 5, 0.5 - 8 - 30, 0.5 + 198 - 0.25 + 10 + 7]
    assert MEMBER.predict(inputs()) == pytest.approx(expected, rel=2e-4)


def test_the_graph_answers_the_same() -> None:
    numbers, ids = inputs()
    found = MEMBER.output([tf.constant(numbers.T), tf.constant(ids.T)])
    assert found.shape == (1, 3)
    assert found.numpy()[0] == pytest.approx(MEMBER.predict([numbers, ids]), rel=1e-4)


@pytest.mark.parametrize("clipped", [0, 1])
def test_numbers_alone_and_categories_alone(clipped: int) -> None:
    numbers, ids = inputs()
    of_numbers = LinearMember(np.array([1.0]), (), 0.25, clipped)
    found = of_numbers.output([tf.constant(numbers[:, :1].T)]).numpy()[0]
    assert found == pytest.approx(of_numbers.predict([numbers[:, :1]]), rel=1e-4)
    of_ids = LinearMember(np.zeros(0), (np.array([0.0, 5.0, 0.0, 7.0]),), 0.25)
    assert of_ids.output([tf.constant(ids.T)]).numpy()[0] == pytest.approx([5.25, 0.25, 7.25])
    assert of_ids.predict([ids]).tolist() == [5.25, 0.25, 7.25]


def test_without_any_weight_it_answers_with_its_intercept() -> None:
    empty = LinearMember(np.zeros(0), (np.zeros(4),), 0.25)
    assert empty.output([tf.constant(inputs()[1].T)]).numpy().tolist() == [[0.25] * 3]


def test_its_parameters_are_weights_and_an_intercept() -> None:
    assert MEMBER.num_parameters == 3 + 2 + 1


def test_it_is_read_back_from_json() -> None:
    again = LinearMember.from_json(json.loads(json.dumps(MEMBER.to_json())))
    assert again.predict(inputs()).tolist() == MEMBER.predict(inputs()).tolist()
    assert MEMBER.to_json()["tables"] == [
        {"rows": 4, "ids": [1, 3], "weights": [5.0, 7.0]},
        {"rows": 2, "ids": [], "weights": []},
    ]


def test_what_is_far_away_is_a_hundred_scales_away() -> None:
    far = smooth_clip(tf.constant([[50.0], [-1e9], [1e9]])).numpy()
    assert unclipped(far, 1)[:, 0] == pytest.approx([50, -100, 100], rel=1e-3)
    assert unclipped(far, 0) == pytest.approx(far)
