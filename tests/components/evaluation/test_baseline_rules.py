"""What the table of `test_rules.py` does not show: the figures that the rules record."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR
from crossnet.components.evaluation.baseline_rules import max_linear_ratio, max_mean_ratio, min_improvement
from crossnet.components.evaluation.case import Case
from crossnet.components.params.evaluator import EvaluatorParams
from support.gate_fixtures import make_scores

RANDOM = np.random.default_rng(3)
ERRORS = RANDOM.normal(0, 1, (2, 2000))
LABELS = RANDOM.normal(0, 2, 2000)


def case():
    predictions = {"a": LABELS + ERRORS[0], LINEAR: LABELS + 1.1 * ERRORS[0] + 0.1 * ERRORS[1], MEAN_PREDICTOR: 0.0}
    return Case("a", make_scores(LABELS, predictions), EvaluatorParams(), baseline=MEAN_PREDICTOR, served=None)


def rmse(errors):
    return float(np.sqrt(np.mean(np.square(errors))))


def test_improvement_over_the_mean_is_one_rule_with_its_limit_and_interval():
    result = min_improvement(case(), 0.25)
    assert result.reference == pytest.approx(rmse(LABELS))
    assert result.threshold == pytest.approx(0.75 * rmse(LABELS))
    assert result.interval[0] < 1 - rmse(ERRORS[0]) / rmse(LABELS) < result.interval[1]


def test_a_candidate_above_the_baseline_by_less_than_allowed_is_not_said_to_be_above_by_more():
    predictions = {"a": LABELS + 1.01 * ERRORS[0], "b": LABELS + ERRORS[0], MEAN_PREDICTOR: 0.0, LINEAR: 0.0}
    params = EvaluatorParams(min_improvement=-0.02, min_improvement_confidence=0.05)
    scored = Case("a", make_scores(LABELS, predictions), params, baseline="b", served=None)
    result = min_improvement(scored, -0.02)
    assert result.passed
    assert "1 % above the" in result.message
    assert ", where at most 2 % above is allowed (95 % interval" in result.message


def test_ratios_record_the_reference_and_the_limit_in_the_unit_of_the_label():
    mean, linear = max_mean_ratio(case(), 1.0), max_linear_ratio(case(), 1.02)
    assert (mean.passed, mean.reference, mean.threshold) == (True, *[pytest.approx(rmse(LABELS))] * 2)
    theirs = rmse(1.1 * ERRORS[0] + 0.1 * ERRORS[1])
    assert (linear.passed, linear.reference, linear.threshold) == (True, *map(pytest.approx, (theirs, 1.02 * theirs)))
    assert linear.difference == pytest.approx(rmse(ERRORS[0]) - theirs)
