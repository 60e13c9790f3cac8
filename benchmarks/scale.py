"""Measures each step as rows and columns grow, and an engine's tasks.

    python -m benchmarks.scale [--sizes 100000x4,1000000x40] [--engines] [--json FILE] [--page docs/scale.md]

Every size is a Parquet file of normal numbers and some categories, run from ExampleGen to Evaluator in one process; CPU
seconds are of user and system, peak memory is that of the process in the step. `--engines` runs empty tasks on every
engine that is installed in the environments `.venv*` of this folder. The page's tables, and what they lead to at ten
billion rows, are computed from the file of `--json` alone: `--page` without sizes writes them again.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.harness import machine
from benchmarks.scale_page import write

HERE = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("scale.json")
SIZES = "100000x4,1000000x4,10000000x4,50000000x4,100000x40,1000000x40,10000000x40,100000x200,1000000x200"
CHUNK_ROWS = 250_000
CATEGORY_EVERY = 10  # of so many columns one is a category, and at least one
CATEGORIES = 100
EPOCHS = 2
TASKS = (2, 34)  # of so many empty tasks the CPU seconds are compared
# A process of its own runs the steps one after the other; Linux forgets the peak before each.
CHILD = """
import json, os, sys, time
from pathlib import Path
from crossnet.pipeline import execution
from crossnet.pipeline.config import load_config
from crossnet.pipeline.runner import run_pipeline

found, call = {}, execution.call_component


def measured(step, *arguments, **options):
    Path("/proc/self/clear_refs").write_text("5")
    start, cpu = time.perf_counter(), sum(os.times()[:4])
    try:
        return call(step, *arguments, **options)
    finally:
        (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
        files = [file for file in Path(options["output_dir"]).rglob("*") if file.is_file()]
        found[step.name] = {
            "cpu": sum(os.times()[:4]) - cpu,
            "wall": time.perf_counter() - start,
            "mib": int(line.split()[1]) / 1024,
            "bytes": sum(file.stat().st_size for file in files),
        }


execution.call_component = measured
source, root, *settings = sys.argv[1:]
settings += ["example_gen.source=parquet", f"example_gen.input={source}", "example_gen.label=y"]
result = run_pipeline(load_config(None, settings), Path(root), until="evaluator")
assert result.exit_code in (0, 3), result.error
print(json.dumps(found))
"""
SETTINGS = (
    "models=['cross_layer', 'dense']",
    "num_workers=1",
    "example_gen.split=hash",
    "example_gen.num_shards=8",
    f"trainer.epochs={EPOCHS}",
    "trainer.batch_size=1000",
    "trainer.learning_rate=0.01",
    "trainer.shuffle=true",
)
# What starts an engine, by the environment that has it.
ENGINES = {
    "local, 2 processes": (".venv", "crossnet.components.engines.local:LocalEngine", (2,)),
    "spark, local-cluster[2,1,1024]": (
        ".venv-spark",
        "crossnet.components.engines.spark:SparkEngine",
        ({"spark.master": "local-cluster[2,1,1024]"},),
    ),
    "beam, in memory": (".venv-beam", "crossnet.components.engines.beam:BeamEngine", ({},)),
    "beam, 2 processes": (
        ".venv-beam",
        "crossnet.components.engines.beam:BeamEngine",
        ({"direct_running_mode": "multi_processing", "direct_num_workers": "2"},),
    ),
}
TASK_CHILD = """
import importlib, json, os, sys

if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    with getattr(importlib.import_module(module), name)(*json.loads(sys.argv[2]), least_bytes=0) as engine:
        assert list(engine.map(abs, [(-n,) for n in range(int(sys.argv[3]))])) == list(range(int(sys.argv[3])))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what is asked for, adds it to the results and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--sizes", nargs="?", const=SIZES, default="", help=f"ROWSxCOLUMNS; alone: {SIZES}")
    parser.add_argument("--engines", action="store_true", help="run empty tasks on each engine")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="where the results are kept")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the tables into this page")
    options = parser.parse_args(arguments)
    found: dict[str, Any] = json.loads(options.json.read_text("utf-8")) if options.json.exists() else {}
    for size in filter(None, options.sizes.split(",")):
        rows, _, columns = size.partition("x")
        found.setdefault("sizes", {})[size] = _described() | measure(int(rows), int(columns))
        _keep(options.json, found)
    for name in ENGINES if options.engines else ():
        if (cost := task_cost(name)) is not None:
            found.setdefault("engines", {})[name] = _described() | cost
            _keep(options.json, found)
    if options.page:
        write(options.page, found)
    return 0


def _described() -> dict[str, Any]:
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    return {"date": date, "machine": machine(), "load": round(os.getloadavg()[0], 1)}


def _keep(file: Path, found: dict[str, Any]) -> None:
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{file}: {', '.join(f'{len(part)} {name}' for name, part in found.items())}", file=sys.stderr, flush=True)


def measure(rows: int, columns: int) -> dict[str, Any]:
    """Returns what the steps cost for a table of so many rows and columns, the label included, by step."""
    with tempfile.TemporaryDirectory(prefix="crossnet-scale-") as folder:
        file = Path(folder) / "rows.parquet"
        write_table(file, rows, columns)
        start, size = time.process_time(), file.stat().st_size
        with file.open("rb") as stream:
            hashlib.file_digest(stream, "sha256")
        digest = time.process_time() - start
        command = (sys.executable, "-c", CHILD, str(file), str(Path(folder) / "root"), *SETTINGS)
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=HERE)
    steps = json.loads(done.stdout.splitlines()[-1])
    return {"rows": rows, "columns": columns, "input_bytes": size, "digest_cpu": digest, "steps": steps}


def write_table(file: Path, rows: int, columns: int) -> None:
    """Writes a Parquet file: categories first, then normal numbers, and a label that depends on some."""
    random = np.random.default_rng(0)
    texts = max(1, columns // CATEGORY_EVERY)
    words = pa.array([f"value {n:02d}" for n in range(CATEGORIES)])
    names = [*(f"c{n}" for n in range(texts)), *(f"x{n}" for n in range(columns - texts - 1)), "y"]
    types = [*[pa.string()] * texts, *[pa.float32()] * (columns - texts)]
    with pq.ParquetWriter(file, pa.schema(list(zip(names, types, strict=True)))) as writer:
        for first in range(0, rows, CHUNK_ROWS):
            count = min(CHUNK_ROWS, rows - first)
            codes = random.integers(0, CATEGORIES, (texts, count))
            numbers = random.normal(size=(columns - texts - 1, count)).astype(np.float32)
            label = numbers[0] * numbers[-1] + codes[0] / CATEGORIES + 0.1 * random.normal(size=count)
            values = [*(words.take(pa.array(code)) for code in codes), *map(pa.array, numbers)]
            writer.write_table(pa.table([*values, pa.array(label.astype(np.float32))], names=names))


def task_cost(name: str) -> dict[str, float] | None:
    """Returns the CPU seconds of starting an engine with two tasks and of each further one; None: not installed."""
    environment, engine, arguments = ENGINES[name]
    python = HERE / environment / "bin" / "python"
    if not python.exists():
        print(f"{name}: {environment} is not there", file=sys.stderr)
        return None
    few, many = (_task_cpu(python, engine, arguments, number) for number in TASKS)
    return {"start": few, "task": max(0.0, (many - few) / (TASKS[1] - TASKS[0]))}


def _task_cpu(python: Path, engine: str, arguments: Sequence[Any], number: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "tasks.py"
        script.write_text(TASK_CHILD)
        command = (str(python), str(script), engine, json.dumps(arguments), str(number))
        env = os.environ | {"PYTHONPATH": str(HERE), "SPARK_WORKER_DIR": folder}
        before = os.times()
        with (Path(folder) / "log").open("wb") as log:
            subprocess.run(command, stdout=log, stderr=log, check=True, cwd=folder, env=env)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    sys.exit(main())
