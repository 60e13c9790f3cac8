"""Writes the verdict, as JSON and as one screen of text.

File structure of verdict.json:
  blessed, champion, baseline    the run's verdict
  models                         names in order of preference, then the linear model and the mean predictor
  rows, label_std                of the eval split
  served, best                   null, or {version, problem, eval_rmse}
  collapsed                      a sentence where the baseline is not better than the mean predictor, else ""
  notes                          sentences about the eval rows and the order of candidates
  segments                       by candidate: where it is worst, as `crossnet.components.evaluation.segments` finds it,
                                 and `against`, "overall" or "served"; advice
  candidates                     by name: {blessed, rules: [RuleResult as in components/evaluation/rule_results.py]}
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.evaluation.rule_results import RuleResult
from crossnet.components.formats import aligned, counted, number, percent

# Rules that have their own line only where they fail: that they pass is seen in the table.
QUIET = ("finite_predictions", "max_mean_ratio", "max_linear_ratio")
# A screen shows so many failed slices; verdict.json has all.
MAX_SLICES_SHOWN = 5


def make_verdict(results: Mapping[str, Sequence[RuleResult]], **facts: Any) -> dict[str, Any]:
    """Returns verdict.json's content: the champion is the first candidate that failed no rule.

    Args:
      results: Of each candidate, in order of preference.
      facts: What else it says: models, baseline, rows, label_std, served, best, collapsed, notes.
    """
    candidates = {
        name: {
            "blessed": not any(result.passed is False for result in rules),
            "rules": [result.to_json() for result in rules],
        }
        for name, rules in results.items()
    }
    champion = next((name for name, facts in candidates.items() if facts["blessed"]), None)
    return {"blessed": champion is not None, "champion": champion, "candidates": candidates, **facts}


def failures(verdict: Mapping[str, Any]) -> list[str]:
    """Returns one sentence per failed rule of any candidate, in order of preference."""
    rules = [rule for candidate in verdict["candidates"].values() for rule in candidate["rules"]]
    return [rule["message"] for rule in rules if rule["passed"] is False]


def skips(verdict: Mapping[str, Any]) -> list[str]:
    """Returns the sentences of the champion's skipped rules, of the first candidate's where there is no champion."""
    name = verdict["champion"] or next(iter(verdict["candidates"]))
    rules = verdict["candidates"][name]["rules"]
    return [rule["message"] for rule in rules if rule["skipped"] and rule["slice"] is None]


def render_verdict(evaluation: Evaluation, told: Collection[str] = (), width: int | None = None) -> str:
    """Returns the verdict as one screen of text: the models, the champion's rules, and what other candidates failed.

    Without a champion, the first candidate has all of its rules; verdict.json has those of all. Of the slices
    it shows the failed ones, the worst first, and counts the others; of the intervals, the champion's.

    Args:
      evaluation: The artifact.
      told: Sentences that the screen has elsewhere, and that are left out here.
      width: Of the screen in characters. Where the table is wider, it has no r2, then no mae, then no train rmse.
    """
    verdict, metrics = evaluation.verdict, evaluation.metrics
    lines = [f"{verdict['rows']:,} eval rows, label's standard deviation {number(verdict['label_std'])}"]
    table: list[tuple[str, ...]] = [("model", "parameters", "train rmse", "eval rmse", "mae", "r2", "")]
    for name in verdict["models"]:
        facts = metrics[name]
        keys = ("train_rmse", "eval_rmse", "mae", "r2")
        table.append(
            (name, f"{facts['num_parameters']:,}", *(number(facts[key]) for key in keys), _role(verdict, name))
        )
    for words, model in earlier_models(verdict):
        table.append((words, "", "", number(model["eval_rmse"]), "", "", model["problem"] and "not comparable"))
    lines += _fitted(table, width)
    lines += interval_lines([verdict["champion"] or verdict["models"][0]], metrics)
    lines += filter(None, [verdict.get("collapsed"), *verdict.get("notes", ())])
    for name in (name for name in verdict["models"] if name in verdict["candidates"]):
        candidate = verdict["candidates"][name]
        rules = candidate["rules"]
        if name != (verdict["champion"] or next(iter(verdict["candidates"]))):
            rules = [rule for rule in rules if rule["passed"] is False]
        shown = [rule for rule in rules if rule["message"] not in told and _is_shown(rule)]
        found = [f"  {_outcome(rule)}  {_brief(name, rule)}" for rule in shown] + _slice_lines(rules, told)
        if found:
            lines += [f"{name}: {'blessed' if candidate['blessed'] else 'NOT blessed'}", *found]
    return "\n".join(lines)


def _fitted(table: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Returns the lines of a table, without the columns that a reader misses least where it is wider than `width`."""
    columns = list(range(len(table[0])))
    for heading in (None, "r2", "mae", "train rmse"):
        columns = [column for column in columns if table[0][column] != heading]
        lines = aligned([[row[column] for column in columns] for row in table], left=(0, len(columns) - 1))
        if width is None or max(map(len, lines)) <= width:
            break
    return lines


def earlier_models(verdict: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Returns the models of before in words, and what verdict.json says of each: in service, and best."""
    served, best = verdict["served"], verdict.get("best")
    found = []
    if served:
        is_best = best is not None and best["version"] == served["version"]
        found.append((f"version {served['version']} in service{', the best' if is_best else ''}", served))
    if best and not (served and best["version"] == served["version"]):
        kind = "version" if best["version"].isdecimal() else "Model"
        found.append((f"{kind} {best['version']}, the best", best))
    return found


def interval_lines(models: Sequence[str], metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns how wide each model's prediction intervals are, and how many labels they hold."""
    return [
        f"`{name}` answers with {percent(found['coverage'])} intervals of ± {number(found['half_width'])} in the "
        f"signature `interval`; they hold {percent(found['eval_coverage'])} of the eval labels."
        for name in models
        if (found := metrics[name].get("prediction_interval")) and found["eval_coverage"] is not None
    ]


def _role(verdict: Mapping[str, Any], name: str) -> str:
    if name == verdict["baseline"]:
        return "baseline"
    if name not in verdict["candidates"]:
        return ""
    if name == verdict["champion"]:
        return "champion"
    return "blessed" if verdict["candidates"][name]["blessed"] else "NOT blessed"


def _is_shown(rule: Mapping[str, Any]) -> bool:
    """Whether a rule of the whole split has its own line."""
    return rule["slice"] is None and not (rule["rule"] in QUIET and rule["passed"])


def _brief(name: str, rule: Mapping[str, Any]) -> str:
    """Returns a rule's sentence; of one that passed, without the error and the rows that the table above has."""
    if not rule["passed"]:
        return str(rule["message"])
    return re.sub(rf"^`{re.escape(name)}` has eval rmse \S+ on {rule['rows']:,} rows, ", "", rule["message"])


def _outcome(rule: Mapping[str, Any]) -> str:
    return {True: "passed ", False: "FAILED ", None: "skipped"}[rule["passed"]]


def _slice_lines(rules: Sequence[Mapping[str, Any]], told: Collection[str] = ()) -> list[str]:
    slices = [rule for rule in rules if rule["slice"] is not None]
    if not slices:
        return []
    failed = [rule for rule in slices if rule["passed"] is False]
    failed.sort(key=lambda rule: -(rule["interval"][0] or float("inf")) / rule["threshold"])
    judged = {rule["slice"] for rule in slices if not rule["skipped"]}
    small = {rule["slice"] for rule in slices if rule["skipped"]}
    shown = [rule for rule in failed[:MAX_SLICES_SHOWN] if rule["message"] not in told]
    lines = [f"  FAILED   {rule['message']}" for rule in shown]
    if len(failed) > MAX_SLICES_SHOWN:
        lines.append(f"  FAILED   on slices {len(failed) - MAX_SLICES_SHOWN:,} times more: see verdict.json")
    if not failed and judged:
        lines.append(f"  passed   every rule on {counted(len(judged), 'slice')}")
    if small:
        lines.append(f"  skipped  {counted(len(small), 'slice')} with too few rows")
    return lines
