"""Runs ours, unedited, and the usual rivals on ten real tables.

    python -m benchmarks.tables [--tables A,B] [--splits N] [--folds] [--set KEY=VALUE] [--page FILE]

For each table and split: the table as its package ships it, as CSV; `crossnet init` and `crossnet run` in processes of
their own; then the rivals on the same train and eval rows. Split 0 is the one that `init` writes; the others are
random by a seed, which is all that `run` is told besides. Every result is kept in --work until the rows or the
product's source change: a run that was broken off goes on.

`--folds` is for who chooses settings: it takes a split's eval rows away and splits its train rows again, so that no
choice ever sees the eval rows of the page. `--set` tries a setting.

Results of unedited runs are also kept in --results, which is committed: what one day was too short for, another goes on
with, at the same commit. `--kept` measures nothing: it takes from there the newest result of each table and split.
`--served` adds what a call to a server of a table's model costs.

The packages are those of the extra `tables`: `make tables` installs them into an environment of their own.
"""

from __future__ import annotations

import argparse
import contextlib
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
from benchmarks.real_tables.served import measure_served
from benchmarks.real_tables.sources import TABLES
from benchmarks.real_tables.summary import collect, goals, served_goals

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
    splits = range(first, options.splits + 1)
    if options.kept:
        newest = kept.newest()
        found = {
            (name, split): newest[name, split] for name in options.tables for split in splits if (name, split) in newest
        }
    else:
        found = dict(_measure(workplace, kept, options.tables, splits))
        for name in options.served:
            _measure_served(workplace, kept, name)
    begin |= {"served": kept.served()} | _measured(kept)
    tables = collect(found)
    reached = [*goals(tables), *served_goals(begin["served"])]
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
                kept.add(key, found, table=name, split=split, **_here())
            print(f"{name} {split}: {_line(found)}", file=sys.stderr, flush=True)
            yield (name, split), found


def _measure_served(workplace: Workplace, kept: Kept, name: str) -> None:
    key = workplace.served_key(name)
    if kept.get(key) is None:
        found = measure_served(workplace.csv(name, AS_WRITTEN), TABLES[name].label)
        kept.add(key, found, table=name, **_here())
    print(f"{name} served: {kept.get(key)}", file=sys.stderr, flush=True)


def _here() -> dict[str, Any]:
    """Returns when, where and from which source something was measured."""
    return {"date": _now(), "commit": commit(), "load": _load(), "machine": machine()}


def _measured(kept: Kept) -> dict[str, Any]:
    """Returns when, where, on what load and from which source the results come."""
    dates = sorted(line["date"] for line in kept.used)
    loads = [line["load"] for line in kept.used]
    return {
        "dates": (dates[0], dates[-1]) if dates else (),
        "commits": sorted({line["commit"] for line in kept.used}),
        "loads": (min(loads), max(loads)) if loads else (),
        "machines": sorted({line.get("machine", machine()) for line in kept.used}),
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
    parser.add_argument("--kept", action="store_true", help="measure nothing: take the newest results of --results")
    parser.add_argument(
        "--served", type=names(list(TABLES)), default=[], metavar="A,B", help="measure the server's CPU on these too"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page, Markdown")
    parser.add_argument("--history", type=Path, metavar="FILE", help="add the goals to FILE as one JSON line")
    options = parser.parse_args(arguments)
    if options.page and (options.folds or options.set):
        parser.error("--page is for what `init` and `run` do unedited: leave out --folds and --set")
    return options


def _describe(options: argparse.Namespace) -> dict[str, Any]:
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # `--kept` needs none of them
            versions[package] = importlib.metadata.version(package)
    page = f" --page {options.page}" if options.page else ""
    return {
        "date": _now(),
        "command": f"python -m benchmarks.tables{page}",
        "machine": machine(),
        "load": _load(),  # at the start
        "versions": {"python": platform.python_version()} | versions,
        "folds": options.folds,
        "settings": options.set,
    }


if __name__ == "__main__":
    sys.exit(main())
