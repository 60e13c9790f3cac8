"""Measures the rows that StatisticsGen summarises per CPU second, and its memory."""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.harness import Row, cost, interleave
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records.dataset import Column
from crossnet.components.statistics.columns import ColumnStatistics, dataset_parts

ROWS = 1_000_000
BATCH_ROWS = 65_536
BUCKETS = StatisticsGenParams().num_histogram_buckets
Columns = dict[str, Column]


def rows() -> Iterator[Row]:
    """Yields one row per kind of column, and one for memory."""
    yield _rate("4 numeric columns", "FLOAT", list(_numbers(ROWS)), 1_000_000)
    yield _rate("1 text column, 1,000 values", "BYTES", list(_texts(ROWS, 1000)), None)
    yield _rate("1 text column, all values distinct", "BYTES", list(_texts(ROWS, 10 * ROWS)), None)
    yield _memory()


def _rate(case: str, kind: str, batches: list[Columns], goal: int | None) -> Row:
    """Compares our one pass with whole columns, which must fit into memory and cannot be merged."""
    ours, other, _, scatter = interleave(
        lambda: ROWS / cost(lambda: _summarise(kind, batches)),
        lambda: ROWS / cost(lambda: _summarise_whole(kind, batches)),
    )
    words = "" if goal is None else f">= {goal:,} rows per CPU second"
    met = None if goal is None else ours >= goal
    alternative = "NumPy over whole columns in memory: mean, std, min, max, quantiles, histogram, distinct values"
    if kind == "BYTES":
        alternative = "Arrow over whole columns in memory: sorted values with counts"
    return Row(
        "statistics", f"{case}, {ROWS:,} rows", ours, other, "rows / CPU s", ours / other, words, met, alternative,
        better="more", scatter=scatter,
    )  # fmt: skip


def _summarise(kind: str, batches: Iterator[Columns] | list[Columns]) -> None:
    total: dict[str, ColumnStatistics] = {}
    for batch in batches:
        for name, column in batch.items():
            if name not in total:
                total[name] = ColumnStatistics(name, kind, StatisticsGenParams())
            total[name].update(column)
    dataset_parts("train", ROWS, (column.serialized() for column in total.values()))


def _summarise_whole(kind: str, batches: list[Columns]) -> list[Any]:
    found: list[Any] = []
    for name in batches[0]:
        if kind == "BYTES":
            values = pa.chunked_array([batch[name].values for batch in batches])
            found.append(values.value_counts().sort())
            continue
        values = np.concatenate([batch[name].values for batch in batches])
        doubles = values.astype(np.float64)
        found += [doubles.mean(), doubles.std(), values.min(), values.max(), np.count_nonzero(values)]
        found.append(np.quantile(values, np.linspace(0, 1, BUCKETS + 1)))
        found.append(np.histogram(values, BUCKETS))
        found.append(len(np.unique(values)))
    return found


def _numbers(number: int) -> Iterator[Columns]:
    random = np.random.default_rng(0)
    for start in range(0, number, BATCH_ROWS):
        size = min(BATCH_ROWS, number - start)
        yield {f"x{n}": Column(random.standard_normal(size, np.float32), None) for n in range(4)}


def _texts(number: int, distinct: int) -> Iterator[Columns]:
    random = np.random.default_rng(0)
    for start in range(0, number, BATCH_ROWS):
        values = random.integers(0, distinct, min(BATCH_ROWS, number - start)).tolist()
        yield {"t": Column(pa.array([b"value %d" % value for value in values], pa.binary()), None)}


def _memory() -> Row:
    """Compares peak memory of ten times the rows, each in a process of its own."""
    few, many = (statistics.median(_peak_mib(number) for _ in range(3)) for number in (ROWS, 10 * ROWS))
    case = f"peak memory, 4 numeric columns, {10 * ROWS:,} rows"
    ratio = many / few
    return Row("statistics", case, many, few, "MiB", ratio, "<= 1.2", ratio <= 1.2, f"the same of {ROWS:,} rows")


def _peak_mib(number: int) -> float:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_summarise_and_peak, (number,))


def _summarise_and_peak(number: int) -> float:
    _summarise("FLOAT", _numbers(number))
    # Not ru_maxrss, which begins with the memory of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
