"""Writes the page of real tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.harness import Row
from benchmarks.markdown import met_word, table
from benchmarks.real_tables.rivals import PATIENCE, RIVALS
from benchmarks.real_tables.sources import TABLES
from benchmarks.real_tables.summary import TableResult

HEAD = """\
# Real tables

Written by `{command}` on {date}. {measured}
{versions}.

Ten tables that packages ship, as they ship them, holes in the label included. Ours is `crossnet init TABLE.csv --label
LABEL` and `crossnet run --config TABLE.toml`, nothing edited; random splits are the only settings given besides
(`--set example_gen.split=random --set example_gen.seed=1`, 2, ...). The rivals are trained on the same rows at their
packages' defaults; *early* stops after {patience} rounds without gain on an eighth of train. A figure is eval RMSE over
the standard deviation of the eval labels: 0 is perfect, 1 is the mean predictor.
"""

GOALS = """
## Goals

What was asked for before it was measured, row by row: our figure, the one it was compared with, what was wanted, and
whether that was met. *ours / other* is their ratio; *beside* says what the other is.

"""

ERRORS = """
## Error

*package* ships the table; *rows* are those of train and of eval in the first random split. Each figure is the mean over
{splits} random splits ± their standard deviation. *ours* is the champion, or the first candidate where the gate blessed
none; *as written* is ours with the split that `init` wrote, once. *ours / best early* divides ours by the best of the
rivals that stop early.

"""

COSTS = """
## CPU seconds, exit codes and intervals

CPU seconds, user and system, are the median over the random splits. Those of *ours* are of `init` and `run` together:
two Python processes, TensorFlow's import, checks, two networks with all their members, export, gate, a trial in a
server and the push. Those of a rival are of nothing but training and predicting, its imports left out. *exit codes*
are of all runs, the one with the split as written first: 0 is a pushed model, 3 a gate that is closed. *in the
interval* is the share of eval labels that the 95 % interval of our model holds.

"""

SERVED = """
## CPU of a call to the server

Microseconds of CPU in the server's process for each Predict over gRPC, one call in flight, medians of turns: the
model that `init` and `run` make of the table, beside one cross layer trained on the same columns
(`trainer.preset = "polynomial"`). *rows* are those of one call.
[What members cost a server](explanation-models.md#what-members-cost-a-server) says why it is more.

"""


def render(report: Mapping[str, Any], tables: Sequence[TableResult], goals: Sequence[Row]) -> str:
    """Returns the page, Markdown.

    Args:
      report: Date, command, versions, when and where was measured; see `benchmarks.tables`.
      tables: What was measured on each.
      goals: What was asked for.
    """
    if report["folds"] or report["settings"]:
        text = f"Folds of train: {report['folds']}; settings: {report['settings']}\n"
    else:
        versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
        facts = {"command": report["command"], "date": report["date"][:10], "patience": PATIENCE}
        text = HEAD.format(versions=versions, measured=_measured(report), **facts)
    measured = [found for found in tables if found.splits]
    if waiting := [f"`{name}`" for name in TABLES if name not in {found.name for found in measured}]:
        text += f"\nNot measured yet at this commit: {', '.join(waiting)}.\n"
    splits = max((len(found.splits) for found in measured), default=0)
    if fewer := [f"`{found.name}` ({len(found.splits)})" for found in measured if len(found.splits) < splits]:
        text += f"\nMeasured on fewer random splits than the {splits} of the others: {', '.join(fewer)}.\n"
    text += GOALS + table(
        ("goal", "ours", "other", "ours / other", "wanted", "met", "beside"), _goals(goals), (0, 4, 5, 6)
    )
    names = [name for name in RIVALS if name != "mean" and any(found.mean(name) for found in measured)]
    text += ERRORS.format(splits=splits) + table(
        ("table", "package", "rows: train, eval", "ours", *names, "ours / best early", "as written"),
        [_errors(found, names) for found in measured],
        (0, 1, 2),
    )
    words = (0, len(names) + 2)
    rows = [_costs(found, names) for found in measured]
    text += COSTS + table(("table", "ours", *names, "exit codes", "in the interval"), rows, words)
    if report["served"]:
        text += SERVED + table(("table", "rows", "ours", "one cross layer", "ratio"), _served(report["served"]))
    return text


def _measured(report: Mapping[str, Any]) -> str:
    """Returns when, where and from which source the results come, as a sentence."""
    if not report["dates"]:
        return "Nothing was measured."
    (begin, end), (low, high) = report["dates"], report["loads"]
    *others, last = (commit or "a folder without a commit" for commit in report["commits"])
    commits = f"{', '.join(others)} and {last}" if others else last
    machines = "; ".join(report["machines"])
    return (
        f"Measured from {begin} to {end} at {commits} on {machines}, beside other work (load {low:.1f} to {high:.1f}), "
        "which makes CPU seconds more: read the ratios."
    )


def _goals(goals: Sequence[Row]) -> Iterator[Sequence[object]]:
    for row in goals:
        other, ratio = (None if value is None else f"{value:.4g}" for value in (row.other, row.ratio))
        yield row.case, f"{row.ours:.4g}", other, ratio, row.goal, met_word(row.met), row.alternative


def _errors(found: TableResult, names: Sequence[str]) -> Sequence[object]:
    ours = _spread(found, "ours") or "nothing trained"
    ratio = None if found.ratio is None else f"{found.ratio:.3f}"
    rows = ", ".join(f"{count:,}" for count in found.rows)
    written = found.as_written and found.as_written["rmse"]
    return (
        *(found.name, TABLES[found.name].package, rows, ours, *(_spread(found, name) for name in names), ratio),
        None if written is None else f"{written:.3f}",
    )


def _costs(found: TableResult, names: Sequence[str]) -> Sequence[object]:
    cpu = [f"{found.cpu(name):.2f}" if found.mean(name) else None for name in names]
    codes = ", ".join(str(code) for code in found.exit_codes)
    coverage = None if found.coverage is None else f"{found.coverage:.3f}"
    return found.name, f"{found.cpu('ours'):.1f}", *cpu, codes, coverage


def _served(served: Mapping[str, Mapping[str, Any]]) -> Iterator[Sequence[object]]:
    for name, by_rows in served.items():
        for rows, found in by_rows.items():
            yield name, f"{int(rows):,}", f"{found['ours']:.0f}", f"{found['other']:.0f}", f"{found['ratio']:.2f}"


def _spread(found: TableResult, who: str) -> str | None:
    mean = found.mean(who)
    return None if mean is None else f"{mean:.3f} ± {found.spread(who):.3f}"
