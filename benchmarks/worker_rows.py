"""Measures what a worker reads of its share beside all rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row, medians

ROWS = 8_000_000
SHARDS, COLUMNS = 8, 9
WORKERS = (2, 8)
REPEATS = 3
# A process of its own makes the examples, for which memory and time do not count.
MAKE = """
import sys
from pathlib import Path
from crossnet.pipeline.config import load_config
from crossnet.pipeline.runner import run_pipeline

root, *settings = sys.argv[1:]
result = run_pipeline(load_config(None, settings), Path(root), until="example_validator")
assert result.exit_code == 0, result.error
"""
# What worker 1 of so many does before the first update: it reads, preprocesses and keeps.
READ = """
import json, sys, time
from pathlib import Path
import tensorflow as tf
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.features import read_schema
from crossnet.components.networks.input_choice import make_preprocessing
from crossnet.components.networks.preprocessing import Transform
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.rows import read_rows
from crossnet.components.training.sharing import Sharing


class Cluster:
    index, addresses = 1, ("",) * int(sys.argv[3])


class Meeting:
    cluster = Cluster


root, scratch = map(Path, sys.argv[1:3])
folder = {step: next((root / "artifacts" / step).iterdir()) for step in ("example_gen", "statistics_gen", "schema_gen")}
examples, schema = Examples.load(folder["example_gen"]), Schema.load(folder["schema_gen"])
features, label = read_schema(schema.proto())
statistics = Statistics.load(folder["statistics_gen"]).proto("train")
transform = Transform(make_preprocessing(features, label, statistics, params=TrainerParams()))
transform({f.name: tf.zeros([1], f.dtype) for f in transform.preprocessing.features})  # traced once


def read_bytes():
    return int(Path("/proc/self/io").read_text().split()[1])  # rchar: what was asked for, from storage or memory


sharing = Sharing(Meeting()) if int(sys.argv[3]) > 1 else None
start, before = time.process_time(), read_bytes()
with read_rows(examples, "train", transform, label, scratch=scratch, cache_mib=0, sharing=sharing) as rows:
    seconds, read = time.process_time() - start, read_bytes() - before
    disk = sum(path.stat().st_size for path in scratch.rglob("*.bin"))
print(json.dumps({"MB read": read / 1e6, "MB on disk": disk / 1e6, "CPU s": seconds}))
"""


def rows() -> Iterator[Row]:
    """Yields what worker 1 of two, and of eight, reads, keeps and computes, beside a worker that reads all rows."""
    with tempfile.TemporaryDirectory() as folder:
        root, scratch = Path(folder, "root"), Path(folder, "scratch")
        scratch.mkdir()
        settings = [f"example_gen.num_examples={ROWS}", f"example_gen.num_shards={SHARDS}"]
        settings += ["example_gen.generator=sharded", f"example_gen.num_features={COLUMNS - 1}"]
        _run(MAKE, root, *settings)

        def measured(workers: int) -> dict[str, float]:
            found: dict[str, float] = json.loads(_run(READ, root, scratch, workers).splitlines()[-1])
            return found

        for workers in WORKERS:
            pairs = [(measured(workers), measured(1)) for _ in range(REPEATS)]
            for unit in pairs[0][0]:
                found = medians([(ours[unit], all_rows[unit]) for ours, all_rows in pairs])
                case = f"worker 1 of {workers}, {ROWS:,} rows x {COLUMNS}: {unit}"
                numbers = found.ours, found.other, unit, found.ratio
                yield Row("worker_rows", case, *numbers, alternative="all rows", scatter=found.scatter)


def _run(code: str, *arguments: object) -> str:
    command = (sys.executable, "-c", code, *map(str, arguments))
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment).stdout
