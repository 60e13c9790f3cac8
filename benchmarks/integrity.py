"""Measures what checksums cost beside the run that keeps them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row, cost, interleave

# A run in one process, in which the functions that write and compare checksums are timed, each in its outermost call.
SCRIPT = """
import functools, sys, time
from pathlib import Path
from crossnet.components import damaged_versions, model_folder, pusher
from crossnet.components.artifacts import integrity, pushed_model
from crossnet.pipeline import execution, plan, references, store, wholeness
from crossnet.pipeline.config import load_config
from crossnet.pipeline.runner import run_pipeline
spent, depth = 0.0, 0
def timed(function):
    @functools.wraps(function)
    def wrapper(*arguments, **options):
        global spent, depth
        start, depth = time.process_time(), depth + 1
        try:
            return function(*arguments, **options)
        finally:
            depth -= 1
            if not depth:
                spent += time.process_time() - start
    return wrapper
store.checksums, store.sealed = timed(store.checksums), timed(store.sealed)
integrity.Checks.damage = timed(integrity.Checks.damage)
wholeness.changed_inputs = timed(wholeness.changed_inputs)
execution.made_from, execution.checkpoint_folder = timed(execution.made_from), timed(execution.checkpoint_folder)
for module in (damaged_versions, pusher, pushed_model, references):
    module.folder_checksum = timed(module.folder_checksum)
start = time.process_time()
root, until, *settings = sys.argv[1:]
config = load_config("article", ['models=["cross_layer", "dense"]', *settings])
assert run_pipeline(config, Path(root), until=until or None).exit_code in (0, 3)
print(spent, time.process_time() - start)
"""


MAX_SHARE = 0.05
LARGE = "example_gen.num_examples=2000000"
# By case: `until`, settings, and whether it is a whole run that does its work, which the goal is about.
CASES = {
    "a first run, article's table": ("", (), True),
    "an unchanged run": ("", (), False),
    "the data steps of 2,000,000 rows": ("example_validator", (LARGE,), False),
    "a first run, 2,000,000 rows, one epoch": ("", (LARGE, "example_gen.seed=1", "trainer.epochs=1"), True),
}


def rows() -> Iterator[Row]:
    """Yields the CPU seconds of all checksums in a run, then those of `verify --all` beside sha256sum."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        for case, (until, settings, has_goal) in CASES.items():
            command = [sys.executable, "-c", SCRIPT, str(root), until, *settings]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            ours, other = map(float, done.stdout.splitlines()[-1].split())
            goal = f"<= {MAX_SHARE}" if has_goal else ""
            met = ours / other <= MAX_SHARE if has_goal else None
            yield Row("integrity", f"checksums in {case}", ours, other, "CPU s", ours / other, goal, met, "that run")
        verified = interleave(
            lambda: _cost(sys.executable, "-m", "crossnet", "verify", "--all", "--root", str(root)),
            lambda: _cost("bash", "-c", f"find {root} -type f -print0 | xargs -0 sha256sum"),
        )
        yield Row(
            "integrity",
            f"verify --all, {sum(file.stat().st_size for file in root.rglob('*') if file.is_file()) / 2**20:.0f} MiB",
            verified.ours,
            verified.other,
            "CPU s",
            verified.ratio,
            alternative="sha256sum of every file",
            scatter=verified.scatter,
        )


def _cost(*command: str) -> float:
    return cost(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True))
