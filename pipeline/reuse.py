"""Counts how many Models the same eval rows have judged.

Whoever tries many Models on the same rows and keeps the best keeps luck too. The count is of this root's records: it
enters neither a fingerprint nor the verdict, so that a repeated run finds what it found before.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from crossnet.components.artifacts.evaluation import NOT_MODELS, Evaluation
from crossnet.components.errors import NotBlessedError
from crossnet.components.formats import percent
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.pipeline.run_record import RunRecord
from crossnet.pipeline.store import Store

if TYPE_CHECKING:
    from crossnet.pipeline.plan import Plan

# Rules whose interval is of the ratio of two models' errors, and the tails of that; those of like models come first.
_PAIRED = {"non_inferiority": 1, "total_margin": 1, "min_improvement": 2}


@dataclass(frozen=True)
class Reuse:
    """How often the eval rows of a run were used.

    Attributes:
      eval_rows: What these rows are: 16 hex digits of their content.
      judged: How many different candidates they have judged, with those of this run.
      sentence: That in words; empty where no other run has used them.
    """

    eval_rows: str = ""
    judged: int = 0
    sentence: str = ""


def count_reuse(plan: Plan, store: Store, evaluation: Evaluation) -> Reuse:
    """Returns how often the eval rows of a plan were used, from the records of all runs.

    Args:
      plan: The plan, its Examples made.
      store: The root.
      evaluation: The plan's.
    """
    examples, evaluator = plan["example_gen"], plan["evaluator"]
    trainers = evaluator.step.inputs.get("models", ())
    own = {plan[name].fingerprint for name in (trainers[:-1] if len(trainers) > 1 else trainers)}
    rows, models = _digest(store.facts(examples.path) or {}), set(own)
    for record in store.run_records().values():
        known = record.steps.get("example_gen")
        if record.eval_rows == rows or (known and not record.eval_rows and known.fingerprint == examples.fingerprint):
            models |= _candidates(record)
    if len(models) == len(own):
        return Reuse(rows, len(models))
    gain = luck(len(models), evaluation.verdict, evaluator.step.settings["params"].confidence)
    sentence = f"These eval rows have judged {len(models):,} different Models."
    if gain:
        sentence += f" The best of {len(models):,} equal ones would look {percent(gain)} better than it is."
    return Reuse(rows, len(models), sentence)


def refuse_push(plan: Plan, record: RunRecord) -> None:
    """Raises where the eval rows have judged more Models than `evaluator.max_reuse`.

    Raises:
      NotBlessedError: They have.
    """
    evaluator = plan.get("evaluator")
    params = evaluator.step.settings.get("params") if evaluator else None
    if not isinstance(params, EvaluatorParams) or params.max_reuse is None or record.judged <= params.max_reuse:
        return
    raise NotBlessedError(
        f"These eval rows have judged {record.judged:,} different Models, more than `evaluator.max_reuse` "
        f"{params.max_reuse:,}: the one that passed may owe it to luck. Give eval new rows, raise "
        "`evaluator.max_reuse`, or push with `--force`."
    )


def is_refused(plan: Plan, store: Store) -> bool:
    """Whether a plan, made up to its push, would not be pushed: its eval rows have judged too many Models."""
    evaluation = plan["evaluator"].load()
    if not isinstance(evaluation, Evaluation):
        return False
    try:
        refuse_push(plan, RunRecord(judged=count_reuse(plan, store, evaluation).judged))
    except NotBlessedError:
        return True
    return False


def luck(models: int, verdict: Mapping[str, Any], confidence: float) -> float | None:
    """Returns the share by which the RMSE of the best of several equal models is expected to be below the truth.

    Of two equal models, each has half the variance of the logarithm of their ratio for itself, and what they share
    moves both. The best of n has the mean of the highest of n normal numbers (Blom 1958) times the root of that half.

    Args:
      models: How many.
      verdict: verdict.json; the interval of a ratio in it says how far two models are from each other by chance.
      confidence: Of its intervals.

    Returns:
      The share; None where the verdict has no such interval.
    """
    candidates: Mapping[str, Any] = verdict.get("candidates", {})
    chosen: Mapping[str, Any] = candidates.get(str(verdict.get("champion"))) or next(
        iter(candidates.values()), {"rules": []}
    )
    rules = {rule["rule"]: rule for rule in chosen["rules"] if rule["slice"] is None}
    for name, tails in _PAIRED.items():
        rule = rules.get(name)
        if rule is None or not rule["interval"] or None in (*rule["interval"], rule["candidate"], rule["reference"]):
            continue
        if rule["reference"] <= 0 or rule["candidate"] <= 0:
            continue
        low, high = rule["interval"]
        z = NormalDist().inv_cdf(1 - (1 - confidence) / tails)
        spread = (high - low) / (2 * z) / (rule["candidate"] / rule["reference"])
        return highest(models) * spread / math.sqrt(2)
    return None


def highest(count: int) -> float:
    """Returns the mean of the highest of so many standard normal numbers, by Blom's formula."""
    return NormalDist().inv_cdf((count - 0.375) / (count + 0.25)) if count > 1 else 0.0


def _candidates(record: RunRecord) -> set[str]:
    """Returns the fingerprints of the Models that a run has judged, all but its baseline."""
    step = record.steps.get("evaluator")
    if step is None or step.artifact is None:
        return set()
    kinds = [name for name in record.models if name not in NOT_MODELS]
    steps = (record.steps.get(f"trainer_{name}") for name in (kinds[:-1] if len(kinds) > 1 else kinds))
    return {found.fingerprint for found in steps if found and found.fingerprint}


def _digest(facts: Mapping[str, Any]) -> str:
    """Returns what eval rows are; "" where no checksum tells."""
    files = facts.get("files", {})
    shards = [files[name]["sha256"] for name in sorted(files) if name.startswith("Split-eval/")]
    return hashlib.sha256("".join(shards).encode()).hexdigest()[:16] if shards else ""
