"""The same rules on every slice, with the family-wise error under control; see `components.rules` for the decisions."""

from __future__ import annotations

import math

from components.intervals import MIN_ROWS, lower_bound
from components.metrics import ErrorSums
from components.params import EvaluatorParams
from components.rule_results import RuleResult, Scores, Served, limit_text, number, percent


def judge_slices(
    candidate: str, scores: Scores, params: EvaluatorParams, *, baseline: str, served: Served | None
) -> list[RuleResult]:
    """Returns the results about one candidate on all slices: those too small, then each rule in each slice.

    A slice fails only on evidence: when the lower bound of its RMSE, or of the ratio to the reference's, is above the
    limit, with an error of (1 - confidence) / (rules x slices) each. `max_rmse_ratio` divides by the label's standard
    deviation over the whole split, so that all slices have one scale.
    """
    smallest = max(params.min_slice_rows, MIN_ROWS)
    small = [
        RuleResult(
            rule="min_slice_rows",
            metric="rows",
            message=f"Slice `{name}` has {sums.rows:,} rows, fewer than {smallest}: reported, not judged.",
            passed=None,
            rows=sums.rows,
            slice=name,
            candidate=sums.rows,
            threshold=smallest,
        )
        for name, sums in scores.slices.items()
        if sums.rows < smallest
    ]
    judged = {name: sums for name, sums in scores.slices.items() if sums.rows >= smallest}

    limits: dict[str, float] = {}
    if params.max_rmse is not None:
        limits["max_rmse"] = params.max_rmse
    if params.max_rmse_ratio is not None and scores.whole.label_std > 0:
        limits["max_rmse_ratio"] = params.max_rmse_ratio * scores.whole.label_std
    references: dict[str, tuple[str, str, float, float]] = {}  # rule -> column, words, limit of the ratio, margin
    if params.min_improvement is not None:
        share = params.min_improvement
        references["min_improvement"] = (baseline, f"baseline `{baseline}`", 1 - share, share)
    if params.non_inferiority_margin is not None and served is not None and not served.problem:
        margin = params.non_inferiority_margin
        references["non_inferiority"] = (served.name, f"version {served.version} in service", 1 + margin, margin)

    tests = len(judged) * (len(limits) + len(references))
    results = []
    for name, sums in judged.items():
        for rule, limit in limits.items():
            results.append(_against_limit(rule, candidate, name, sums, scores, limit, params, tests))
        for rule, (column, words, ratio, margin) in references.items():
            results.append(
                _against_reference(rule, candidate, name, sums, scores, column, words, ratio, margin, params, tests)
            )
    return small + results


def _against_limit(
    rule: str,
    candidate: str,
    name: str,
    sums: ErrorSums,
    scores: Scores,
    limit: float,
    params: EvaluatorParams,
    tests: int,
) -> RuleResult:
    model = scores.names.index(candidate)
    rmse = sums.rmse(model)
    bound = _lower_bound(sums, model, None, limit, params, tests)
    passed = bound is not None and bound <= limit
    return RuleResult(
        rule=rule,
        metric="rmse",
        slice=name,
        rows=sums.rows,
        candidate=rmse,
        difference=rmse - limit,
        interval=(bound, None),
        threshold=limit,
        passed=passed,
        message=f"On slice `{name}` ({sums.rows:,} rows) `{candidate}` has rmse {number(rmse, limit)}, "
        f"{_verdict(passed)}above {limit_text(limit)} by {rule} ({_bound_in_words(bound, params, tests)}).",
    )


def _against_reference(
    rule: str,
    candidate: str,
    name: str,
    sums: ErrorSums,
    scores: Scores,
    column: str,
    words: str,
    limit: float,
    margin: float,
    params: EvaluatorParams,
    tests: int,
) -> RuleResult:
    model, other = scores.names.index(candidate), scores.names.index(column)
    rmse, reference = sums.rmse(model), sums.rmse(other)
    bound: float | None
    if rmse <= sums.floor:
        bound = 0.0  # at the float32 floor nothing is worse than anything
    elif reference <= sums.floor:
        absolute = _lower_bound(sums, model, None, sums.floor, params, tests)
        bound = None if absolute is None else absolute / sums.floor if sums.floor else math.inf
    else:
        bound = _lower_bound(sums, model, other, limit, params, tests)
    passed = bound is not None and bound <= limit
    return RuleResult(
        rule=rule,
        metric="rmse",
        slice=name,
        rows=sums.rows,
        candidate=rmse,
        reference=reference,
        difference=rmse - reference,
        interval=(bound, None),
        threshold=limit,
        margin=margin,
        passed=passed,
        message=f"On slice `{name}` ({sums.rows:,} rows) `{candidate}` has rmse {number(rmse, reference)}, "
        f"{_verdict(passed)}above {percent(limit)} of the {number(reference, rmse)} of {words} "
        f"({_bound_in_words(bound, params, tests)}).",
    )


def _lower_bound(
    sums: ErrorSums, model: int, other: int | None, limit: float, params: EvaluatorParams, tests: int
) -> float | None:
    """Returns the lower bound of the RMSE, or of its ratio to another model's; None where a sum is not finite."""
    error = (1 - params.confidence) / tests
    mean, products = sums.mean_squares, sums.mean_products
    square = float(products[model, model])
    if not math.isfinite(mean[model]) or not math.isfinite(square):
        return None
    if other is None:
        return lower_bound(float(mean[model]), square, 1.0, 1.0, float(mean[model]), sums.rows, error)
    if not math.isfinite(mean[other]) or not math.isfinite(products[other, other]):
        return None
    return lower_bound(
        float(mean[model]),
        square,
        float(mean[other]),
        float(products[other, other]),
        float(products[model, other]),
        sums.rows,
        error,
    )


def _verdict(passed: bool) -> str:
    return "not shown to be " if passed else ""


def _bound_in_words(bound: float | None, params: EvaluatorParams, tests: int) -> str:
    if bound is None:
        return "no bound: NaN or infinity"
    return f"lower bound {number(bound)}, {percent(params.confidence)} over {tests:,} tests"
