"""Applies the gate's rules to a candidate on the whole eval split.

Two principles:

- On the whole split the candidate has to show that it is good. A rule that cannot be judged is not passed.
- On a slice the data has to show that the candidate is bad: a slice fails when the lower confidence bound of its RMSE
  (or of the ratio to the reference's) is above the limit. The error is divided by the number of slice tests of the
  candidate (Bonferroni), so that noise closes the gate in at most 1 - `confidence` of all runs.

| State | Decision |
| --- | --- |
| no rule about the error is set | not blessed, `rules_set` fails |
| rules are set and all of them skipped | not blessed, `rules_set` fails |
| no model in service | `non_inferiority` is skipped and says so |
| model in service does not load, has another signature, or predicts NaN | `non_inferiority` fails; a forced push or \
`evaluator.non_inferiority_margin = none` is the way out |
| candidate predicts NaN or infinity in any row | `finite_predictions` fails (always asked), RMSE rules fail |
| metric missing (no rows, NaN labels, a baseline that predicts NaN) | the rule fails |
| rmse = max_rmse, ratio = max_rmse_ratio, bound = 1 + margin, size = max_model_bytes | passes |
| rmse = baseline's rmse | `min_improvement` fails: a tie is not better |
| improvement = min_improvement, above zero | passes |
| both below the float32 floor (`metrics.FLOOR_ULPS`) | a tie: `non_inferiority` passes, `min_improvement` fails |
| label has one value | `max_rmse_ratio` fails, the ratio is not defined |
| one row, or fewer than `intervals.MIN_ROWS` | no interval: `non_inferiority` fails, other rules decide on the value |
| slice below max(`min_slice_rows`, `intervals.MIN_ROWS`) rows | reported, not judged |
| slice without rows | does not exist |
| a candidate fails, a later one passes | the later one is champion; the failure stays in verdict.json |
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crossnet.components.evaluation.intervals import MIN_ROWS, percentile_interval
from crossnet.components.evaluation.rule_results import RuleResult, Scores, Served, limit_text
from crossnet.components.formats import number, percent
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.serving.protocol.dtypes import Array


def judge(
    candidate: str,
    scores: Scores,
    params: EvaluatorParams,
    *,
    baseline: str,
    served: Served | None,
    model_bytes: int,
) -> list[RuleResult]:
    """Returns every rule's result about one candidate, those of the whole split first.

    Args:
      candidate: Its name.
      scores: The measurements, of the candidate, the baseline and the served model where it can be compared.
      params: The rules.
      baseline: Name of the baseline, a model's or the mean predictor's.
      served: The version in service, or None.
      model_bytes: Size of the exported folder.
    """
    return _Judge(candidate, scores, params, baseline, served).results(model_bytes)


class _Judge:
    def __init__(
        self, candidate: str, scores: Scores, params: EvaluatorParams, baseline: str, served: Served | None
    ) -> None:
        self.name, self.scores, self.params = candidate, scores, params
        self.baseline, self.served = baseline, served
        self.whole = scores.whole
        self.model = scores.names.index(candidate)
        self.rmse = self.whole.rmse(self.model)
        self.error = 1 - params.confidence

    def results(self, model_bytes: int) -> list[RuleResult]:
        params, found = self.params, [self.finite_predictions()]
        if params.max_rmse is not None:
            found.append(self.max_rmse(params.max_rmse))
        if params.max_rmse_ratio is not None:
            found.append(self.max_rmse_ratio(params.max_rmse_ratio))
        if params.min_improvement is not None:
            found.append(self.min_improvement(params.min_improvement))
        if params.non_inferiority_margin is not None:
            found.append(self.non_inferiority(params.non_inferiority_margin))
        if all(result.skipped for result in found[1:]):
            found.append(self.rules_set(len(found) > 1))
        if params.max_model_bytes is not None:
            found.append(self.max_model_bytes(params.max_model_bytes, model_bytes))
        return found

    def result(self, rule: str, message: str, passed: bool | None, metric: str = "rmse", **facts: Any) -> RuleResult:
        facts = {"rows": self.whole.rows, "candidate": self.rmse} | facts
        reference = facts.get("reference", facts.get("threshold"))
        if reference is not None and facts["candidate"] is not None:
            facts["difference"] = facts["candidate"] - reference
        return RuleResult(rule=rule, metric=metric, message=message, passed=passed, **facts)

    def has_rmse(self, other: float = math.nan) -> str:
        return f"`{self.name}` has eval rmse {number(self.rmse, unlike=other)} on {self.whole.rows:,} rows"

    def missing(self, rule: str, metric: str = "rmse", **facts: Any) -> RuleResult:
        return self.result(
            rule,
            f"`{self.name}` has no finite eval {metric} on {self.whole.rows:,} rows, which {rule} asks for.",
            False,
            metric,
            **facts,
        )

    def interval(self, samples: Array | None, scale: float = 1.0, one_sided: bool = False) -> Any:
        if samples is None:
            return None
        tail = self.error if one_sided else self.error / 2
        return percentile_interval(samples * scale, tail, 1 - tail)

    def resampled(self, name: str) -> Array | None:
        return None if self.scores.resampled is None else self.scores.resampled[:, self.scores.names.index(name)]

    def in_words(self, interval: tuple[float, float] | None, of: str = "", form: Any = number) -> str:
        if interval is None:
            return f"no interval: fewer than {MIN_ROWS} rows" if self.whole.rows < MIN_ROWS else "no interval"
        return f"{percent(self.params.confidence)} interval{of} {form(interval[0])} to {form(interval[1])}"

    def finite_predictions(self) -> RuleResult:
        count = int(self.whole.nonfinite[self.model])
        bad = f"predicts NaN or infinity in {count:,} of {self.whole.rows:,} eval rows" if count else ""
        message = f"`{self.name}` {bad or f'predicts a finite number in all {self.whole.rows:,} eval rows'}."
        return self.result("finite_predictions", message, not count, "nonfinite", candidate=count, threshold=0)

    def rules_set(self, skipped: bool) -> RuleResult:
        why = "Every rule about its error was skipped" if skipped else "No rule about its error is set"
        return self.result(
            "rules_set",
            f"{why}, so nothing says that `{self.name}` is good. Set `evaluator.max_rmse` to the highest "
            "rmse you accept.",
            False,
        )

    def max_rmse(self, limit: float) -> RuleResult:
        if not math.isfinite(self.rmse):
            return self.missing("max_rmse", threshold=limit)
        interval = self.interval(self.resampled(self.name))
        passed = self.rmse <= limit
        message = (
            f"{self.has_rmse(limit)}, {'not ' if passed else ''}above max_rmse {limit_text(limit)} "
            f"({self.in_words(interval)})."
        )
        return self.result("max_rmse", message, passed, interval=interval, threshold=limit)

    def max_rmse_ratio(self, limit: float) -> RuleResult:
        std, metric = self.whole.label_std, "rmse_ratio"
        if std == 0:
            return self.result(
                "max_rmse_ratio",
                f"The label has one value in all {self.whole.rows:,} eval rows, so `{self.name}` has "
                "no rmse_ratio, which max_rmse_ratio asks for.",
                False,
                metric,
                candidate=None,
                threshold=limit,
            )
        ratio = self.rmse / std
        if not math.isfinite(ratio):
            return self.missing("max_rmse_ratio", metric, candidate=None, threshold=limit)
        interval = self.interval(self.resampled(self.name), 1 / std)
        passed = ratio <= limit
        message = (
            f"{self.has_rmse()}, {number(ratio, unlike=limit)} of the label's standard deviation {number(std)}, "
            f"{'not ' if passed else ''}above max_rmse_ratio {limit_text(limit)} ({self.in_words(interval)})."
        )
        return self.result(
            "max_rmse_ratio", message, passed, metric, candidate=ratio, interval=interval, threshold=limit
        )

    def min_improvement(self, share: float) -> RuleResult:
        reference = self.whole.rmse(self.scores.names.index(self.baseline))
        limit = (1 - share) * reference
        facts: dict[str, Any] = {"reference": reference, "threshold": limit, "margin": share}
        if not math.isfinite(self.rmse):
            return self.missing("min_improvement", **facts)
        if not math.isfinite(reference):
            return self.result(
                "min_improvement",
                f"Baseline `{self.baseline}` has no finite eval rmse, so `{self.name}` cannot be "
                "shown to be better than it.",
                False,
                **facts,
            )
        tie = self.rmse == reference or max(self.rmse, reference) <= self.whole.floor
        passed = not tie and self.rmse <= limit
        gain = 1 - self.rmse / reference if reference else 0.0
        how = "level with" if tie else f"{percent(abs(gain))} {'below' if gain > 0 else 'above'}"
        wanted = f", where at least {percent(share)} below is asked for" if share else ", where it has to be better"
        ours, theirs = self.resampled(self.name), self.resampled(self.baseline)
        interval = None if ours is None or theirs is None or not theirs.all() else self.interval(1 - ours / theirs)
        message = (
            f"{self.has_rmse(reference)}, {how} the {number(reference, unlike=self.rmse)} of baseline `{self.baseline}`"
            f"{'' if passed else wanted} ({self.in_words(interval, ' of the improvement', percent)})."
        )
        return self.result("min_improvement", message, passed, interval=interval, **facts)

    def non_inferiority(self, margin: float) -> RuleResult:
        rule, served = "non_inferiority", self.served
        if served is None:
            message = f"No other model is in service, so `{self.name}` was not asked for {rule}."
            return self.result(rule, message, None, margin=margin)
        version = f"version {served.version} in service"
        out = "Push with `--force`, or set `evaluator.non_inferiority_margin` to none."
        if served.problem:
            message = f"`{self.name}` cannot be compared with {version}, which {served.problem}. {out}"
            return self.result(rule, message, False, margin=margin)
        reference = self.whole.rmse(self.scores.names.index(served.name))
        facts: dict[str, Any] = {"reference": reference, "threshold": 1 + margin, "margin": margin}
        if not math.isfinite(self.rmse):
            return self.missing(rule, **facts)
        if not math.isfinite(reference):
            message = f"`{self.name}` cannot be compared with {version}, which has no finite eval rmse. {out}"
            return self.result(rule, message, False, **facts)
        ours, theirs = self.resampled(self.name), self.resampled(served.name)
        floor = max(self.whole.floor, float(np.finfo(np.float64).tiny))
        interval = None
        if ours is not None and theirs is not None:
            interval = self.interval(np.maximum(ours, floor) / np.maximum(theirs, floor), one_sided=True)
        passed = interval is not None and interval[1] <= 1 + margin
        theirs_in_words = f"the {number(reference, unlike=self.rmse)} of {version}"
        if interval is None:
            message = (
                f"{self.has_rmse(reference)}; whether that is within {percent(margin)} of {theirs_in_words} cannot be "
                f"told from fewer than {MIN_ROWS} rows. Give the eval split more rows. {out}"
            )
        else:
            bound, limit = number(interval[1], unlike=1 + margin), limit_text(1 + margin)
            sure = percent(self.params.confidence)
            message = (
                f"{self.has_rmse(reference)}; with {sure} confidence that is at most {bound} "
                f"times {theirs_in_words}, {'not ' if passed else ''}above 1 + non_inferiority_margin {limit}."
            )
        return self.result(rule, message, passed, interval=interval, **facts)

    def max_model_bytes(self, limit: int, size: int) -> RuleResult:
        passed = size <= limit
        message = f"`{self.name}` exports {size:,} bytes, {'not ' if passed else ''}above max_model_bytes {limit:,}."
        return self.result("max_model_bytes", message, passed, "model_bytes", candidate=size, threshold=limit)
