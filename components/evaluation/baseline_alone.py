"""Says what to do where the gate refuses all but the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crossnet.components.artifacts.evaluation import MEAN_PREDICTOR
from crossnet.components.evaluation.rule_results import Best, Scores, Served
from crossnet.components.evaluation.rules import judge
from crossnet.components.evaluation.slice_rules import judge_slices
from crossnet.components.params.evaluator import EvaluatorParams


def baseline_alone(
    verdict: Mapping[str, Any],
    scores: Scores,
    params: EvaluatorParams,
    *,
    served: Served | None,
    best: Best | None,
    sizes: Mapping[str, int],
) -> Iterator[str]:
    """Yields a sentence where no candidate is blessed and the baseline, as the only model, would be.

    It is judged by every rule, as a run with `models = ["dense"]` would judge it: beside the mean predictor.

    Args:
      verdict: The content of verdict.json.
      scores: The measurements.
      params: The rules.
      served: The version in service, or None.
      best: The best model ever blessed, or None.
      sizes: Bytes of each exported folder.
    """
    name = verdict["baseline"]
    if verdict["blessed"] or name == MEAN_PREDICTOR:
        return
    mean = MEAN_PREDICTOR
    results = [
        *judge(name, scores, params, baseline=mean, served=served, best=best, model_bytes=sizes[name]),
        *judge_slices(name, scores, params, baseline=mean, served=served),
    ]
    if all(result.passed is not False for result in results):
        yield (
            f'Baseline `{name}` alone would pass the gate. To serve it, set `models = ["{name}"]` and run again: it is '
            "not trained again. These eval rows have then chosen it, so expect a slightly higher rmse on new ones."
        )
