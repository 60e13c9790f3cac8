from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR
from crossnet.components.evaluation.baseline_alone import baseline_alone
from crossnet.components.evaluation.rule_results import Served
from crossnet.components.params.evaluator import EvaluatorParams
from support.gate_fixtures import make_scores

LABELS = np.linspace(0, 1, 200)
EAST = LABELS > 0.4


def said(baseline="dense", *, blessed=False, error=0.001, served=None, megabytes=1, **settings):
    predictions = {"cross_layer": LABELS + 0.2, "dense": LABELS + error, LINEAR: LABELS + 0.1, MEAN_PREDICTOR: 0.5}
    scores = make_scores(LABELS, predictions, {"zone=east": EAST})
    params = EvaluatorParams(**({"min_improvement": -0.02} | settings))
    verdict, sizes = {"baseline": baseline, "blessed": blessed}, {"dense": megabytes << 20}
    return list(baseline_alone(verdict, scores, params, served=served, best=None, sizes=sizes))


def test_a_baseline_that_would_pass_alone_is_named_with_the_setting():
    (sentence,) = said()
    assert sentence.startswith('Baseline `dense` alone would pass the gate. To serve it, set `models = ["dense"]` and')


@pytest.mark.parametrize(
    "case",
    [
        {"blessed": True},
        {"baseline": MEAN_PREDICTOR},
        {"error": 0.15},  # worse than the linear model
        {"max_rmse": 0.0005},
        {"max_model_bytes": 1 << 20, "megabytes": 2},
        {"served": Served("17", "does not load")},
        {"error": np.where(EAST, 0.02, 0.0), "max_rmse_ratio": 0.06},  # in a slice alone, where the label varies less
    ],
    ids=str,
)
def test_nothing_is_said_where_it_would_not_pass_or_another_has(case):
    assert said(**case) == []
