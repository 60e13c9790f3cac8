"""The row that a model refuses is named."""

from __future__ import annotations

import io
from typing import Any

import grpc
import numpy as np
import pytest

from crossnet.serving.client.answers import Prediction, Timings
from crossnet.serving.protocol.signature import Signature, TensorSpec
from crossnet.serving.rows.asking import ask
from crossnet.serving.rows.columns import InputBuilder
from crossnet.serving.rows.formats import make_reader
from crossnet.serving.status import InvalidRequestError, ServerError
from support.fake_server import FLOAT

SIGNATURE = Signature(
    "serving_default",
    "tensorflow/serving/predict",
    {"x": TensorSpec(FLOAT, (None,))},
    {"prediction": TensorSpec(FLOAT, (None,))},
)


class Doubling:
    """A model that refuses rows beyond `most`, and answers `more` rows than it was asked."""

    def __init__(self, most: float = 100, more: int = 0):
        self.most, self.more, self.calls = most, more, 0

    def predict(self, inputs: Any, *, signature_name: str) -> Prediction:
        self.calls += 1
        values = np.asarray(inputs["x"])
        if values.max() > self.most:
            raise InvalidRequestError("x is too large", grpc.StatusCode.INVALID_ARGUMENT)
        outputs = {"prediction": np.concatenate([2 * values, np.zeros(self.more, np.float32)])}
        return Prediction(outputs, 3, signature_name, Timings(0.0, 0.0, 0.0))


def asked(model: Doubling, *values: float) -> Prediction:
    table = make_reader(io.BytesIO(("x\n" + "\n".join(map(str, values)) + "\n").encode()), "csv", "rows.csv")
    return ask(model, InputBuilder(table, SIGNATURE, "`m`", False), list(table.rows()), "serving_default")


def test_rows_are_answered_in_one_call():
    model = Doubling()
    assert asked(model, 1, 2, 3).outputs["prediction"].tolist() == [2, 4, 6]
    assert model.calls == 1


@pytest.mark.parametrize("place", range(5))
def test_the_first_row_that_is_refused_is_found_by_halving(place):
    values = [1.0] * 5
    values[place] = 200
    with pytest.raises(InvalidRequestError, match=rf"^rows.csv:{place + 2}: x is too large$"):
        asked(Doubling(), *values, 300)


def test_an_answer_with_another_number_of_rows_is_refused():
    with pytest.raises(
        ServerError, match=r"Output `prediction` has shape \[4\] for 3 rows; expected one value per row"
    ):
        asked(Doubling(more=1), 1, 2, 3)
