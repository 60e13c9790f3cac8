"""What is scored beside exported models, and what becomes of a model that does not answer."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.errors import ExportError
from crossnet.components.evaluation.predictors import MeanPredictor, ServedModel


class Picky:
    """Answers with the first column, unless it holds a 0."""

    def predict(self, features):
        if not features["x0"].all():
            raise ExportError(f"x0 is 0 in {int((features['x0'] == 0).sum())} rows.")
        return features["x0"]


def test_mean_predictor_answers_every_row_with_its_number():
    answer = MeanPredictor(0.25).predict({"x0": np.zeros(3), "x1": np.zeros(3)})
    assert answer.tolist() == [0.25, 0.25, 0.25]


def test_served_model_that_does_not_answer_is_nan_and_says_why_at_first():
    served = ServedModel(Picky())
    assert served.predict({"x0": np.array([2.0, 4.0], np.float32)}).tolist() == [2.0, 4.0]
    assert served.problem == ""
    for zeros in (1, 2):
        answer = served.predict({"x0": np.array([0.0] * zeros, np.float32)})
        assert answer.dtype == np.float32
        assert np.isnan(answer).all()
    assert served.problem == "x0 is 0 in 1 rows."


def test_served_model_does_not_hide_what_is_wrong_with_the_rows():
    with pytest.raises(KeyError):
        ServedModel(Picky()).predict({})
