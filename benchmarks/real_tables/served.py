"""Measures what a call costs the server that has a table's model."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import medians
from benchmarks.real_tables.measure import PROBLEM_CHARS, examples_of, run_ours, set_words
from benchmarks.serving import Running, start_server
from crossnet.components.artifacts.schema import Schema
from crossnet.components.features import read_schema
from crossnet.components.records.dataset import read_dataset
from crossnet.serving.client import PredictionClient

MODELS: dict[str, tuple[str, ...]] = {  # their settings
    "ours": (),
    # One cross layer, whatever its weights: a batch and an epoch that fit tables of few rows.
    "other": ("trainer.preset=polynomial", "trainer.batch_size=10", "trainer.epochs=1"),
}
ROWS = (1, 1000)  # of a call
TURNS = 9
SECONDS = 0.5  # of calls in each turn, about


def measure_served(csv: Path, label: str) -> dict[str, dict[str, float]]:
    """Returns `{rows of a call: {"ours", "other", "ratio", "scatter"}}`, CPU of the server in microseconds.

    Trains both on the split that `init` writes. One server has both models, and answers each in short turns, one call
    in flight.

    Args:
      csv: The table.
      label: Its column to predict.

    Raises:
      RuntimeError: A run failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        entries = []
        for name, settings in MODELS.items():
            top = Path(folder, f"run-{name}")
            top.mkdir()
            arguments = (*set_words(settings), "--until", "trainer_cross_layer")
            exit_code, _, output = run_ours(csv, label, top, arguments)
            if exit_code:
                raise RuntimeError(f"{csv.name}: nothing to serve, exit {exit_code}: {output.strip()[-PROBLEM_CHARS:]}")
            (model,) = top.glob("crossnet_root/artifacts/trainer_cross_layer/*/Format-Serving")
            Path(folder, name).mkdir()
            Path(folder, name, "1").symlink_to(model, target_is_directory=True)
            entries.append(f'config {{ name: "{name}" base_path: "{folder}/{name}" model_platform: "tensorflow" }}')
        config = Path(folder, "models.config")
        config.write_text(f"model_config_list {{ {' '.join(entries)} }}")
        command = ("crossnet.serving.server_command", "--port=0", f"--model_config_file={config}")
        with start_server([sys.executable, "-m", *command]) as server:
            return {str(rows): _in_turns(server, _inputs(Path(folder, "run-ours"), rows)) for rows in ROWS}


def _inputs(top: Path, rows: int) -> dict[str, Any]:
    """Returns a call's columns: eval rows, over again where they are fewer than a call has."""
    (schema,) = top.glob("crossnet_root/artifacts/schema_gen/*")
    features, _ = read_schema(Schema.load(schema).proto())
    columns, _ = next(read_dataset(examples_of(top), "eval", features, None, batch_size=rows))
    return {name: np.resize(values, rows) for name, values in columns.items()}


def _in_turns(server: Running, inputs: dict[str, Any]) -> dict[str, float]:
    clients = [PredictionClient(server.target, model_name=name, timeout_seconds=60) for name in MODELS]
    try:
        calls = _calls(server, clients[0], inputs)
        pairs = [[_cost(server, client, inputs, calls) for client in clients] for _ in range(TURNS + 1)]
    finally:
        for client in clients:
            client.close()
    found = medians([(first, second) for first, second in pairs[1:]])  # the first turn warms up
    return found._asdict()


def _calls(server: Running, client: PredictionClient, inputs: dict[str, Any]) -> int:
    """Returns how many calls take about `SECONDS`."""
    return max(20, int(SECONDS * 1e6 / max(_cost(server, client, inputs, 20), 1.0)))


def _cost(server: Running, client: PredictionClient, inputs: dict[str, Any], calls: int) -> float:
    """Returns the server's CPU for each call, in microseconds."""
    before = server.cpu_seconds()
    for _ in range(calls):
        client.predict(inputs)
    return (server.cpu_seconds() - before) / calls * 1e6
