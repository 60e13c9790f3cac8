"""Measures the data steps in two processes beside one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks.harness import Row, medians

ROWS, MANY_ROWS = 4_000_000, 18_000_000  # some 230 MB and 1 GB of CSV
GOAL, GOAL_OF_MANY = 1.3, 1.2
REPEATS = 2
# A process of its own: what it and the processes that it waited for have cost, and how long it took.
CHILD = """
import json, os, sys, time
from pathlib import Path
from crossnet.components.engines.local import LocalEngine
from crossnet.components.example_gen import generate_examples
from crossnet.components.example_validator import validate_examples
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.example_validator import ExampleValidatorParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.schema_gen import infer_schema
from crossnet.components.statistics_gen import generate_statistics


def run(file, folder, workers):
    source = Path(file).suffix.removeprefix(".")
    rows = ExampleGenParams(source=source, input=file, label="y", split="hash", num_shards=4)
    with LocalEngine(workers) as engine:
        examples = generate_examples(output_dir=folder("example_gen"), params=rows, engine=engine)
        statistics = generate_statistics(
            examples, output_dir=folder("statistics_gen"), params=StatisticsGenParams(), engine=engine
        )
        schema = infer_schema(examples, statistics, output_dir=folder("schema_gen"), params=SchemaGenParams())
        output, params = folder("example_validator"), ExampleValidatorParams()
        validate_examples(examples, statistics, schema, output_dir=output, params=params, engine=engine)


def main(file, top, workers):
    since = []

    def folder(name):
        since.append((name, time.perf_counter()))
        made = Path(top) / name
        made.mkdir()
        return made

    run(file, folder, int(workers))
    since.append(("", time.perf_counter()))
    wall = {name: after - start for (name, start), (_, after) in zip(since, since[1:])}
    print(json.dumps({"cpu": sum(os.times()[:4]), "wall": wall | {"all": since[-1][1] - since[0][1]}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
"""


def _write(path: Path, rows: int) -> None:
    """Writes rows of eight columns: numbers, whole numbers and a category."""
    random = np.random.default_rng(0)
    zones, size = pa.array(["JFK", "LGA", "EWR"]), 500_000
    with ExitStack() as stack:
        writer = None
        for _ in range(rows // size):
            columns = {name: pa.array(random.normal(size=size).round(5)) for name in "abcde"}
            columns["f"] = pa.array(random.integers(0, 10_000, size))
            columns["zone"] = zones.take(pa.array(random.integers(0, len(zones), size)))
            columns["y"] = pa.array(random.normal(size=size).round(2))
            table = pa.table(columns)
            if writer is None:
                options = pa.csv.WriteOptions(quoting_style="none")
                writer = stack.enter_context(pa.csv.CSVWriter(path, table.schema, write_options=options))
            writer.write_table(table)


def _measure(file: Path, folder: Path, workers: int) -> dict[str, Any]:
    command = (sys.executable, str(folder / "child.py"), str(file))
    with tempfile.TemporaryDirectory(dir=folder) as output:
        done = subprocess.run((*command, output, str(workers)), stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows() -> Iterator[Row]:
    """Yields the CPU seconds of two processes beside those of one, then how long the steps take."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        csv, parquet = folder / "rows.csv", folder / "rows.parquet"
        (folder / "child.py").write_text(CHILD)
        _write(csv, MANY_ROWS)
        yield from _compare(csv, folder, "one CSV of", GOAL_OF_MANY)
        _write(csv, ROWS)
        yield from _compare(csv, folder, "one CSV of", GOAL)
        pq.write_table(pa.csv.read_csv(csv), parquet, row_group_size=ROWS // 16)
        yield from _compare(parquet, folder, "one Parquet file, 16 row groups, of", GOAL)


def _compare(file: Path, folder: Path, what: str, goal: float) -> Iterator[Row]:
    what = f"{what} {file.stat().st_size / 1e6:,.0f} MB"
    found = [(_measure(file, folder, 2), _measure(file, folder, 1)) for _ in range(REPEATS)]
    ours, other, ratio, scatter = medians([(two["cpu"], one["cpu"]) for two, one in found])
    yield Row(
        "workers",
        f"data steps, {what}",
        ours,
        other,
        "CPU s",
        ratio,
        f"<= {goal}",
        ratio <= goal,
        alternative="one process",
        scatter=scatter,
    )
    for step in found[0][0]["wall"]:
        ours, other, ratio, scatter = medians([(two["wall"][step], one["wall"][step]) for two, one in found])
        case = f"{step}, {what}"
        yield Row("workers", case, ours, other, "wall s", ratio, alternative="one process", scatter=scatter)
