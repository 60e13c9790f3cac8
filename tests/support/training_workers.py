"""Runs one trainer in several processes of this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from crossnet.components.artifacts.model import Model
from crossnet.components.training.cluster import TF_CONFIG
from support.arena import free_port
from support.forked_commands import Child, Commands, Watch
from support.training_fixtures import mixed_table

STEP = "trainer_cross_layer"
DATA = "example_validator"
ROWS = 251
CONFIG = """
models = ["cross_layer"]
[example_gen]
source = "csv"
input = "rows.csv"
label = "y"
weight = "w"
[trainer]
strategy = "multi_worker"
start_timeout_seconds = 60
batch_size = 83
shuffle = true
epochs = 12
checkpoint_every = 4
early_stopping_patience = 12
members = 2
optimizer = "adamw"
normalize = "robust"
learning_rate = 0.02
interval_coverage = 0.9
"""


def write_project(folder: Path, config: str = CONFIG, rows: int = ROWS) -> Path:
    """Writes a table of mixed columns with weights, of which a third is 0, and a config; returns the config's path."""
    table = {**mixed_table(rows), "w": [i % 3 for i in range(rows)]}
    lines = [",".join(table)]
    lines += [
        ",".join("" if value is None else str(value) for value in row) for row in zip(*table.values(), strict=True)
    ]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    file = folder / "rows.toml"
    file.write_text(config)
    return file


class Workers:
    """Starts `crossnet step` on several workers of this machine."""

    def __init__(self, commands: Commands, config: Path, count: int = 2) -> None:
        self.commands, self.config = commands, config
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in range(count)]

    def start(
        self,
        root: Path | str,
        index: int,
        *more: str,
        step: str = STEP,
        watch: Watch | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Child:
        task = {"cluster": {"worker": self.addresses}, "task": {"type": "worker", "index": index}}
        arguments = ("step", step, "--config", self.config, "--root", root, *more)
        return self.commands.start(*arguments, environment={TF_CONFIG: json.dumps(task), **environment}, watch=watch)

    def data(self, root: Path | str, *more: str, environment: Mapping[str, str] | None = None) -> None:
        arguments = ("run", "--until", DATA, "--config", self.config, "--root", root, *more)
        child = self.commands.run(*arguments, environment=environment)
        assert child.wait() == 0, child.err


def model_of(root: Path) -> Model:
    (folder,) = (root / "artifacts" / STEP).iterdir()
    return Model.load(folder)
