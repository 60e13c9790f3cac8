"""What the table of `test_rules.py` does not show: how sure the comparison with the model in service is."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.evaluation.case import Case
from crossnet.components.evaluation.rule_results import Best, Served
from crossnet.components.evaluation.service_rules import non_inferiority, total_margin
from crossnet.components.params.evaluator import EvaluatorParams
from support.gate_fixtures import make_scores

SERVED = Served("17")


def judged(rows, margin, ratio=1.0):
    random = np.random.default_rng(0)
    shared, ours, theirs = random.normal(0, 1, (3, rows))
    predictions = {"a": ratio * (shared + 0.5 * ours), SERVED.name: shared + 0.5 * theirs}
    case = Case("a", make_scores(np.zeros(rows), predictions), EvaluatorParams(), baseline="a", served=SERVED)
    return non_inferiority(case, margin)


def test_more_rows_show_that_an_equal_model_is_within_the_margin():
    few, many = judged(60, 0.02), judged(20_000, 0.02)
    assert (few.passed, many.passed) == (False, True)
    assert many.interval[1] == pytest.approx(1.0, abs=0.02)


def test_bound_is_one_sided():
    result = judged(2000, 0.5)
    low, high = result.interval
    assert low < result.candidate / result.reference < high
    assert (result.threshold, result.margin) == (1.5, 0.5)


def test_twenty_candidates_that_lose_three_percent_each_do_not_creep_past_the_best():
    random = np.random.default_rng(1)
    best = random.normal(0, 1, 5000)
    served, level, passed = best, 1.0, 0
    for _ in range(20):
        candidate = 1.03 * level * (0.9 * best + np.sqrt(1 - 0.81) * random.normal(0, 1, 5000))
        scores = make_scores(np.zeros(5000), {"a": candidate, SERVED.name: served, "(best)": best}, replicates=200)
        case = Case("a", scores, EvaluatorParams(), baseline="a", served=SERVED, best=Best("12"))
        if non_inferiority(case, 0.05).passed and total_margin(case, 0.05).passed:
            served, level, passed = candidate, 1.03 * level, passed + 1
    assert passed <= 2
