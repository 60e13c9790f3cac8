"""Counts how often the gate decides as it promises, on simulated models.

Errors of the two models in a row share a part, as those of two models of one table do. Rules, intervals and sentences
are the Evaluator's own. `python -m benchmarks.gate --users 100` goes through whole runs in their place.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import Row
from crossnet.components.evaluation.grouping import block_rows
from crossnet.components.evaluation.metrics import ErrorSums
from crossnet.components.evaluation.notes import notes_on
from crossnet.components.evaluation.rule_results import Best, Scores, Served
from crossnet.components.evaluation.rules import judge
from crossnet.components.evaluation.slice_rules import judge_slices
from crossnet.components.evaluation.units import UnitSums
from crossnet.components.params.evaluator import EvaluatorParams

Array = np.ndarray[Any, Any]
Draw = Callable[[np.random.Generator], Array]
SAMPLES = 1000
FAMILIES = 200
CHAINS = 20
ROWS = 10_000
SLICES = 100
MARGIN = 0.05
ALIKE = 0.9  # how the errors of two models correlate
SERVED, BEST = Served("1"), Best("0")
OFF: dict[str, Any] = {"max_rmse": None, "max_rmse_ratio": None, "min_improvement": None, "max_mean_ratio": None}
OFF |= {"max_linear_ratio": None, "total_margin": None}


class Errors(NamedTuple):
    """A kind of errors, of mean 0.

    Attributes:
      name: In words.
      draw: Returns the errors of one model, float64 (rows,).
      rmse: The true one.
      groups: What rows belong to, int64 (rows,); None: to nothing.
      coverage: Least and highest share of 95 % intervals that should hold the truth.
      margin: Whether decisions at the margin are counted too.
      level: Whether those without a difference are.
    """

    name: str
    draw: Draw
    rmse: float = 1.0
    groups: Array | None = None
    coverage: tuple[float, float] = (0.93, 0.97)
    margin: bool = False
    level: bool = False


def rows() -> Iterator[Row]:
    """Yields the rates of decisions that are promised."""
    for errors in _kinds():
        yield from _intervals(errors)
    yield _share(
        f"the sentence on heavy tails appears, Student's errors with 3 degrees, 1,000 rows, {SAMPLES:,} samples",
        sum(_is_heavy(seed) for seed in range(SAMPLES)) / SAMPLES, ">= 90 %", 0.9, 1.0,
    )  # fmt: skip
    most = max(_creep(seed) for seed in range(CHAINS))
    yield Row(
        "gate", f"candidates that pass of 20, each 3 % worse, total margin {MARGIN:.0%}, most of {CHAINS} chains",
        most, None, "passed", most, "<= 2", most <= 2, better="",
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


def _kinds() -> Iterator[Errors]:
    for count in (100, 1000, ROWS):
        is_large = count == ROWS
        yield Errors(f"normal errors, {count:,} rows", _normal(count), margin=is_large, level=is_large)
    users = np.repeat(np.arange(100), 100)
    for share in (0.05, 0.2, 0.5):
        name = f"100 groups of 100 rows, share of the groups {share}"
        yield Errors(name, _grouped(users, share), groups=users, coverage=(0.92, 0.97), margin=True)
    blocks = np.arange(1000) // block_rows(1000)
    yield Errors("AR(1) 0.9 in order of time, 1,000 rows", _serial(1000), groups=blocks, coverage=(0.9, 0.97))
    yield Errors("lognormal errors, 1,000 rows", _lognormal(1000), rmse=math.e, coverage=(0.88, 1.0))


def _normal(count: int) -> Draw:
    return lambda random: random.normal(0, 1, count)


def _lognormal(count: int) -> Draw:
    return lambda random: random.lognormal(0, 1, count) * random.choice([-1.0, 1.0], count)


def _grouped(groups: Array, share: float) -> Draw:
    def draw(random: np.random.Generator) -> Array:
        own = random.normal(0, 1, len(groups))
        return math.sqrt(share) * random.normal(0, 1, groups.max() + 1)[groups] + math.sqrt(1 - share) * own

    return draw


def _serial(count: int, factor: float = 0.9) -> Draw:
    def draw(random: np.random.Generator) -> Array:
        values = random.normal(0, 1, count)
        values[1:] *= math.sqrt(1 - factor * factor)
        for row in range(1, count):
            values[row] += factor * values[row - 1]
        return values

    return draw


def _intervals(errors: Errors) -> Iterator[Row]:
    """Yields how often the interval of one model holds the truth, and how often the second model is blessed."""
    found = np.array([_decide(errors, seed) for seed in range(SAMPLES)])
    covered, at_margin, level = found.mean(axis=0)
    least, most = errors.coverage
    goal = f"{least:.0%} to {most:.0%}" if most < 1 else f">= {least:.0%}"
    end = f"{errors.name}, {SAMPLES:,} samples"
    yield _share(f"95 % interval holds the truth, {end}", covered, goal.replace("%", " %"), least, most)
    if errors.margin:
        name = f"non-inferiority blessed, true difference = margin {MARGIN:.0%}, {end}"
        yield _share(name, at_margin, "2.5 % to 7.5 %", 0.025, 0.075)
    if errors.level:
        name = f"non-inferiority blessed, no difference, margin {MARGIN:.0%}, {end}"
        yield _share(name, level, ">= 80 %", 0.8, 1.0)


def _decide(errors: Errors, seed: int) -> tuple[bool, bool, bool]:
    """Returns whether the interval holds the truth, and whether one at the margin and one that is level pass."""
    random = np.random.default_rng([1, seed])
    served = errors.draw(random)
    level = _like(served, errors.draw(random))
    params = EvaluatorParams(**OFF, non_inferiority_margin=MARGIN, allow_few_groups=False)
    models = {"worse": (1 + MARGIN) * level, "level": level, SERVED.name: served}
    scores = _scores(models, None, params.num_bootstrap, seed, errors.groups)
    assert scores.resampled is not None
    found = scores.resampled.interval(2, 1 - params.confidence)
    assert found is not None
    worse, equal = (_passes(name, scores, params) for name in ("worse", "level"))
    return found[0] <= errors.rmse <= found[1], worse, equal


def _passes(name: str, scores: Scores, params: EvaluatorParams, best: Best | None = None) -> bool:
    """Whether a candidate passes the rules that compare it with models of before."""
    found = judge(name, scores, params, baseline="none", served=SERVED, best=best, model_bytes=0)
    asked = [result for result in found if result.rule in ("non_inferiority", "total_margin")]
    return all(result.passed is True for result in asked)


def _is_heavy(seed: int) -> bool:
    errors = np.random.default_rng([5, seed]).standard_t(3, 1000)
    return any("heavy tail" in note or "One row" in note for note in notes_on({"m": True}, _scores({"m": errors})))


def _creep(seed: int) -> int:
    """Returns how many of 20 candidates pass, each 3 % worse than the one in service and like the best."""
    random, passed, level = np.random.default_rng([4, seed]), 0, 1.0
    best = served = random.normal(0, 1, 5000)
    params = EvaluatorParams(**OFF | {"total_margin": MARGIN}, non_inferiority_margin=MARGIN)
    for _ in range(20):
        candidate = 1.03 * level * _like(best, random.normal(0, 1, 5000))
        models = {"candidate": candidate, SERVED.name: served, BEST.name: best}
        if _passes("candidate", _scores(models, None, params.num_bootstrap, seed), params, BEST):
            served, level, passed = candidate, 1.03 * level, passed + 1
    return passed


def _like(one: Array, other: Array) -> Array:
    return ALIKE * one + math.sqrt(1 - ALIKE * ALIKE) * other


def _share(case: str, share: float, goal: str, least: float, most: float) -> Row:
    return Row("gate", case, 100 * share, None, "%", share, goal, least <= share <= most, better="")


def _pair(random: np.random.Generator, kind: str = "normal") -> tuple[Array, Array]:
    draw = random.normal if kind == "normal" else random.laplace
    shared = draw(0, 1, ROWS)
    return shared + 0.5 * draw(0, 1, ROWS), shared + 0.5 * draw(0, 1, ROWS)


def _scores(
    models: dict[str, Array],
    zones: Array | None = None,
    replicates: int = 100,
    seed: int = 0,
    groups: Array | None = None,
) -> Scores:
    errors = np.stack([*models.values()])
    labels, count = np.zeros(errors.shape[1]), len(errors)
    whole, units = ErrorSums(count), UnitSums(count, grouped=groups is not None)
    units.add(whole.add(labels, errors), None, groups)
    slices = {}
    for zone in () if zones is None else np.unique(zones):
        slices[f"zone={zone}"] = ErrorSums(count)
        slices[f"zone={zone}"].add(labels[zones == zone], errors[:, zones == zone])
    unit = ("row", None) if groups is None else ("group of `user`", units.count)
    return Scores(tuple(models), whole, slices, units.resampled(replicates, seed), *unit)


def _false_alarm(seed: int, kind: str, margin: float) -> bool:
    """Whether any slice fails though the models are equally good; without margin the limit is the truth itself."""
    random = np.random.default_rng([2, seed])
    candidate, reference = _pair(random, kind)
    zones = random.integers(0, SLICES, ROWS)
    share = {"min_improvement": 0.0} if margin == 0 else {"min_improvement": None}
    params = EvaluatorParams(**OFF | share, non_inferiority_margin=margin or None, min_slice_rows=20)
    scores = _scores({"candidate": candidate, SERVED.name: reference}, zones, 1, seed)
    found = judge_slices("candidate", scores, params, baseline=SERVED.name, served=SERVED)
    return any(result.passed is False for result in found)


def _caught(seed: int) -> bool:
    """Whether the gate is closed by the bad slice alone, and names it."""
    random = np.random.default_rng([3, seed])
    candidate, reference = _pair(random)
    zones = (np.arange(ROWS) < 0.05 * ROWS).astype(int)
    candidate = reference * np.where(zones == 1, 2.0, 0.75) + 0.1 * (candidate - reference)
    params = EvaluatorParams(**OFF, non_inferiority_margin=MARGIN)
    scores = _scores({"candidate": candidate, SERVED.name: reference}, zones, params.num_bootstrap, seed)
    parts = judge_slices("candidate", scores, params, baseline="none", served=SERVED)
    failed = [result.slice for result in parts if result.passed is False]
    better = scores.whole.rmse(0) < scores.whole.rmse(1)
    return better and _passes("candidate", scores, params) and failed == ["zone=1"]


if __name__ == "__main__":
    from benchmarks.gate_users import count_draws

    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description="Whole runs on new users.")
    parser.add_argument("--users", type=int, default=100, metavar="DRAWS", help="tables to draw, at most 100")
    sys.exit(count_draws(min(parser.parse_args().users, 100)))
