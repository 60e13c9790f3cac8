"""Judges a candidate beside baseline, mean predictor and linear model."""

from __future__ import annotations

import math
from typing import Any

from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR, REFERENCES
from crossnet.components.evaluation.case import Case
from crossnet.components.evaluation.rule_results import RuleResult, limit_text
from crossnet.components.formats import number, percent

# Up to this share of the label's standard deviation an error explains the label all but wholly, R2 0.9999: there a
# linear model in float64 may be thousands of times closer to a label that is linear, and nobody is served better.
NEAR = 0.01


def min_improvement(case: Case, share: float) -> RuleResult:
    """Judges whether it is better than the baseline by a share.

    With a confidence below one half the doubt is the candidate's, except beside the mean predictor or linear model that
    stands in for a baseline that has collapsed.
    """
    beside = case.reference
    share = beside.share(share)
    reference = case.whole.rmse(case.scores.names.index(beside.name))
    limit = (1 - share) * reference
    facts: dict[str, Any] = {"reference": reference, "threshold": limit, "margin": share}
    if not math.isfinite(case.rmse):
        return case.missing("min_improvement", **facts)
    if not math.isfinite(reference):
        return case.result(
            "min_improvement",
            f"{beside.words[0].upper()}{beside.words[1:]} has no finite eval rmse, so `{case.name}` cannot be "
            "shown to be better than it.",
            False,
            **facts,
        )
    tie = case.rmse == reference or max(case.rmse, reference) <= case.whole.floor
    sure = case.params.min_improvement_confidence
    if sure is not None and sure < 0.5 and beside.name in REFERENCES:
        sure = None
    reached = case.rmse <= limit and not (tie and share >= 0)
    bound = None if sure is None else _improvement(case, beside.name, one_sided=1 - sure)
    shown = bound is not None and bound[0] >= share and (bound[0] > 0 or share != 0)
    passed = reached if sure is None else reached and shown if sure >= 0.5 else reached or shown
    gain = 1 - case.rmse / reference if reference else 0.0
    how = "level with" if tie else f"{percent(abs(gain))} {'below' if gain > 0 else 'above'}"
    interval = _improvement(case, beside.name)
    if passed and not reached:
        asked = f"; these rows do not show with {percent(1 - (sure or 0))} confidence that it is {_missed(share)}"
    elif passed and (gain >= 0 or tie):
        asked = ""
    else:
        asked = _wanted(share, None if passed and sure is not None and sure < 0.5 else sure)
    message = (
        f"{case.has_rmse(reference)}, {how} the {number(reference, unlike=case.rmse)} of {beside.words}{asked}"
        f" ({case.in_words(interval, ' of the improvement', percent)})."
    )
    return case.result("min_improvement", message, passed, interval=interval, **facts)


def _wanted(share: float, sure: float | None) -> str:
    """Returns what the rule asks for, as the end of a sentence."""
    if share < 0:
        words = f", where at most {percent(-share)} above is allowed"
    else:
        words = f", where at least {percent(share)} below is asked for" if share else ", where it has to be better"
    if sure is None:
        return words
    if sure < 0.5:
        return f"{words}, and these rows show with {percent(1 - sure)} confidence that it is {_missed(share)}"
    return words + (f" with {percent(sure)} confidence" if share else f", with {percent(sure)} confidence")


def _missed(share: float) -> str:
    """Returns what a candidate is that misses the share."""
    if share < 0:
        return f"more than {percent(-share)} above"
    return f"less than {percent(share)} below" if share else "not better"


def max_mean_ratio(case: Case, limit: float) -> RuleResult:
    """Judges whether it is better than always predicting the mean of train."""
    reference = case.whole.rmse(case.scores.names.index(MEAN_PREDICTOR))
    facts: dict[str, Any] = {"reference": reference, "threshold": limit * reference}
    if not math.isfinite(case.rmse):
        return case.missing("max_mean_ratio", **facts)
    if not math.isfinite(reference):
        return _unknown(case, "max_mean_ratio", "the mean predictor", facts)
    passed = case.rmse < limit * reference
    theirs = number(reference, unlike=case.rmse)
    if case.rmse >= reference:
        how = (
            f"{'level with' if case.rmse == reference else 'worse than'} always predicting the mean, which has {theirs}"
        )
    else:
        how = f"{percent(1 - case.rmse / reference)} below the {theirs} of always predicting the mean"
    wanted = "" if passed or limit >= 1 else f", not below max_mean_ratio {limit_text(limit)}"
    interval = _improvement(case, MEAN_PREDICTOR)
    message = f"{case.has_rmse(reference)}, {how}{wanted} ({case.in_words(interval, ' of the improvement', percent)})."
    return case.result("max_mean_ratio", message, passed, interval=interval, **facts)


def max_linear_ratio(case: Case, limit: float) -> RuleResult:
    """Judges whether it is about as good as a linear model, or near the label in any case.

    With a `min_improvement_confidence` below one half the doubt is the candidate's, as beside the baseline.
    """
    reference = case.whole.rmse(case.scores.names.index(LINEAR))
    near = NEAR * case.whole.label_std
    facts: dict[str, Any] = {"reference": reference, "threshold": max(limit * reference, near)}
    if not math.isfinite(case.rmse):
        return case.missing("max_linear_ratio", **facts)
    if not math.isfinite(reference):
        return _unknown(case, "max_linear_ratio", "a linear model", facts)
    reached = case.rmse <= limit * reference or case.rmse <= near
    sure = case.params.min_improvement_confidence
    best = None if sure is None or sure >= 0.5 else _improvement(case, LINEAR, one_sided=1 - sure)
    passed = reached or (best is not None and best[0] >= 1 - limit)
    share = abs(1 - case.rmse / reference) if reference else math.inf
    theirs = number(reference, unlike=case.rmse)
    if case.rmse > limit * reference and reached:
        how = f"not above 1 % of the label's standard deviation, beside the {theirs} of a linear model"
    elif case.rmse == reference:
        how = f"level with the {theirs} of a linear model"
    else:
        how = f"{percent(share)} {'below' if case.rmse < reference else 'above'} the {theirs} of a linear model"
    if reached:
        wanted = ""
    elif passed:
        wanted = (
            f"; these rows do not show with {percent(1 - (sure or 0))} confidence that it is above max_linear_ratio "
        )
        wanted += limit_text(limit)
    else:
        wanted = f", where max_linear_ratio {limit_text(limit)} is the most"
        if best is not None:
            wanted += f", and these rows show with {percent(1 - (sure or 0))} confidence that it is above"
    interval = _improvement(case, LINEAR)
    message = f"{case.has_rmse(reference)}, {how}{wanted} ({case.in_words(interval, ' of the improvement', percent)})."
    return case.result("max_linear_ratio", message, passed, interval=interval, **facts)


def _unknown(case: Case, rule: str, beside: str, facts: dict[str, Any]) -> RuleResult:
    message = f"`{case.name}` cannot be compared with {beside}, which has no finite eval rmse."
    return case.result(rule, message, False, **facts)


def _improvement(case: Case, name: str, one_sided: float | None = None) -> tuple[float, float] | None:
    """Returns the interval of the share by which it is below another; `one_sided`: the error at each end."""
    ours, theirs = case.resampled(case.name), case.resampled(name)
    found = None if ours is None or theirs is None or not theirs.all() else case.interval(1 - ours / theirs, one_sided)
    return found
