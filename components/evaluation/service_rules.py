"""Judges a candidate beside models of before: in service, and best."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crossnet.components.evaluation.case import Case
from crossnet.components.evaluation.rule_results import RuleResult, Served, limit_text
from crossnet.components.formats import number, percent


def non_inferiority(case: Case, margin: float) -> RuleResult:
    """Judges whether it is shown to be at most a margin worse than the model in service."""
    rule = "non_inferiority"
    if case.served is None:
        message = f"No other model is in service, so {rule} was not asked."
        return case.result(rule, message, None, margin=margin)
    out = "Push with `--force`, or set `evaluator.non_inferiority_margin` to none."
    if case.served.problem:
        message = f"`{case.name}` cannot be compared with {case.served.words}, which {case.served.problem}. {out}"
        return case.result(rule, message, False, margin=margin)
    return _not_worse(case, rule, "non_inferiority_margin", margin, case.served, out)


def total_margin(case: Case, margin: float) -> RuleResult | None:
    """Judges whether it is shown to be at most a margin worse than the best model ever blessed.

    None where `non_inferiority` has asked as much: the best is in service, and the margin is not smaller.
    """
    rule, best = "total_margin", case.best
    assert best is not None
    out = "Push with `--force`, name another version in `evaluator.anchor`, or set `evaluator.total_margin` to none."
    asked = case.params.non_inferiority_margin
    if case.served is not None and case.served.name == best.name and asked is not None and asked <= margin:
        return None
    if best.problem and best.is_named:
        message = f"`{case.name}` cannot be compared with {best.words}: it {best.problem}. {out}"
        return case.result(rule, message, False, margin=margin)
    if best.problem:
        message = f"{best.words[0].upper()}{best.words[1:]}, {best.problem}, so `{case.name}` was not asked for {rule}."
        return case.result(rule, message, None, margin=margin)
    return _not_worse(case, rule, rule, margin, best, out)


def _not_worse(case: Case, rule: str, setting: str, margin: float, other: Served, out: str) -> RuleResult:
    reference = case.whole.rmse(case.scores.names.index(other.name))
    facts: dict[str, Any] = {"reference": reference, "threshold": 1 + margin, "margin": margin}
    if not math.isfinite(case.rmse):
        return case.missing(rule, **facts)
    if not math.isfinite(reference):
        message = f"`{case.name}` cannot be compared with {other.words}, which has no finite eval rmse. {out}"
        return case.result(rule, message, False, **facts)
    ours, theirs = case.resampled(case.name), case.resampled(other.name)
    floor = max(case.whole.floor, float(np.finfo(np.float64).tiny))
    interval = None
    if ours is not None and theirs is not None:
        interval = case.interval(np.maximum(ours, floor) / np.maximum(theirs, floor), case.error)
    passed = interval is not None and interval[1] <= 1 + margin
    theirs_in_words = f"the {number(reference, unlike=case.rmse)} of {other.words}"
    if interval is None and case.scores.few and case.params.allow_few_groups and case.scores.units is not None:
        passed = case.rmse <= max((1 + margin) * reference, case.whole.floor)
        message = (
            f"{case.has_rmse(reference)}, {'not ' if passed else ''}above {limit_text(1 + margin)} times "
            f"{theirs_in_words}: by value, as allow_few_groups lets it, for {case.scores.few} give no interval."
        )
    elif interval is None:
        more = "groups, or set `evaluator.allow_few_groups`." if case.scores.units is not None else "rows."
        message = (
            f"{case.has_rmse(reference)}; whether that is within {percent(margin)} of {theirs_in_words} cannot be "
            f"told from {case.scores.few or 'resamples that are not finite'}. Give the eval split more {more} {out}"
        )
    elif max(case.rmse, reference) <= case.whole.floor:
        message = (
            f"{case.has_rmse(reference)}, level with {theirs_in_words}: both are below the rounding of float32, "
            f"{number(case.whole.floor)}."
        )
    else:
        bound, limit = number(interval[1], unlike=1 + margin), limit_text(1 + margin)
        sure, loss = percent(case.params.confidence), _loss(case, other)
        if loss:
            theirs_in_words = f"the {number(reference, unlike=case.rmse)} of {other.short}"
        message = (
            f"{case.has_rmse(reference)}{loss}; with {sure} confidence that is at most {bound} "
            f"times {theirs_in_words}, {'not ' if passed else ''}above 1 + {setting} {limit}."
        )
        if not passed and 0 < case.rmse <= (1 + margin) * reference:
            # The bound of a model that is level would be about as far above 1 as this one's is above its ratio.
            seen = interval[1] * reference / case.rmse - 1
            if seen > margin:
                message += (
                    f" These rows could have shown that it loses less than {percent(seen)}, not {percent(margin)}."
                )
    return case.result(rule, message, passed, interval=interval, **facts)


def _loss(case: Case, other: Served) -> str:
    """Returns, where the best is asked for, how far the candidate is from both models of before."""
    if other is not case.best:
        return ""
    beside = [model for model in (case.served, other) if model is not None and model.name in case.scores.names]
    found = []
    for model in {model.name: model for model in beside}.values():
        reference = case.whole.rmse(case.scores.names.index(model.name))
        if not (math.isfinite(reference) and reference > 0):
            continue
        share = case.rmse / reference - 1
        found.append(
            f"{percent(abs(share))} {'above' if share > 0 else 'below'} {model.words}"
            if share
            else f"level with {model.words}"
        )
    return f", {' and '.join(found)}" if found else ""
