"""Measures how long commands take beside `import tensorflow`, which they avoid."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.harness import Row, cost, interleave

CROSSNET = (sys.executable, "-m", "crossnet")
LIMITS = {"--help": 0.2, "plan": 0.4, "runs": 0.4, "show": 0.4, "run (up to date)": 1.0}


def _call(*command: str) -> float:
    def work() -> None:
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    return cost(work)


def rows() -> Iterator[Row]:
    """Yields the CPU seconds of each command on a root with one small finished run."""
    import_tensorflow = (sys.executable, "-c", "import tensorflow")
    with tempfile.TemporaryDirectory() as folder:
        root = ("--root", str(Path(folder) / "root"))
        # Enough updates for the gate to open, whatever the seed.
        settings = (
            "example_gen.num_examples=2000",
            "trainer.batch_size=100",
            "trainer.epochs=20",
            "evaluator.max_rmse=0.1",
        )
        small = tuple(word for text in settings for word in ("--set", text))
        _call(*CROSSNET, "run", *root, *small)
        commands = {
            "--help": ("--help",),
            "plan": ("plan", *root, *small),
            "runs": ("runs", *root),
            "show": ("show", *root),
            "run (up to date)": ("run", *root, *small),
        }
        for case, arguments in commands.items():
            command = (*CROSSNET, *arguments)
            ours, other, ratio, scatter = interleave(partial(_call, *command), partial(_call, *import_tensorflow))
            limit = LIMITS[case]
            yield Row(
                benchmark="command_line",
                case=f"crossnet {case}",
                ours=ours,
                other=other,
                unit="CPU s",
                ratio=ratio,
                goal=f"<= {limit} s",
                met=ours <= limit,
                alternative="import tensorflow",
                scatter=scatter,
            )
