"""Holds what the rules know of one candidate, and words for it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR, REFERENCES
from crossnet.components.evaluation.intervals import percentile_interval
from crossnet.components.evaluation.rule_results import Best, RuleResult, Scores, Served
from crossnet.components.formats import number, percent
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.serving.protocol.dtypes import Array

# A network whose units have died predicts one number, and may be luckier with it than the mean of train by a little.
COLLAPSED_RATIO = 0.995


class Reference(NamedTuple):
    """What `min_improvement` is measured against.

    Attributes:
      name: Its name in the scores.
      words: The same for a sentence.
      collapsed: Why it is not the baseline, as a sentence; empty where it is.
    """

    name: str
    words: str
    collapsed: str = ""

    def share(self, min_improvement: float) -> float:
        """Returns what is asked for: to be above it by a share is allowed beside a baseline that was trained alone."""
        return max(min_improvement, 0.0) if self.name in REFERENCES else min_improvement


def improvement_reference(scores: Scores, baseline: str) -> Reference:
    """Returns the baseline or, where it is not better than the mean predictor, the better of mean and linear model."""
    ours = Reference(baseline, "always predicting the mean" if baseline == MEAN_PREDICTOR else f"baseline `{baseline}`")
    known = [name for name in REFERENCES if name in scores.names]
    if MEAN_PREDICTOR not in known or baseline == MEAN_PREDICTOR:
        return ours
    rmse = {name: scores.whole.rmse(scores.names.index(name)) for name in (*known, baseline)}
    if not rmse[baseline] > COLLAPSED_RATIO * rmse[MEAN_PREDICTOR]:
        return ours
    best = min(known, key=lambda name: rmse[name] if math.isfinite(rmse[name]) else math.inf)
    words = "the linear model" if best == LINEAR else "always predicting the mean"
    how = "is not below" if rmse[baseline] >= rmse[MEAN_PREDICTOR] else f"is not {percent(1 - COLLAPSED_RATIO)} below"
    return Reference(
        best,
        f"{words}, as baseline `{baseline}` has collapsed",
        f"`{baseline}` has collapsed: its eval rmse {number(rmse[baseline], unlike=rmse[MEAN_PREDICTOR])} {how} "
        f"the {number(rmse[MEAN_PREDICTOR], unlike=rmse[baseline])} of always predicting the mean, so candidates are "
        f"compared with {words}.",
    )


class Case:
    """One candidate before the rules.

    Args:
      candidate: Its name.
      scores: The measurements, of the candidate, the baseline and the served model where it can be compared.
      params: The rules.
      baseline: Name of the baseline, a model's or the mean predictor's.
      served: The version in service, or None.
      best: The best model ever blessed, or None.

    Attributes:
      rmse: The candidate's, over the eval split.
      reference: What an improvement is measured against.
    """

    def __init__(
        self,
        candidate: str,
        scores: Scores,
        params: EvaluatorParams,
        *,
        baseline: str,
        served: Served | None,
        best: Best | None = None,
    ) -> None:
        self.name, self.scores, self.params = candidate, scores, params
        self.baseline, self.served, self.best = baseline, served, best
        self.whole = scores.whole
        self.model = scores.names.index(candidate)
        self.rmse = self.whole.rmse(self.model)
        self.error = 1 - params.confidence
        self.reference = improvement_reference(scores, baseline)

    def result(self, rule: str, message: str, passed: bool | None, metric: str = "rmse", **facts: Any) -> RuleResult:
        """Returns a result about the whole split."""
        facts = {"rows": self.whole.rows, "candidate": self.rmse} | facts
        reference = facts.get("reference", facts.get("threshold"))
        if reference is not None and facts["candidate"] is not None:
            facts["difference"] = facts["candidate"] - reference
        return RuleResult(rule=rule, metric=metric, message=message, passed=passed, **facts)

    def has_rmse(self, other: float = math.nan) -> str:
        """Returns the beginning of a sentence; `other` is a number that follows."""
        return f"`{self.name}` has eval rmse {number(self.rmse, unlike=other)} on {self.scores.extent}"

    def missing(self, rule: str, metric: str = "rmse", **facts: Any) -> RuleResult:
        """Returns the failure of a rule that has nothing to judge."""
        return self.result(
            rule,
            f"`{self.name}` has no finite eval {metric} on {self.scores.extent}, which {rule} asks for.",
            False,
            metric,
            **facts,
        )

    def interval(self, samples: Array | None, one_sided: float | None = None) -> tuple[float, float] | None:
        """Returns the interval of a quantity that is given in each resample; `one_sided`: the error at each end."""
        if samples is None:
            return None
        tail = self.error / 2 if one_sided is None else one_sided
        return percentile_interval(samples, tail, 1 - tail)

    def own_interval(self, scale: float = 1.0) -> tuple[float, float] | None:
        """Returns the interval of its RMSE times `scale`; None where there is none."""
        found = self.scores.resampled
        return None if found is None else found.interval(self.model, self.error, scale)

    def resampled(self, name: str) -> Array | None:
        """Returns the resampled RMSE of a model, float64 (replicates,)."""
        return None if self.scores.resampled is None else self.scores.resampled.rmse[:, self.scores.names.index(name)]

    def in_words(self, interval: tuple[float, float] | None, of: str = "", form: Any = number) -> str:
        """Returns an interval in words."""
        if interval is None:
            return f"no interval: {self.scores.few}" if self.scores.few else "no interval"
        return f"{percent(self.params.confidence)} interval{of} {form(interval[0])} to {form(interval[1])}"
