"""`python -m benchmarks [NAME ...] --json FILE --page FILE`."""

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
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks import harness, page

# Set before TensorFlow is imported by a benchmark.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PACKAGES = ("tensorflow", "tf-keras", "tensorflow-recommenders", "numpy", "grpcio", "protobuf", "pyarrow")


NO_BENCHMARKS = ("__main__", "harness", "page")
HOURS = ("fidelity",)  # runs only where it is named


def main() -> int:
    """Runs the named benchmarks, or all, and prints one table. Returns 1 where a goal was missed."""
    names = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in NO_BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(names)}")
    parser.add_argument("--json", metavar="FILE", help="write the rows and the machine to FILE")
    parser.add_argument("--page", metavar="FILE", help="write the same as a page, Markdown")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(names)):
        parser.error(f"unknown benchmark {', '.join(unknown)}; there are: {', '.join(names)}")
    report: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": harness.machine(),
        "versions": {"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in PACKAGES},
        "rows": [],
    }
    rows: list[harness.Row] = []
    for name in options.names or [name for name in names if name not in HOURS]:
        print(f"{name} ...", file=sys.stderr, flush=True)
        for row in importlib.import_module(f"benchmarks.{name}").rows():
            rows.append(row)
            print(f"  {row.case}: {row.ours:.4g} {row.unit}, ratio {row.ratio}", file=sys.stderr, flush=True)
        report["rows"] = [asdict(row) for row in rows]  # written after each, so that a failure loses only what follows
        if options.json:
            with open(options.json, "w", encoding="utf-8") as stream:
                json.dump(report, stream, indent=2)
        if options.page:
            with open(options.page, "w", encoding="utf-8") as stream:
                stream.write(page.render(report, " ".join(["python -m benchmarks", *options.names])))
    table = Table(title=f"{report['date']} · {report['machine']}")
    for heading in ("benchmark", "case", "ours", "other", "unit", "ratio", "goal", "met", "other is"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        other = "" if row.other is None else f"{row.other:.4g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        met = {True: "yes", False: "NO", None: ""}[row.met]
        table.add_row(
            row.benchmark, row.case, f"{row.ours:.4g}", other, row.unit, ratio, row.goal, met, row.alternative
        )
    Console(width=180 if not sys.stdout.isatty() else None).print(table)
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
