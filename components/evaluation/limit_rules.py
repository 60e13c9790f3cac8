"""Judges a candidate by limits of error, predictions and size."""

from __future__ import annotations

import math

from crossnet.components.evaluation.case import Case
from crossnet.components.evaluation.rule_results import RuleResult, limit_text
from crossnet.components.evaluation.units import MIN_UNITS
from crossnet.components.formats import counted, number


def finite_predictions(case: Case) -> RuleResult:
    """Judges whether all its predictions are finite."""
    count = int(case.whole.nonfinite[case.model])
    bad = f"predicts NaN or infinity in {count:,} of {case.whole.rows:,} eval rows" if count else ""
    message = f"`{case.name}` {bad or f'predicts a finite number in all {case.whole.rows:,} eval rows'}."
    return case.result("finite_predictions", message, not count, "nonfinite", candidate=count, threshold=0)


def min_eval_rows(case: Case, least: int) -> RuleResult:
    """Judges whether there are rows enough to say anything."""
    rows, passed = case.whole.rows, case.whole.rows >= least
    message = f"eval has {counted(rows, 'row')}, {'not ' if passed else ''}fewer than min_eval_rows {least:,}."
    if not passed:
        message += " Raise `example_gen.eval_fraction`, or push with `--force`."
    return case.result("min_eval_rows", message, passed, "rows", candidate=rows, threshold=least)


def more_groups(case: Case) -> RuleResult:
    """Fails a candidate that was seen on too few groups to know how they differ."""
    units, unit = case.scores.units, case.scores.unit
    if units == 1:
        message = (
            f"All {case.whole.rows:,} eval rows are one {unit}, which says nothing about others. Give eval more groups."
        )
        return case.result("group", message, False, "groups", candidate=units, threshold=2)
    message = (
        f"`{case.name}` was seen on {case.scores.extent}, {case.scores.few}: too few to know how much they "
        "differ. Give eval more groups, or set `evaluator.allow_few_groups`."
    )
    return case.result("group", message, False, "groups", candidate=units, threshold=MIN_UNITS)


def rules_set(case: Case, skipped: bool) -> RuleResult:
    """Fails a candidate about whose error no rule has said anything."""
    why = "Every rule about its error was skipped" if skipped else "No rule about its error is set"
    return case.result(
        "rules_set",
        f"{why}, so nothing says that `{case.name}` is good. Set `evaluator.max_rmse` to the highest rmse you accept.",
        False,
    )


def max_rmse(case: Case, limit: float) -> RuleResult:
    """Judges its RMSE."""
    if not math.isfinite(case.rmse):
        return case.missing("max_rmse", threshold=limit)
    interval = case.own_interval()
    passed = case.rmse <= limit
    message = (
        f"{case.has_rmse(limit)}, {'not ' if passed else ''}above max_rmse {limit_text(limit)} "
        f"({case.in_words(interval)})."
    )
    return case.result("max_rmse", message, passed, interval=interval, threshold=limit)


def max_rmse_ratio(case: Case, limit: float) -> RuleResult:
    """Judges its RMSE over the label's standard deviation."""
    std, metric = case.whole.label_std, "rmse_ratio"
    if std == 0:
        return case.result(
            "max_rmse_ratio",
            f"The label has one value in all {case.whole.rows:,} eval rows, so `{case.name}` has "
            "no rmse_ratio, which max_rmse_ratio asks for.",
            False,
            metric,
            candidate=None,
            threshold=limit,
        )
    ratio = case.rmse / std
    if not math.isfinite(ratio):
        return case.missing("max_rmse_ratio", metric, candidate=None, threshold=limit)
    interval = case.own_interval(1 / std)
    passed = ratio <= limit
    message = (
        f"{case.has_rmse()}, {number(ratio, unlike=limit)} of the label's standard deviation {number(std)}, "
        f"{'not ' if passed else ''}above max_rmse_ratio {limit_text(limit)} ({case.in_words(interval)})."
    )
    return case.result("max_rmse_ratio", message, passed, metric, candidate=ratio, interval=interval, threshold=limit)


def max_model_bytes(case: Case, limit: int, size: int) -> RuleResult:
    """Judges the size of the exported folder."""
    passed = size <= limit
    message = f"`{case.name}` exports {size:,} bytes, {'not ' if passed else ''}above max_model_bytes {limit:,}."
    return case.result("max_model_bytes", message, passed, "model_bytes", candidate=size, threshold=limit)
