"""Applies the gate's rules to a candidate on every slice.

The family-wise error is under control. `crossnet.components.evaluation.rules` holds the decisions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from crossnet.components.evaluation.case import improvement_reference
from crossnet.components.evaluation.intervals import lower_bound
from crossnet.components.evaluation.metrics import ErrorSums
from crossnet.components.evaluation.rule_results import RuleResult, Scores, Served, limit_text
from crossnet.components.evaluation.units import MIN_UNITS
from crossnet.components.formats import counted, number, percent
from crossnet.components.params.evaluator import EvaluatorParams


def judge_slices(
    candidate: str, scores: Scores, params: EvaluatorParams, *, baseline: str, served: Served | None
) -> list[RuleResult]:
    """Returns the results about one candidate on all slices: those too small, then each rule in each slice.

    A slice fails only on evidence: when the lower bound of its RMSE, or of the ratio to the reference's, is above the
    limit, with an error of (1 - confidence) / (rules x slices - those that have failed) each (Holm 1979).
    `max_rmse_ratio` divides by the label's standard deviation over the whole split, so that all slices have one scale.
    """
    smallest = max(params.min_slice_rows, MIN_UNITS)
    small = [
        RuleResult(
            rule="min_slice_rows",
            metric="rows",
            message=f"Slice `{name}` has {_extent(sums, smallest)}: reported, not judged.",
            passed=None,
            rows=sums.rows,
            slice=name,
            candidate=sums.rows,
            threshold=smallest,
        )
        for name, sums in scores.slices.items()
        if _extent(sums, smallest)
    ]
    judged = {name: sums for name, sums in scores.slices.items() if not _extent(sums, smallest)}

    asked = _rules(scores, params, baseline, served)
    tests = len(judged) * len(asked)
    confidence = f"{percent(params.confidence)} over {counted(tests, 'test')}"
    found: dict[tuple[str, str], RuleResult] = {}
    failed = -1
    # Holm's step-down: what has failed no longer counts among those that may fail by chance.
    while failed < (failed := sum(result.passed is False for result in found.values())):
        error = (1 - params.confidence) / max(tests - failed, 1)
        for name, sums in judged.items():
            for rule in asked:
                if (before := found.get((name, rule.name))) is None or before.passed:
                    found[name, rule.name] = _judge(rule, candidate, name, sums, scores, error, confidence)
    return small + list(found.values())


def _extent(sums: ErrorSums, smallest: int) -> str:
    """Returns how large a slice is that is too small to be judged; empty where it is not."""
    if sums.rows < smallest:
        return f"{sums.rows:,} rows, fewer than {smallest}"
    if sums.groups is not None and sums.groups.count < MIN_UNITS:
        return f"{sums.rows:,} rows in {counted(sums.groups.count, 'group')}, fewer than {MIN_UNITS}"
    return ""


@dataclass(frozen=True)
class _Rule:
    """A rule as slices are asked: the RMSE, or its ratio to a reference's, is not shown to be above `limit`.

    Attributes:
      name: The setting's name.
      limit: Of the RMSE, or of the ratio.
      words: The limit, or the reference, in words.
      reference: The reference's name in the scores; "" where there is none.
      margin: Share of the reference's RMSE, for the record.
    """

    name: str
    limit: float
    words: str
    reference: str = ""
    margin: float | None = None


def _rules(scores: Scores, params: EvaluatorParams, baseline: str, served: Served | None) -> list[_Rule]:
    rules, std = [], scores.whole.label_std
    if (limit := params.max_rmse) is not None:
        rules.append(_Rule("max_rmse", limit, f"max_rmse {limit_text(limit)}"))
    if (share := params.max_rmse_ratio) is not None and std > 0:
        words = f"max_rmse_ratio {limit_text(share)} of the label's standard deviation {number(std)}"
        rules.append(_Rule("max_rmse_ratio", share * std, words))
    if (share := params.min_improvement) is not None:
        reference = improvement_reference(scores, baseline)
        share = reference.share(share)
        rules.append(_Rule("min_improvement", 1 - share, reference.words, reference.name, share))
    if (margin := params.non_inferiority_margin) is not None and served is not None and not served.problem:
        rules.append(_Rule("non_inferiority", 1 + margin, served.words, served.name, margin))
    return rules


def _judge(
    rule: _Rule, candidate: str, name: str, sums: ErrorSums, scores: Scores, error: float, confidence: str
) -> RuleResult:
    model = scores.names.index(candidate)
    other = scores.names.index(rule.reference) if rule.reference else None
    rmse = sums.rmse(model)
    if other is None:
        reference, than = None, rule.words
        bound = _lower_bound(sums, model, None, error)
    else:
        reference = sums.rmse(other)
        than = f"{percent(rule.limit)} of the {number(reference, unlike=rmse)} of {rule.words}"
        bound = _ratio_bound(sums, model, other, error)
    passed = bound is not None and bound <= rule.limit
    in_words = "no bound: NaN or infinity" if bound is None else f"lower bound {number(bound)}, {confidence}"
    return RuleResult(
        rule=rule.name,
        metric="rmse",
        slice=name,
        rows=sums.rows,
        candidate=rmse,
        reference=reference,
        difference=rmse - (rule.limit if reference is None else reference),
        interval=(bound, None),
        threshold=rule.limit,
        margin=rule.margin,
        passed=passed,
        message=f"On slice `{name}` ({sums.rows:,} rows) `{candidate}` has rmse "
        f"{number(rmse, unlike=rule.limit if reference is None else reference)}, "
        f"{'not shown to be ' if passed else ''}above {than} ({in_words}).",
    )


def _ratio_bound(sums: ErrorSums, model: int, other: int, error: float) -> float | None:
    """Returns the lower bound of the ratio, where no RMSE counts as less than the float32 floor."""
    if sums.rmse(model) <= sums.floor:
        return 0.0
    if sums.rmse(other) <= sums.floor:
        absolute = _lower_bound(sums, model, None, error)
        return None if absolute is None else absolute / sums.floor if sums.floor else math.inf
    return _lower_bound(sums, model, other, error)


def _lower_bound(sums: ErrorSums, model: int, other: int | None, error: float) -> float | None:
    """Returns the lower bound of the RMSE, or of its ratio to another model's; None where a sum is not finite."""
    found, beside = sums.moments(), -1 if other is None else other  # last stands the weight
    means, products = found.means, found.products
    numbers = (
        float(means[model]),
        float(products[model, model]),
        float(means[beside]),
        float(products[beside, beside]),
        float(products[model, beside]),
    )
    return lower_bound(*numbers, found.units, error) if all(map(math.isfinite, numbers)) else None
