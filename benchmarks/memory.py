"""Measures the peak memory of each step with many rows beside few."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from benchmarks.harness import Row

FEW, MANY = 1_000_000, 10_000_000
GOAL = 1.2
EPOCHS = 2
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
rows, epochs, root = sys.argv[1:]
settings = ["models=['cross_layer', 'dense']", f"example_gen.num_examples={rows}", f"trainer.epochs={epochs}"]
settings += ["trainer.batch_size=1000", "example_gen.num_shards=8", "num_workers=1", "evaluator.max_rmse=10.0"]
result = run_pipeline(load_config(None, settings), Path(root), until="evaluator")
assert result.exit_code in (0, 3), result.error
print(json.dumps(peaks))
"""


def _peaks(rows: int) -> dict[str, float]:
    """Returns the peak of each step in MiB."""
    with tempfile.TemporaryDirectory() as root:
        command = (sys.executable, "-c", CHILD, str(rows), str(EPOCHS), root)
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows() -> Iterator[Row]:
    """Yields each step's peak with ten million rows beside that with one million."""
    few, many = _peaks(FEW), _peaks(MANY)
    for step in many:
        ratio = many[step] / few[step]
        case = f"{step}, {MANY:,} rows"
        other = f"{FEW:,} rows"
        yield Row("memory", case, many[step], few[step], "MiB", ratio, f"<= {GOAL}", ratio <= GOAL, alternative=other)
