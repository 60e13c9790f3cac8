"""Judges a candidate beside models of before: the one in service."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crossnet.components.evaluation.case import Case
from crossnet.components.evaluation.rule_results import RuleResult, limit_text
from crossnet.components.formats import number, percent


def non_inferiority(case: Case, margin: float) -> RuleResult:
    """Judges whether it is shown to be at most a margin worse than the model in service."""
    rule, served = "non_inferiority", case.served
    if served is None:
        message = f"No other model is in service, so `{case.name}` was not asked for {rule}."
        return case.result(rule, message, None, margin=margin)
    version = f"version {served.version} in service"
    out = "Push with `--force`, or set `evaluator.non_inferiority_margin` to none."
    if served.problem:
        message = f"`{case.name}` cannot be compared with {version}, which {served.problem}. {out}"
        return case.result(rule, message, False, margin=margin)
    reference = case.whole.rmse(case.scores.names.index(served.name))
    facts: dict[str, Any] = {"reference": reference, "threshold": 1 + margin, "margin": margin}
    if not math.isfinite(case.rmse):
        return case.missing(rule, **facts)
    if not math.isfinite(reference):
        message = f"`{case.name}` cannot be compared with {version}, which has no finite eval rmse. {out}"
        return case.result(rule, message, False, **facts)
    ours, theirs = case.resampled(case.name), case.resampled(served.name)
    floor = max(case.whole.floor, float(np.finfo(np.float64).tiny))
    interval = None
    if ours is not None and theirs is not None:
        interval = case.interval(np.maximum(ours, floor) / np.maximum(theirs, floor), case.error)
    passed = interval is not None and interval[1] <= 1 + margin
    theirs_in_words = f"the {number(reference, unlike=case.rmse)} of {version}"
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
        sure = percent(case.params.confidence)
        message = (
            f"{case.has_rmse(reference)}; with {sure} confidence that is at most {bound} "
            f"times {theirs_in_words}, {'not ' if passed else ''}above 1 + non_inferiority_margin {limit}."
        )
        if not passed and 0 < case.rmse <= (1 + margin) * reference:
            # The bound of a model that is level would be about as far above 1 as this one's is above its ratio.
            seen = interval[1] * reference / case.rmse - 1
            if seen > margin:
                message += (
                    f" These rows could have shown that it loses less than {percent(seen)}, not {percent(margin)}."
                )
    return case.result(rule, message, passed, interval=interval, **facts)
