"""Keeps one JSON line per run and compares runs.

A line is what `--json` writes: `{"date", "machine", "load", "versions", "rows"}`. Only runs of the same machine are
compared: a ratio also depends on the processor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

# Two runs of one server, on one machine and day, gave 1.19 and 1.36 times the echo server's CPU (docs/benchmarks.md,
# 2026-11-25): a smaller change says nothing.
BETWEEN_RUNS = 0.15
SCATTERS = 3  # times the larger scatter within a run; repeats on a busy machine scatter more than BETWEEN_RUNS

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One benchmark then and now: its ratio, or ours where there is no ratio.

    Attributes:
      name: Benchmark and case.
      alternative: What ours was measured beside.
      date: Of the earlier run.
      then: Earlier value.
      now: Value of this run.
      limit: The relative change up to which both count as equal.
      verdict: "worse" (also where a goal was met and is not any more), "better" or "".
    """

    name: str
    alternative: str
    date: str
    then: float
    now: float
    limit: float
    verdict: str


def append(path: Path, report: Report) -> None:
    """Adds a run as one line."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(report) + "\n")


def earlier(path: Path, machine: str) -> list[Report]:
    """Returns the runs of a machine, oldest first; none where the file does not exist."""
    if not path.exists():
        return []
    reports = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [report for report in reports if report["machine"] == machine]


def compare(reports: Sequence[Report], report: Report) -> Iterator[Change]:
    """Yields each row of a run that an earlier run has too, beside the newest such row."""
    known = {_key(row): (past["date"], row) for past in reports for row in past["rows"]}
    for row in report["rows"]:
        if _key(row) in known:
            date, past = known[_key(row)]
            yield _change(date, past, row)


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["benchmark"], row["case"], row["alternative"]


def _change(date: str, past: Mapping[str, Any], row: Mapping[str, Any]) -> Change:
    then, now = (float(each["ours"] if each["ratio"] is None else each["ratio"]) for each in (past, row))
    scatter = max(past["scatter"] or 0.0, row["scatter"] or 0.0)
    limit = max(BETWEEN_RUNS, SCATTERS * scatter)
    worse, better = now > then * (1 + limit), now * (1 + limit) < then
    if row["better"] == "more":
        worse, better = better, worse
    if not row["better"]:
        worse = better = False
    worse = worse or (past["met"] is True and row["met"] is False)
    benchmark, case, alternative = _key(row)
    verdict = "worse" if worse else "better" if better else ""
    return Change(f"{benchmark}: {case}", alternative, date, then, now, limit, verdict)


def table(changes: Sequence[Change]) -> Table:
    """Returns the changes as a table for the screen."""
    found = Table(title="Then and now, the same machine")
    for heading in ("benchmark", "beside", "then", "now", "change", "equal up to", ""):
        found.add_column(heading, overflow="fold")
    for change in changes:
        share = f"{change.now / change.then - 1:+.1%}" if change.then else ""
        numbers = f"{change.then:.4g}", f"{change.now:.4g}", share, f"{change.limit:.0%}"
        found.add_row(change.name, change.alternative, *numbers, change.verdict)
    return found
