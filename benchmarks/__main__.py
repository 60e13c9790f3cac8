"""Runs the named benchmarks, or all, and prints one table."""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import json
import os
import pkgutil
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks import harness, history, page

# Set before TensorFlow is imported by a benchmark.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PACKAGES = ("tensorflow", "tf-keras", "tensorflow-recommenders", "numpy", "grpcio", "protobuf", "pyarrow", "polars")
NO_BENCHMARKS = frozenset(
    {"gate_users", "__main__", "harness", "history", "markdown", "page", "real_tables", "scale", "scale_page"}
)
HOURS = ("fidelity", "tables")  # run only where they are named


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the named benchmarks, or all, and prints one table. Returns 1 where a goal was missed."""
    names = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in NO_BENCHMARKS]
    options = _parse(arguments, names)
    report = _describe()
    try:
        for name in options.names or [name for name in names if name not in HOURS]:
            print(f"{name} ...", file=sys.stderr, flush=True)
            for row in importlib.import_module(f"benchmarks.{name}").rows():
                report["rows"].append(asdict(row))
                print(f"  {row.case}: {row.ours:.4g} {row.unit}, ratio {row.ratio}", file=sys.stderr, flush=True)
    finally:  # a benchmark that fails loses only its own rows and those that follow
        if options.json:
            options.json.write_text(json.dumps(report, indent=2), encoding="utf-8")
    console = Console(width=180 if not sys.stdout.isatty() else None)
    console.print(_table(report))
    if options.compare:
        _compare(report, options.history, console)
    if options.history:
        history.append(options.history, report)
    if options.page and not options.names:
        options.page.write_text(page.render(report, "python -m benchmarks"), encoding="utf-8")
    if options.section:
        told = options.section.read_text(encoding="utf-8")
        command = f"python -m benchmarks {' '.join(options.names)}".rstrip()
        options.section.write_text(page.with_section(told, report, command), encoding="utf-8")
    return int(any(row["met"] is False for row in report["rows"]))


def _parse(arguments: Sequence[str] | None, names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(names)}")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the rows and the machine to FILE")
    parser.add_argument("--page", metavar="FILE", type=Path, help="write the same as Markdown, if no NAME is given")
    parser.add_argument("--section", metavar="FILE", type=Path, help="put the rows into FILE, a page, under a heading")
    parser.add_argument("--history", metavar="FILE", type=Path, help="add the run to FILE as one JSON line")
    parser.add_argument("--compare", action="store_true", help="compare with the runs of this machine in the history")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(names)):
        parser.error(f"unknown benchmark {', '.join(unknown)}; there are: {', '.join(names)}")
    if options.compare and not options.history:
        parser.error("--compare needs --history FILE, the runs to compare with")
    return options


def _describe() -> dict[str, Any]:
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": harness.machine(),
        "load": round(os.getloadavg()[0], 1),  # at the start
        "versions": {"python": platform.python_version()} | versions,
        "rows": [],
    }


def _table(report: dict[str, Any]) -> Table:
    table = Table(title=f"{report['date']} · {report['machine']}")
    for heading in ("benchmark", "case", "ours", "other", "unit", "ratio", "goal", "met", "other is"):
        table.add_column(heading, overflow="fold")
    for row in report["rows"]:
        other = "" if row["other"] is None else f"{row['other']:.4g}"
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3g}"
        met = {True: "yes", False: "NO", None: ""}[row["met"]]
        ours, alternative = f"{row['ours']:.4g}", row["alternative"]
        table.add_row(row["benchmark"], row["case"], ours, other, row["unit"], ratio, row["goal"], met, alternative)
    return table


def _compare(report: dict[str, Any], path: Path, console: Console) -> None:
    changes = list(history.compare(history.earlier(path, report["machine"]), report))
    if not changes:
        print(f"{path} has no earlier run of these benchmarks on this machine ({report['machine']}).")
        return
    console.print(history.table(changes))
    worse = [change.name for change in changes if change.verdict == "worse"]
    print(f"{len(worse)} of {len(changes)} got worse{': ' if worse else '.'}{'; '.join(worse)}")


if __name__ == "__main__":
    sys.exit(main())
