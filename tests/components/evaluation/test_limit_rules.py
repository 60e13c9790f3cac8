"""What the table of `test_rules.py` does not show: the figures that the rules record."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.evaluation.case import Case
from crossnet.components.evaluation.limit_rules import finite_predictions, max_model_bytes, max_rmse, max_rmse_ratio
from crossnet.components.params.evaluator import EvaluatorParams
from support.gate_fixtures import make_scores

LABELS = np.tile([0.0, 4.0], 50)


def case(errors):
    return Case("a", make_scores(LABELS, {"a": LABELS + errors}), EvaluatorParams(), baseline="a", served=None)


def test_limits_are_recorded_with_what_was_measured():
    found = max_rmse(case(0.5), 0.75)
    assert (found.passed, found.candidate, found.threshold, found.difference) == (True, 0.5, 0.75, -0.25)
    ratio = max_rmse_ratio(case(0.5), 0.125)
    assert (ratio.passed, ratio.candidate, ratio.threshold) == (False, 0.25, 0.125)
    assert ratio.interval == (pytest.approx(0.25), pytest.approx(0.25))
    size = max_model_bytes(case(0.5), 10, 11)
    assert (size.passed, size.metric, size.candidate, size.difference) == (False, "model_bytes", 11, 1)


def test_predictions_that_are_not_finite_are_counted():
    found = finite_predictions(case(np.where(np.arange(100) < 3, np.inf, 0.0)))
    assert (found.passed, found.candidate, found.threshold) == (False, 3, 0)
