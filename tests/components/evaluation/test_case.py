from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR
from crossnet.components.evaluation.case import Case, improvement_reference
from crossnet.components.params.evaluator import EvaluatorParams
from support.gate_fixtures import make_scores

ROWS = 400
LABELS = np.zeros(ROWS)


def flat(size):
    return np.full(ROWS, float(size))


def scores(**predictions):
    names = {"mean": MEAN_PREDICTOR, "linear": LINEAR}
    return make_scores(LABELS, {names.get(name, name): flat(size) for name, size in predictions.items()})


@pytest.mark.parametrize(
    ("baseline", "mean", "linear", "expected"),
    [
        (0.9, 1.0, 0.5, "dense"),
        (0.995, 1.0, 0.5, "dense"),  # the limit itself
        (0.996, 1.0, 0.5, LINEAR),
        (1.5, 1.0, 0.5, LINEAR),
        (1.5, 1.0, 2.0, MEAN_PREDICTOR),
        (1.5, 1.0, np.nan, MEAN_PREDICTOR),
        (np.nan, 1.0, 0.5, "dense"),  # which fails the rule
    ],
)
def test_improvement_is_measured_against_the_better_of_mean_and_linear_where_the_baseline_is_dead(
    baseline, mean, linear, expected
):
    found = improvement_reference(scores(dense=baseline, mean=mean, linear=linear), "dense")
    assert found.name == expected
    assert bool(found.collapsed) is (expected != "dense")


def test_collapsed_baseline_is_said_with_both_numbers():
    found = improvement_reference(scores(dense=1.05, mean=1.0, linear=0.5), "dense")
    assert found.collapsed == (
        "`dense` has collapsed: its eval rmse 1.05 is not below the 1 of always predicting the mean, so candidates are "
        "compared with the linear model."
    )
    assert found.words == "the linear model, as baseline `dense` has collapsed"


def test_a_baseline_that_is_hardly_below_the_mean_is_not_said_to_be_above_it():
    found = improvement_reference(scores(dense=0.997, mean=1.0, linear=0.5), "dense")
    assert found.collapsed.startswith(
        "`dense` has collapsed: its eval rmse 0.997 is not 0.5 % below the 1 of always predicting the mean, so"
    )


def test_mean_predictor_as_baseline_does_not_collapse():
    found = improvement_reference(scores(mean=1.0, linear=0.5), MEAN_PREDICTOR)
    assert found == (MEAN_PREDICTOR, "always predicting the mean", "")


def test_interval_is_in_words_and_says_why_there_is_none():
    case = Case("a", scores(a=0.5, b=1.0), EvaluatorParams(confidence=0.9), baseline="b", served=None)
    assert case.in_words(case.interval(case.resampled("a"))) == "90 % interval 0.5 to 0.5"
    few = Case("a", make_scores(LABELS[:19], {"a": flat(1)[:19]}), EvaluatorParams(), baseline="a", served=None)
    assert few.in_words(few.interval(few.resampled("a"))) == "no interval: fewer than 20 rows"
