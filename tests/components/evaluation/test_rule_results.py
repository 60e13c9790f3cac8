from __future__ import annotations

import json

import pytest

from crossnet.components.evaluation.rule_results import Best, RuleResult, Served, limit_text

FACTS = {"rule": "max_rmse", "metric": "rmse", "message": "It is.", "rows": 10}


@pytest.mark.parametrize(("passed", "skipped"), [(True, False), (False, False), (None, True)])
def test_rule_is_skipped_where_it_is_neither_passed_nor_failed(passed, skipped):
    result = RuleResult(**FACTS, passed=passed)
    assert result.skipped is skipped
    assert (result.to_json()["passed"], result.to_json()["skipped"]) == (passed, skipped)


def test_result_is_written_with_every_field_also_where_it_is_empty():
    result = RuleResult(**FACTS, passed=True, candidate=0.5, interval=(0.25, None), threshold=1.0)
    assert json.loads(json.dumps(result.to_json())) == {
        "rule": "max_rmse",
        "metric": "rmse",
        "message": "It is.",
        "passed": True,
        "skipped": False,
        "rows": 10,
        "slice": None,
        "candidate": 0.5,
        "reference": None,
        "difference": None,
        "interval": [0.25, None],
        "threshold": 1.0,
        "margin": None,
    }


def test_served_model_can_be_compared_unless_a_problem_is_said():
    assert Served("17").problem == ""
    assert Served("17").name == Served("18", "does not load").name  # one place in the scores, whatever the version


@pytest.mark.parametrize(
    ("limit", "text"),
    [(1 + 0.05, "1.05"), (0.1 + 0.2, "0.3"), (0.01, "0.01"), (1e-7, "1e-07"), (12345.6, "12345.6")],
)
def test_limit_is_shown_as_it_was_set(limit, text):
    assert limit_text(limit) == text


def test_the_best_is_called_by_its_version_its_model_or_as_the_setting_names_it():
    assert Best("12").words == "the best, version 12"
    assert Best("5ea3").words == "the best, Model 5ea3"
    assert Best("12", is_named=True).words == "version 12, which evaluator.anchor names"
