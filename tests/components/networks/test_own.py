from dataclasses import dataclass

import numpy as np
import pytest
import tf_keras

from crossnet.components.errors import OwnCodeError, TrainingError
from crossnet.components.networks.models import build_network, describe
from crossnet.components.params.networks import DenseParams, is_own


@dataclass(frozen=True, kw_only=True)
class Own:
    what: str = "good"

    def network(self, x, dtype):
        if self.what == "good":
            return tf_keras.layers.Add()([x, tf_keras.layers.Dense(x.shape[-1], "relu", dtype=dtype)(x)])
        if self.what == "raises":
            raise KeyError("no such column")
        if self.what == "batch":
            return tf_keras.layers.BatchNormalization(name="batch")(x)
        return {"number": 7, "deep": tf_keras.layers.Reshape((1, x.shape[-1]))(x)}[self.what]


def test_a_kind_of_ones_own_stands_between_our_inputs_and_our_output():
    network = build_network("residual", Own(), num_numbers=3, tables=[(5, 2)])
    assert network.count_params() == 5 * 2 + (5 * 5 + 5) + (5 + 1)
    assert network.output_shape == (None, 1)
    assert network.name == "residual"
    assert describe("residual", Own(), network)["what"] == "good"
    answer = network([np.zeros((4, 3), np.float32), np.zeros((4, 1), np.int64)])
    assert answer.shape == (4, 1)


def test_only_kinds_that_are_not_ours_are_own():
    assert is_own(Own())
    assert not is_own(DenseParams())


@pytest.mark.parametrize(
    ("what", "error", "sentence"),
    [
        (
            "raises",
            OwnCodeError,
            r"`network` of the kind `mine` has raised KeyError: .* \(.*own\.py, line \d+\)",
        ),
        (
            "number",
            TrainingError,
            r"must return the output of its last Keras layer.* Received int \(.*own\.py, li",
        ),
        ("deep", TrainingError, r"of shape \(None, a number\)\. Received the shape \(None, 1, 3\)"),
        ("batch", TrainingError, r"`mine` has weights that no training step .* in batch \(.*take LayerNormalization"),
    ],
)
def test_what_a_network_of_ones_own_cannot_be_is_one_sentence(what, error, sentence):
    with pytest.raises(error, match=sentence):
        build_network("mine", Own(what=what), num_numbers=3)


def test_a_kind_of_ones_own_needs_features_too():
    with pytest.raises(TrainingError, match="No feature is left to train on"):
        build_network("mine", Own(), num_numbers=0)
