"""The verdict, from rule results that are written down here; with real models: tests/components/test_evaluator.py."""

from __future__ import annotations

import dataclasses

import pytest

from crossnet.components.artifacts.evaluation import MEAN_PREDICTOR, METRICS_FILE, VERDICT_FILE, Evaluation
from crossnet.components.evaluation.rule_results import RuleResult
from crossnet.components.evaluation.verdict import (
    MAX_SLICES_SHOWN,
    failures,
    interval_lines,
    make_verdict,
    render_verdict,
    skips,
)
from crossnet.components.files import write_json

MODELS = ["a", "b", "dense"]
PASSED = RuleResult(rule="max_rmse", metric="rmse", message="Low enough.", passed=True, rows=100)
FAILED = RuleResult(rule="max_rmse", metric="rmse", message="Too high.", passed=False, rows=100)
SKIPPED = RuleResult(rule="non_inferiority", metric="rmse", message="Nothing in service.", passed=None, rows=100)
FINITE = RuleResult(rule="finite_predictions", metric="nonfinite", message="All finite.", passed=True, rows=100)


def on_slice(name, passed, bound=None, threshold=1.0):
    return RuleResult(
        rule="max_rmse" if passed is not None else "min_slice_rows",
        metric="rmse",
        message=f"On `{name}`.",
        passed=passed,
        rows=30,
        slice=name,
        interval=(bound, None),
        threshold=threshold,
    )


def verdict(a=(PASSED,), b=(PASSED,), served=None):
    facts = {"models": [*MODELS, MEAN_PREDICTOR], "baseline": "dense", "rows": 100, "label_std": 2.0, "served": served}
    return make_verdict({"a": a, "b": b}, **facts)


def lines(tmp_path, **arguments):
    metrics = {"num_parameters": 1234, "train_rmse": 0.25, "eval_rmse": 0.5, "mae": 0.4, "r2": None}
    write_json(tmp_path / METRICS_FILE, dict.fromkeys([*MODELS, MEAN_PREDICTOR], metrics))
    write_json(tmp_path / VERDICT_FILE, verdict(**arguments))
    return render_verdict(Evaluation(tmp_path)).splitlines()


@pytest.mark.parametrize(
    ("a", "b", "champion"),
    [
        ([PASSED], [PASSED], "a"),  # the first in order of preference
        ([PASSED, FAILED], [PASSED], "b"),
        ([PASSED, SKIPPED], [PASSED], "a"),  # a skipped rule fails nobody
        ([PASSED, on_slice("z", False, 2.0)], [FAILED], None),
        ([PASSED, on_slice("z", None)], [FAILED], "a"),
    ],
)
def test_champion_is_the_first_candidate_that_failed_no_rule(a, b, champion):
    found = verdict(a, b)
    assert (found["blessed"], found["champion"]) == (champion is not None, champion)
    assert list(found["candidates"]) == ["a", "b"]
    assert found["candidates"]["a"]["blessed"] is (champion == "a")
    assert found["candidates"]["a"]["rules"] == [rule.to_json() for rule in a]
    assert (found["rows"], found["baseline"], found["served"]) == (100, "dense", None)


def test_failures_are_those_of_every_candidate_in_order_of_preference():
    found = verdict([SKIPPED, FAILED, on_slice("z", False, 2.0)], [PASSED, FAILED])
    assert failures(found) == ["Too high.", "On `z`.", "Too high."]


def test_skips_are_the_champions_or_the_first_candidates_and_leave_slices_out():
    other = RuleResult(rule="non_inferiority", metric="rmse", message="Of b.", passed=None, rows=100)
    assert skips(verdict([SKIPPED, on_slice("z", None)], [other])) == ["Nothing in service."]
    assert skips(verdict([SKIPPED, FAILED], [other])) == ["Of b."]
    assert skips(verdict([SKIPPED, FAILED], [other, FAILED])) == ["Nothing in service."]


def test_table_names_every_model_and_its_role(tmp_path):
    first, header, *rest = lines(tmp_path, a=[FAILED], b=[PASSED])
    assert first == "100 eval rows, label's standard deviation 2"
    assert header.split() == ["model", "parameters", "train", "rmse", "eval", "rmse", "mae", "r2"]
    assert [line.split() for line in rest[:4]] == [
        ["a", "1,234", "0.25", "0.5", "0.4", "-", "NOT", "blessed"],
        ["b", "1,234", "0.25", "0.5", "0.4", "-", "champion"],
        ["dense", "1,234", "0.25", "0.5", "0.4", "-", "baseline"],
        [MEAN_PREDICTOR, "1,234", "0.25", "0.5", "0.4", "-"],
    ]
    assert rest[4:] == ["a: NOT blessed", "  FAILED   Too high.", "b: blessed", "  passed   Low enough."]


def test_a_narrow_screen_has_the_columns_that_fit(tmp_path):
    (folder := tmp_path / "wide").mkdir()
    wide = lines(folder, a=[PASSED], b=[PASSED])
    width = len(wide[2])
    assert wide[1].split() == ["model", "parameters", "train", "rmse", "eval", "rmse", "mae", "r2"]
    headings = {}
    for columns in (width, width - 1, width - 4, width - 15, 10):
        _, header, first, *_ = render_verdict(Evaluation(folder), width=columns).splitlines()
        headings[columns] = header.split()
        assert first.split()[-1] == "champion"
        assert len(first) <= columns or columns == 10
    assert headings[width] == wide[1].split()
    assert headings[width - 1] == headings[width - 4] == ["model", "parameters", "train", "rmse", "eval", "rmse", "mae"]
    assert headings[10] == ["model", "parameters", "eval", "rmse"]


def test_without_a_champion_the_first_candidate_has_all_rules_and_the_others_what_failed(tmp_path):
    *_, a, passed, failed, b, failed_too = lines(tmp_path, a=[PASSED, FAILED], b=[PASSED, FAILED])
    assert (a, passed, failed) == ("a: NOT blessed", "  passed   Low enough.", "  FAILED   Too high.")
    assert (b, failed_too) == ("b: NOT blessed", "  FAILED   Too high.")


def test_a_candidate_that_passed_behind_the_champion_has_no_lines_of_its_own(tmp_path):
    *_, champion, rule = lines(tmp_path, a=[PASSED], b=[PASSED])
    assert (champion, rule) == ("a: blessed", "  passed   Low enough.")


def test_prediction_intervals_have_a_line_beside_what_they_hold_of_eval(tmp_path):
    assert not any("interval" in line for line in lines(tmp_path))
    facts = {"coverage": 0.95, "half_width": 1.25, "rows": 200, "eval_coverage": 0.938}
    assert interval_lines(["a", "b"], {"a": {"prediction_interval": facts}, "b": {}}) == [
        "`a` answers with 95 % intervals of ± 1.25 in the signature `interval`; they hold 93.8 % of the eval labels."
    ]


def test_second_blessed_candidate_is_blessed_and_not_the_champion(tmp_path):
    assert [line.split()[-1] for line in lines(tmp_path)[2:5]] == ["champion", "blessed", "baseline"]


@pytest.mark.parametrize(("problem", "words"), [("", "0.75"), ("does not load", "- not comparable")])
def test_version_in_service_has_a_line(problem, words, tmp_path):
    served = {"version": "17", "problem": problem, "eval_rmse": None if problem else 0.75}
    (line,) = [line for line in lines(tmp_path, served=served) if "version 17 in service" in line]
    assert " ".join(line.split()) == f"version 17 in service {words}"


def test_finite_predictions_are_worth_a_line_only_when_they_are_not(tmp_path):
    infinite = RuleResult(rule="finite_predictions", metric="nonfinite", message="Some NaN.", passed=False, rows=100)
    text = "\n".join(lines(tmp_path, a=[FINITE, PASSED], b=[infinite]))
    assert "All finite." not in text
    assert "  FAILED   Some NaN." in text


def test_failed_slices_are_shown_the_worst_first(tmp_path):
    parts = [
        on_slice("mild", False, 1.5),
        on_slice("nan", False, None),
        on_slice("bad", False, 3.0, threshold=1.0),
        on_slice("half as bad", False, 3.0, threshold=2.0),
        on_slice("fine", True, 0.5),
    ]
    shown = [line for line in lines(tmp_path, a=[PASSED, *parts]) if "On `" in line]
    assert shown == [f"  FAILED   On `{name}`." for name in ("nan", "bad", "mild", "half as bad")]


@pytest.mark.parametrize("more", [0, 1, 12])
def test_of_many_failed_slices_the_others_are_counted(more, tmp_path):
    parts = [on_slice(f"z{i}", False, 2.0) for i in range(MAX_SLICES_SHOWN + more)]
    found = lines(tmp_path, a=[PASSED, *parts])
    assert sum("On `" in line for line in found) == MAX_SLICES_SHOWN
    counted = [line for line in found if "see verdict.json" in line]
    assert counted == ([f"  FAILED   on slices {more} times more: see verdict.json"] if more else [])


def test_slices_that_passed_or_are_too_small_are_counted(tmp_path):
    parts = [on_slice("z1", True, 0.5), on_slice("z1", True, 0.4), on_slice("z2", True, 0.5), on_slice("z3", None)]
    found = lines(tmp_path, a=[PASSED, *parts], b=[PASSED, *parts, on_slice("z4", False, 2.0)])
    assert [line for line in found if "slice" in line] == [
        "  passed   every rule on 2 slices",
        "  skipped  1 slice with too few rows",
    ]


def test_candidate_without_slices_has_no_line_about_them(tmp_path):
    assert not any("slice" in line for line in lines(tmp_path))


def test_what_is_said_elsewhere_is_left_out_and_notes_stand_under_the_table(tmp_path):
    lines(tmp_path, a=(PASSED, FAILED))
    write_json(tmp_path / VERDICT_FILE, verdict(a=(PASSED, FAILED)) | {"collapsed": "Dead.", "notes": ["Note."]})
    text = render_verdict(Evaluation(tmp_path), ["Too high."]).splitlines()
    assert text[-4:] == ["Dead.", "Note.", "b: blessed", "  passed   Low enough."]
    assert render_verdict(Evaluation(tmp_path)).splitlines()[-4:-2] == ["a: NOT blessed", "  FAILED   Too high."]


def test_a_rule_that_passed_does_not_repeat_the_error_that_the_table_has(tmp_path):
    said = "`a` has eval rmse 0.5 on 100 rows, {}above max_rmse 1."
    passed = dataclasses.replace(PASSED, message=said.format("not "))
    failed = dataclasses.replace(FAILED, message=said.format(""))
    assert "  passed   not above max_rmse 1." in lines(tmp_path, a=[passed])
    found = lines(tmp_path, a=[passed, failed], b=[FAILED])
    assert "  passed   not above max_rmse 1." in found
    assert "  FAILED   `a` has eval rmse 0.5 on 100 rows, above max_rmse 1." in found
    groups = dataclasses.replace(PASSED, message="`a` has eval rmse 0.5 on 100 rows in 7 groups of `b`, not above 1.")
    assert f"  passed   {groups.message}" in lines(tmp_path, a=[groups])  # the table lacks the groups
