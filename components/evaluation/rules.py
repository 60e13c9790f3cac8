"""Applies the gate's rules to a candidate on the whole eval split.

Two principles:

- On the whole split the candidate has to show that it is good. A rule that cannot be judged is not passed.
- On a slice the data has to show that the candidate is bad: a slice fails when the lower confidence bound of its RMSE
  (or of the ratio to the reference's) is above the limit. The errors are those of Holm, by the number of slice tests
  of the candidate, so that noise closes the gate in at most 1 - `confidence` of all runs.

| State | Decision |
| --- | --- |
| no rule about the error is set | not blessed, `rules_set` fails |
| rules are set and all of them skipped | not blessed, `rules_set` fails |
| no model in service | `non_inferiority` is skipped and says so |
| model in service does not load, has another signature, or predicts NaN | `non_inferiority` fails; a forced push or \
`evaluator.non_inferiority_margin = none` is the way out |
| no other Model of this name was ever blessed | `total_margin` is not asked |
| the best ever blessed is the model in service, and total_margin is not below non_inferiority_margin | `total_margin` \
is not asked: `non_inferiority` says as much |
| the best has another signature or does not load | `total_margin` is skipped and says so |
| the best predicts NaN | `total_margin` fails |
| `evaluator.anchor` names a version that is not there, or is damaged | nothing is planned: a setting is wrong |
| the version that `evaluator.anchor` names has another signature, or does not load | `total_margin` fails |
| bound = 1 + total_margin | passes |
| candidate predicts NaN or infinity in any row | `finite_predictions` fails (always asked), RMSE rules fail |
| metric missing (no rows, NaN labels, a baseline that predicts NaN) | the rule fails |
| rmse = max_rmse, ratio = max_rmse_ratio, bound = 1 + margin, size = max_model_bytes | passes |
| rmse = baseline's rmse | `min_improvement` fails: a tie is not better |
| improvement = min_improvement, not zero | passes |
| min_improvement below zero, a tie or at most so much above the baseline | passes; beside mean and linear model it \
counts as zero |
| both below the float32 floor (`metrics.FLOOR_ULPS`) | a tie: `non_inferiority` passes, `min_improvement` fails |
| baseline above COLLAPSED_RATIO times the mean predictor | it has collapsed, which is said; `min_improvement` is \
measured against the better of mean and linear model |
| rmse = mean predictor's | `max_mean_ratio` fails: it has to be below |
| rmse = linear model's x max_linear_ratio | passes |
| rmse above that, and at most NEAR x label's standard deviation | passes: the label is learned well enough |
| `min_improvement` was measured against the mean predictor or the linear model | its own rule is not asked |
| label has one value | `max_rmse_ratio` fails, the ratio is not defined |
| rows belong to groups, or to blocks of a split by time | these are drawn by resamples, summed in slices, and counted \
in each message |
| fewer than `units.MIN_UNITS` groups | `group` fails, without an interval: `non_inferiority` and `total_margin` \
fail; with `allow_few_groups`, `group` passes and those decide by value |
| one group | `group` fails |
| rows have weights | all metrics and intervals are weighted, and the message says what the rows weigh as; a row of \
weight 0 is only asked for a finite prediction |
| fewer rows than min_eval_rows | `min_eval_rows` fails |
| improvement above min_improvement, its lower bound below | passes, unless `min_improvement_confidence` is above 0.5 |
| improvement below min_improvement, its upper bound above | fails, unless `min_improvement_confidence` is below 0.5 \
(0.05: the upper bound at 0.95), which counts only beside a baseline that has not collapsed |
| rmse above linear model's x max_linear_ratio, the lower bound of the ratio below | fails, unless \
`min_improvement_confidence` is below 0.5 |
| one row, or fewer than `units.MIN_UNITS` | no interval: `non_inferiority` and \
`total_margin` fail, other rules decide on the value |
| slice below max(`min_slice_rows`, `units.MIN_UNITS`) rows, or `units.MIN_UNITS` groups | reported, not judged |
| slice without rows | does not exist |
| a candidate fails, a later one passes | the later one is champion; the failure stays in verdict.json |
"""

from __future__ import annotations

from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR
from crossnet.components.evaluation.baseline_rules import max_linear_ratio, max_mean_ratio, min_improvement
from crossnet.components.evaluation.case import Case
from crossnet.components.evaluation.limit_rules import (
    finite_predictions,
    max_model_bytes,
    max_rmse,
    max_rmse_ratio,
    min_eval_rows,
    more_groups,
    rules_set,
)
from crossnet.components.evaluation.rule_results import Best, RuleResult, Scores, Served
from crossnet.components.evaluation.service_rules import non_inferiority, total_margin
from crossnet.components.evaluation.units import MIN_UNITS
from crossnet.components.params.evaluator import EvaluatorParams


def judge(
    candidate: str,
    scores: Scores,
    params: EvaluatorParams,
    *,
    baseline: str,
    served: Served | None,
    best: Best | None = None,
    model_bytes: int,
) -> list[RuleResult]:
    """Returns every rule's result about one candidate, those of the whole split first.

    Args:
      candidate: Its name.
      scores: The measurements, of the candidate, the baseline and the served model where it can be compared.
      params: The rules.
      baseline: Name of the baseline, a model's or the mean predictor's.
      served: The version in service, or None.
      best: The best model ever blessed, or None.
      model_bytes: Size of the exported folder.
    """
    case, found = Case(candidate, scores, params, baseline=baseline, served=served, best=best), list[RuleResult]()
    if params.max_rmse is not None:
        found.append(max_rmse(case, params.max_rmse))
    if params.max_rmse_ratio is not None:
        found.append(max_rmse_ratio(case, params.max_rmse_ratio))
    if params.min_improvement is not None:
        found.append(min_improvement(case, params.min_improvement))
    # What `min_improvement` has just said of the same reference is not said twice.
    said = None if params.min_improvement is None else case.reference.name
    if params.max_mean_ratio is not None and (said != MEAN_PREDICTOR or params.max_mean_ratio < 1):
        found.append(max_mean_ratio(case, params.max_mean_ratio))
    if params.max_linear_ratio is not None and (said != LINEAR or params.max_linear_ratio < 1):
        found.append(max_linear_ratio(case, params.max_linear_ratio))
    if params.non_inferiority_margin is not None:
        found.append(non_inferiority(case, params.non_inferiority_margin))
    if params.total_margin is not None and best is not None and (result := total_margin(case, params.total_margin)):
        found.append(result)
    if all(result.skipped for result in found):
        found.append(rules_set(case, bool(found)))
    if params.max_model_bytes is not None:
        found.append(max_model_bytes(case, params.max_model_bytes, model_bytes))
    if scores.units is not None and scores.units < (2 if params.allow_few_groups else MIN_UNITS):
        found.append(more_groups(case))
    if scores.whole.rows < params.min_eval_rows:
        found.append(min_eval_rows(case, params.min_eval_rows))
    return [finite_predictions(case), *found]
