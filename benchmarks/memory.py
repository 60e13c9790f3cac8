"""Measures the peak memory of each step with many rows beside few."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence

from benchmarks.harness import Row

FEW, MANY = 1_000_000, 10_000_000
GOAL = 1.2
NONE_HELD_OUT = ("trainer.epochs=2", "trainer.batch_size=1000")
# Some rows tell when learning is done and how wide intervals are, of six columns, of which one says what a row weighs.
HELD_OUT = ("trainer.preset=table", "example_gen.num_features=5", "example_gen.weight=x4")
# A process of its own runs the steps one after the other; Linux forgets the peak before each.
CHILD = """
import json, os, sys
from pathlib import Path
from crossnet.pipeline import execution
from crossnet.pipeline.config import load_config
from crossnet.pipeline.runner import run_pipeline

peaks, call = {}, execution.call_component


def measured(step, *arguments, **options):
    Path("/proc/self/clear_refs").write_text("5")
    try:
        return call(step, *arguments, **options)
    finally:
        (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
        peaks[step.name] = int(line.split()[1]) / 1024


execution.call_component = measured
rows, root, until, *more = sys.argv[1:]
settings = ["models=['cross_layer', 'dense']", f"example_gen.num_examples={rows}", *more]
settings += ["example_gen.num_shards=8", "num_workers=1", "evaluator.max_rmse=10.0"]
result = run_pipeline(load_config(None, settings), Path(root), until=until)
assert result.exit_code in (0, 3), result.error
print(json.dumps(peaks))
"""


def _peaks(rows: int, until: str, settings: Sequence[str]) -> dict[str, float]:
    """Returns the peak of each step in MiB."""
    with tempfile.TemporaryDirectory() as root:
        command = (sys.executable, "-c", CHILD, str(rows), root, until, *settings)
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows() -> Iterator[Row]:
    """Yields each step's peak with ten million rows beside that with one million."""
    few, many = (_peaks(rows, "evaluator", NONE_HELD_OUT) for rows in (FEW, MANY))
    for step in many:
        yield _row(f"{step}, {MANY:,} rows", many[step], few[step])
    few, many = (_peaks(rows, "evaluator", HELD_OUT) for rows in (FEW, MANY))
    for step in (step for step in many if step.startswith("trainer")):
        yield _row(f"{step}, {MANY:,} weighed rows, some held out", many[step], few[step])


def _row(case: str, many: float, few: float) -> Row:
    ratio, other = many / few, f"{FEW:,} rows"
    return Row("memory", case, many, few, "MiB", ratio, f"<= {GOAL}", ratio <= GOAL, alternative=other)
