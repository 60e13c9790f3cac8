"""Sums up who reached what, and which goals are met."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.harness import Row
from benchmarks.real_tables.measure import AS_WRITTEN
from benchmarks.real_tables.rivals import EARLY
from crossnet.components.formats import counted

LARGE = 3000  # rows
SMALL = 1500
MOST_SERVED = 3.0  # times what a small network costs
FLIGHTS_BEFORE = 100.0  # CPU seconds of the whole run on flights, 2026-11-27

Result = Mapping[str, Any]


@dataclass(frozen=True)
class TableResult:
    """What was measured on one table.

    Attributes:
      name: The table's.
      splits: By random split: "ours" and the rivals, each a dict.
      as_written: Ours with the split that `init` wrote; None: not measured.
    """

    name: str
    splits: Mapping[int, Result]
    as_written: Mapping[str, Any] | None

    def mean(self, who: str) -> float | None:
        """Returns the mean over splits of the RMSE over the label's deviation; None where ours trained nothing once."""
        values = [found[who]["rmse"] for found in self.splits.values() if who in found]
        return None if not values or None in values else statistics.fmean(values)

    def spread(self, who: str) -> float:
        """Returns the standard deviation over splits."""
        values = [found[who]["rmse"] for found in self.splits.values()]
        return statistics.stdev(values) if len(values) > 1 else 0.0

    def cpu(self, who: str) -> float:
        """Returns the median of CPU seconds."""
        return statistics.median(found[who]["cpu"] for found in self.splits.values() if who in found)

    @property
    def rows(self) -> tuple[int, int]:
        """Train and eval rows of the first split."""
        counts = next(iter(self.splits.values()))["ours"]["rows"] or {}
        return counts.get("train", 0), counts.get("eval", 0)

    @property
    def is_large(self) -> bool:
        """Whether it has `LARGE` rows, or nearly, where rows without a label were left out."""
        return sum(self.rows) >= LARGE * 0.95

    @property
    def best(self) -> tuple[str, float] | None:
        """The best of the rivals that stop early, and its mean."""
        found = [(name, value) for name in EARLY if (value := self.mean(name)) is not None]
        return min(found, key=lambda pair: pair[1]) if found else None

    @property
    def ratio(self) -> float | None:
        """Ours over the best of the rivals that stop early."""
        ours = self.mean("ours")
        return ours / self.best[1] if ours is not None and self.best else None

    @property
    def coverage(self) -> float | None:
        """Mean share of eval rows in the interval."""
        values = [found["ours"]["coverage"] for found in self.splits.values()]
        return None if not values or None in values else statistics.fmean(values)

    @property
    def exit_codes(self) -> list[int]:
        """Of every run, that with the split as written first."""
        found = [] if self.as_written is None else [self.as_written["exit_code"]]
        return found + [result["ours"]["exit_code"] for result in self.splits.values()]


def collect(found: Mapping[tuple[str, int], Result]) -> list[TableResult]:
    """Returns the results by table, of `(table, split)`."""
    tables = []
    for name in dict.fromkeys(name for name, _ in found):
        splits = {split: result for (table, split), result in found.items() if table == name and split != AS_WRITTEN}
        written = found.get((name, AS_WRITTEN))
        tables.append(TableResult(name, splits, written and written["ours"]))
    return tables


def goals(tables: Sequence[TableResult]) -> Iterator[Row]:
    """Yields one row for each goal that these tables say something about."""
    written = [table.as_written["exit_code"] for table in tables if table.as_written is not None]
    if written:
        case = f"tables whose run as `init` writes it exits with 0, of {len(written)}"
        yield _count(case, written.count(0), len(written) - 1)
    codes = [code for table in tables for code in table.exit_codes]
    yield Row("tables", f"runs that exit with 0, of {len(codes)}", codes.count(0), None, "tables", None, "", None)
    trained = [table for table in tables if table.mean("ours") is not None]
    if dead := len([table for table in tables if table.splits]) - len(trained):
        yield Row("tables", "tables on which a run trained nothing", dead, None, "tables", None, "= 0", False)
    yield from _errors(trained)
    for table in trained:
        yield from _costs(table)


def _errors(tables: Sequence[TableResult]) -> Iterator[Row]:
    names = f"{len(tables)} tables, {max((len(table.splits) for table in tables), default=0)} splits"
    if pairs := _pairs(tables, lambda table: table.mean("catboost")):
        ours, theirs = (statistics.fmean(values) for values in zip(*pairs, strict=True))
        met = ours < theirs
        case = f"mean of RMSE / deviation, {names}"
        yield Row("tables", case, ours, theirs, "of the deviation", ours / theirs, "< 1", met, "CatBoost")
    best = "the best of three boosters that stop early"
    if ratios := [table.ratio for table in tables if table.ratio is not None]:
        yield _single(f"median of RMSE / that of the best, {names}", statistics.median(ratios), "<= 1.00", 1.0, best)
    large = [table.ratio for table in tables if table.ratio is not None and table.is_large]
    if large:
        yield _single(f"worst table of {LARGE:,} rows or more", max(large), "<= 1.10", 1.1, best)
    if pairs := _pairs(tables, lambda table: min(table.mean("ridge") or 9.9, table.mean("mean") or 9.9)):
        worst = max(ours / other for ours, other in pairs)
        yield _single("worst table beside ridge and the mean", worst, "<= 1.02", 1.02, "the better of the two")


def _pairs(tables: Sequence[TableResult], other: Callable[[TableResult], float | None]) -> list[tuple[float, float]]:
    found = [(table.mean("ours"), other(table)) for table in tables]
    return [(ours, theirs) for ours, theirs in found if ours is not None and theirs is not None]


def _costs(table: TableResult) -> Iterator[Row]:
    cpu = table.cpu("ours")
    if sum(table.rows) <= SMALL:
        yield _single(f"{table.name}: CPU of init and run", cpu, "<= 10 CPU s", 10.0, unit="CPU s")
    if table.name == "flights":
        most = FLIGHTS_BEFORE / 2
        yield _single("flights: CPU of init and run", cpu, f"<= {most:g} CPU s", most, unit="CPU s")
    if table.rows[1] >= 1000 and table.coverage is not None:
        met = 0.93 <= table.coverage <= 0.97
        case, goal = f"{table.name}: share of eval rows in the 95 % interval", "0.93 to 0.97"
        yield Row("tables", case, table.coverage, None, "share", None, goal, met, better="")


def served_goals(served: Mapping[str, Mapping[str, Any]]) -> Iterator[Row]:
    """Yields one row for each table and number of rows whose model was served, of `Workplace.measure_served`."""
    for name, by_rows in served.items():
        for rows, found in by_rows.items():
            ratio = found["ratio"]
            case = f"{name}: server's CPU of a call of {counted(int(rows), 'row')}"
            costs = found["ours"], found["other"], "us"
            yield Row(
                "tables",
                case,
                *costs,
                ratio,
                f"<= {MOST_SERVED:g}",
                ratio <= MOST_SERVED,
                "one cross layer of the same columns",
                scatter=found["scatter"],
            )


def _single(case: str, value: float, goal: str, most: float, alternative: str = "", unit: str = "ratio") -> Row:
    ratio = value if unit == "ratio" else None
    return Row("tables", case, value, None, unit, ratio, goal, value <= most, alternative)


def _count(case: str, value: int, least: int) -> Row:
    return Row("tables", case, value, None, "tables", None, f">= {least}", value >= least, better="more")
