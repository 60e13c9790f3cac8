import numpy as np
import pytest

from crossnet.components.evaluation.recorded import RecordedPredictions


def test_predictions_are_given_in_the_order_of_the_rows(tmp_path):
    np.save(tmp_path / "p.npy", np.arange(5, dtype=np.float32))
    predictor = RecordedPredictions(tmp_path / "p.npy")
    assert [predictor.predict({"x": np.zeros(rows)}).tolist() for rows in (2, 2, 1)] == [[0, 1], [2, 3], [4]]
    with pytest.raises(AssertionError, match="more rows than were predicted"):
        predictor.predict({"x": np.zeros(1)})


def test_a_pass_may_begin_at_any_row(tmp_path):
    np.save(tmp_path / "p.npy", np.arange(5, dtype=np.float32))
    predictor = RecordedPredictions(tmp_path / "p.npy").starting(3)
    assert predictor.predict({"x": np.zeros(2)}).tolist() == [3, 4]
