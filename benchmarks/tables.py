"""Runs ours, unedited, and the usual rivals on ten real tables.

    python -m benchmarks.tables [--tables A,B] [--splits N] [--folds] [--set KEY=VALUE] [--page FILE]

For each table and split: the table as its package ships it, as CSV; `crossnet init` and `crossnet run` in processes of
their own; then the rivals on the same train and eval rows. Split 0 is the one that `init` writes; the others are
random by a seed, which is all that `run` is told besides. Every result is kept in --work until the rows or the
product's source change: a run that was broken off goes on.

`--folds` is for who chooses settings: it takes a split's eval rows away and splits its train rows again, so that no
choice ever sees the eval rows of the page. `--set` tries a setting.

Results of unedited runs are also kept in --results, which is committed: what one day was too short for, another goes on
with, at the same commit.

The packages are those of the extra `tables`: `make tables` installs them into an environment of their own.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import history
from benchmarks.harness import Row, machine
from benchmarks.real_tables.kept import Kept, commit
from benchmarks.real_tables.measure import AS_WRITTEN, Workplace
from benchmarks.real_tables.page import render
from benchmarks.real_tables.rivals import RIVALS
from benchmarks.real_tables.sources import TABLES
from benchmarks.real_tables.summary import collect, goals

SPLITS = 5
WORK = Path(__file__).parents[1] / ".tables"
RESULTS = Path(__file__).with_suffix(".jsonl")
PACKAGES = ("tensorflow", "tf-keras", "numpy", "scikit-learn", "lightgbm", "catboost")


def rows() -> Iterator[Row]:
    """Yields the goals, measured on all tables; takes hours where nothing is kept."""
    workplace = Workplace(WORK)
    yield from goals(collect(dict(_measure(workplace, Kept(RESULTS), list(TABLES), range(SPLITS + 1)))))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints and writes what is asked for. Returns 1 where a goal was missed."""
    options = _parse(arguments)
    workplace = Workplace(options.work.resolve(), tuple(options.set), options.folds, tuple(options.rivals))
    first = AS_WRITTEN + 1 if options.folds or options.no_written else AS_WRITTEN
    begin = _describe(options)
    kept = Kept(None if options.folds or options.set else options.results)
    found = dict(_measure(workplace, kept, options.tables, range(first, options.splits + 1)))
    begin |= _measured(kept)
    tables = collect(found)
    reached = list(goals(tables))
    text = render(begin, tables, reached)
    print(text)
    if options.page:
        options.page.write_text(text, encoding="utf-8")
    if options.history:
        history.append(options.history, begin | {"rows": [asdict(row) for row in reached]})
    return int(any(row.met is False for row in reached))


def _measure(
    workplace: Workplace, kept: Kept, names: Sequence[str], splits: range
) -> Iterator[tuple[tuple[str, int], Any]]:
    for name in names:
        for split in splits:
            key = workplace.key(name, split)
            if (found := kept.get(key)) is None:
                found = workplace.measure(name, split)
                kept.add(key, found, table=name, split=split, date=_now(), commit=commit(), load=_load())
            print(f"{name} {split}: {_line(found)}", file=sys.stderr, flush=True)
            yield (name, split), found


def _measured(kept: Kept) -> dict[str, Any]:
    """Returns when, on what load and from which source the results come."""
    dates = sorted(line["date"] for line in kept.used)
    loads = [line["load"] for line in kept.used]
    return {
        "dates": (dates[0], dates[-1]) if dates else (),
        "commits": sorted({line["commit"] for line in kept.used}),
        "loads": (min(loads), max(loads)) if loads else (),
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")


def _load() -> float:
    return round(os.getloadavg()[0], 1)


def _line(found: Mapping[str, Any]) -> str:
    ours = found["ours"]
    if ours["rmse"] is None:
        return f"nothing trained, exit {ours['exit_code']}: {ours['problem'].splitlines()[-1:]}"
    others = ", ".join(f"{name} {found[name]['rmse']:.3f}" for name in RIVALS if name in found)
    facts = f"train {ours['train_rmse']:.3f}, exit {ours['exit_code']}, {ours['cpu']:.1f} CPU s"
    return f"ours {ours['rmse']:.3f} ({facts}); {others}"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    def names(known: Sequence[str]) -> Any:
        def parse(text: str) -> list[str]:
            chosen = [name.strip() for name in text.split(",") if name.strip()]
            if unknown := [name for name in chosen if name not in known]:
                raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are: {', '.join(known)}")
            return chosen

        return parse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=names(list(TABLES)), default=list(TABLES), metavar="A,B", help="default: all")
    parser.add_argument("--rivals", type=names(list(RIVALS)), default=list(RIVALS), metavar="A,B", help="default: all")
    parser.add_argument("--splits", type=int, default=SPLITS, metavar="N", help=f"random splits; default {SPLITS}")
    parser.add_argument("--no-written", action="store_true", help="leave out the split that `init` writes")
    parser.add_argument("--folds", action="store_true", help="split the train rows again: never look at eval")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for `run`")
    parser.add_argument("--work", type=Path, default=WORK, metavar="FOLDER", help="tables and results")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="FILE", help="of unedited runs; default: beside this file"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page, Markdown")
    parser.add_argument("--history", type=Path, metavar="FILE", help="add the goals to FILE as one JSON line")
    options = parser.parse_args(arguments)
    if options.page and (options.folds or options.set):
        parser.error("--page is for what `init` and `run` do unedited: leave out --folds and --set")
    return options


def _describe(options: argparse.Namespace) -> dict[str, Any]:
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {
        "date": _now(),
        "machine": machine(),
        "load": _load(),  # at the start
        "versions": {"python": platform.python_version()} | versions,
        "folds": options.folds,
        "settings": options.set,
    }


if __name__ == "__main__":
    sys.exit(main())
