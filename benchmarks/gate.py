"""Counts how often the gate decides as it promises, on simulated models.

Errors of the two models in a row share a part, as those of two models of one table do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.harness import Row
from crossnet.components.evaluation.metrics import ErrorSums
from crossnet.components.evaluation.rule_results import Scores, Served
from crossnet.components.evaluation.rules import judge
from crossnet.components.evaluation.slice_rules import judge_slices
from crossnet.components.evaluation.units import UnitSums
from crossnet.components.params.evaluator import EvaluatorParams

Array = np.ndarray[Any, Any]
PAIRS = 1000
FAMILIES = 200
ROWS = 10_000
SLICES = 100
MARGIN = 0.05
SERVED = Served("1")
OFF: dict[str, Any] = {"max_rmse": None, "max_rmse_ratio": None, "min_improvement": None, "max_mean_ratio": None}
OFF |= {"max_linear_ratio": None}


def rows() -> Iterator[Row]:
    """Yields the rates of decisions that are promised."""
    yield _share(
        f"non-inferiority blessed, true difference = margin {MARGIN:.0%}, {ROWS:,} rows, {PAIRS:,} pairs",
        sum(_blessed(seed, 1 + MARGIN) for seed in range(PAIRS)) / PAIRS, "2.5 % to 7.5 %", 0.025, 0.075,
    )  # fmt: skip
    yield _share(
        f"non-inferiority blessed, no difference, margin {MARGIN:.0%}, {ROWS:,} rows, {PAIRS:,} pairs",
        sum(_blessed(seed, 1.0) for seed in range(PAIRS)) / PAIRS, ">= 80 %", 0.8, 1.0,
    )  # fmt: skip
    for kind in ("normal", "laplace"):
        for limit, margin in (("no margin", 0.0), (f"margin {MARGIN:.0%}, no difference", MARGIN)):
            yield _share(
                f"gate closed by {SLICES} noise slices of about {ROWS // SLICES} rows, {kind} errors, {limit}, "
                f"{FAMILIES} families",
                sum(_false_alarm(seed, kind, margin) for seed in range(FAMILIES)) / FAMILIES, "<= 5 %", 0.0, 0.05,
            )  # fmt: skip
    yield _share(
        "planted regression on a 5 % slice (rmse doubled) that improves the whole: blocked, slice named, 100 tables",
        sum(_caught(seed) for seed in range(100)) / 100, "= 100 %", 1.0, 1.0,
    )  # fmt: skip


def _share(case: str, share: float, goal: str, least: float, most: float) -> Row:
    return Row("gate", case, 100 * share, None, "%", share, goal, least <= share <= most, better="")


def _pair(random: np.random.Generator, kind: str = "normal") -> tuple[Array, Array]:
    draw = random.normal if kind == "normal" else random.laplace
    shared = draw(0, 1, ROWS)
    return shared + 0.5 * draw(0, 1, ROWS), shared + 0.5 * draw(0, 1, ROWS)


def _scores(candidate: Array, reference: Array, zones: Array | None, replicates: int, seed: int) -> Scores:
    errors, labels = np.stack([candidate, reference]), np.zeros(len(candidate))
    whole, units = ErrorSums(2), UnitSums(2)
    units.add(whole.add(labels, errors))
    slices = {}
    for zone in () if zones is None else np.unique(zones):
        slices[f"zone={zone}"] = ErrorSums(2)
        slices[f"zone={zone}"].add(labels[zones == zone], errors[:, zones == zone])
    return Scores(("candidate", SERVED.name), whole, slices, units.resampled(replicates, seed))


def _blessed(seed: int, ratio: float) -> bool:
    """Whether a candidate whose true RMSE is `ratio` times the served model's passes."""
    random = np.random.default_rng([1, seed])
    candidate, reference = _pair(random)
    params = EvaluatorParams(**OFF, non_inferiority_margin=MARGIN)
    scores = _scores(ratio * candidate, reference, None, params.num_bootstrap, seed)
    found = judge("candidate", scores, params, baseline="none", served=SERVED, model_bytes=0)
    return next(result for result in found if result.rule == "non_inferiority").passed is True


def _false_alarm(seed: int, kind: str, margin: float) -> bool:
    """Whether any slice fails though the models are equally good; without margin the limit is the truth itself."""
    random = np.random.default_rng([2, seed])
    candidate, reference = _pair(random, kind)
    zones = random.integers(0, SLICES, ROWS)
    share = {"min_improvement": 0.0} if margin == 0 else {"min_improvement": None}
    params = EvaluatorParams(**OFF | share, non_inferiority_margin=margin or None, min_slice_rows=20)
    scores = _scores(candidate, reference, zones, 1, seed)
    found = judge_slices("candidate", scores, params, baseline=SERVED.name, served=SERVED)
    return any(result.passed is False for result in found)


def _caught(seed: int) -> bool:
    """Whether the gate is closed by the bad slice alone, and names it."""
    random = np.random.default_rng([3, seed])
    candidate, reference = _pair(random)
    zones = (np.arange(ROWS) < 0.05 * ROWS).astype(int)
    candidate = reference * np.where(zones == 1, 2.0, 0.75) + 0.1 * (candidate - reference)
    params = EvaluatorParams(**OFF, non_inferiority_margin=MARGIN)
    scores = _scores(candidate, reference, zones, params.num_bootstrap, seed)
    whole = judge("candidate", scores, params, baseline="none", served=SERVED, model_bytes=0)
    parts = judge_slices("candidate", scores, params, baseline="none", served=SERVED)
    failed = [result.slice for result in parts if result.passed is False]
    better = scores.whole.rmse(0) < scores.whole.rmse(1)
    return better and all(result.passed for result in whole) and failed == ["zone=1"]
