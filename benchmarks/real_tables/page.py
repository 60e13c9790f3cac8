"""Writes the page of real tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness import Row
from benchmarks.real_tables.rivals import PATIENCE, RIVALS
from benchmarks.real_tables.sources import TABLES
from benchmarks.real_tables.summary import TableResult

HEAD = """\
# Real tables

Written by `python -m benchmarks.tables --page docs/tables.md` on {date}: {machine}.
{versions}. {measured}

Ten tables that packages ship, as they ship them, holes in the label included. Ours is `crossnet init TABLE.csv --label
LABEL` and `crossnet run --config TABLE.toml`, nothing edited; random splits are the only settings given besides
(`--set example_gen.split=random --set example_gen.seed=1`, 2, ...). The rivals are trained on the same rows at their
packages' defaults; *early* stops after {patience} rounds without gain on an eighth of train. A figure is eval RMSE over
the standard deviation of the eval labels: 0 is perfect, 1 is the mean predictor. CPU seconds are of a whole run of
ours, `init`, imports, checks, export and gate included, and of nothing but training and predicting of a rival.
"""


def render(report: Mapping[str, Any], tables: Sequence[TableResult], goals: Sequence[Row]) -> str:
    """Returns the page, Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    text = HEAD.format(
        versions=versions, patience=PATIENCE, measured=_measured(report), date=report["date"], machine=report["machine"]
    )
    if report["folds"] or report["settings"]:
        text = f"Folds of train: {report['folds']}; settings: {report['settings']}\n"
    return text + _goals(goals) + _errors(tables) + _costs(tables)


def _measured(report: Mapping[str, Any]) -> str:
    """Returns when and from which source the results come, as a sentence."""
    if not report["dates"]:
        return "Nothing was measured."
    (begin, end), (low, high) = report["dates"], report["loads"]
    commits = " and ".join(commit or "a folder without a commit" for commit in report["commits"])
    return f"Measured from {begin} to {end} at {commits}, beside other work: load {low:.1f} to {high:.1f}."


def _goals(goals: Sequence[Row]) -> str:
    lines = "".join(
        f"| {row.case} | {row.ours:.4g} | {'' if row.other is None else f'{row.other:.4g}'} | {row.goal} "
        f"| {'yes' if row.met else '**NO**'} | {row.alternative} |\n"
        for row in goals
    )
    head = "| goal | ours | other | wanted | met | beside |\n| --- | ---: | ---: | --- | --- | --- |\n"
    return f"\n## Goals\n\n{head}{lines}"


def _errors(tables: Sequence[TableResult]) -> str:
    shown = _shown(tables)
    text = "\n## Error, mean over the splits ± their standard deviation\n\n"
    text += f"| table | package | rows: train, eval | ours | {' | '.join(shown)} | ours / best early |\n"
    text += f"| --- | --- | --- | {' | '.join('---:' for _ in range(len(shown) + 2))} |\n"
    for table in tables:
        if not table.splits:
            continue
        ours = _spread(table, "ours") or "nothing trained"
        others = " | ".join(_spread(table, name) for name in shown)
        ratio = "" if table.ratio is None else f"{table.ratio:.3f}"
        rows = ", ".join(f"{count:,}" for count in table.rows)
        text += f"| {table.name} | {TABLES[table.name].package} | {rows} | {ours} | {others} | {ratio} |\n"
    return text


def _costs(tables: Sequence[TableResult]) -> str:
    shown = _shown(tables)
    text = "\n## CPU seconds (median), exit codes and intervals\n\n"
    text += f"| table | ours | {' | '.join(shown)} | exit codes | error, split as `init` wrote it | in the interval |\n"
    text += f"| --- | {' | '.join('---:' for _ in range(len(shown) + 1))} | --- | ---: | ---: |\n"
    for table in tables:
        if not table.splits:
            continue
        cpu = " | ".join(f"{table.cpu(name):.2f}" if table.mean(name) else "" for name in shown)
        codes = ", ".join(str(code) for code in table.exit_codes)
        written = table.as_written and table.as_written["rmse"]
        error = "" if written is None else f"{written:.3f}"
        coverage = "" if table.coverage is None else f"{table.coverage:.3f}"
        text += f"| {table.name} | {table.cpu('ours'):.1f} | {cpu} | {codes} | {error} | {coverage} |\n"
    return text


def _shown(tables: Sequence[TableResult]) -> list[str]:
    return [name for name in RIVALS if name != "mean" and any(table.mean(name) for table in tables)]


def _spread(table: TableResult, who: str) -> str:
    mean = table.mean(who)
    return "" if mean is None else f"{mean:.3f} ± {table.spread(who):.3f}"
