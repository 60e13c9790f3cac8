"""Makes real runs for the report's tests, once.

One was pushed, one was not blessed, one was stopped by anomalies, one failed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.pipeline.config import load_config
from crossnet.pipeline.report.pages import write_index, write_report
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store

HOSTILE_HEADER = "a<img src=x onerror=alert(1)>"
HOSTILE_VALUE = "</svg><script>alert(2)</script>"
HOSTILE_RUN = "good & <b>bold<"
SECTIONS = [
    "verdict",
    "models",
    "gate",
    "training",
    "predictions",
    "learned",
    "data",
    "anomalies",
    "steps",
    "lineage",
    "settings",
    "versions",
]
PUSHED, CLOSED, ANOMALOUS, FAILED, PARTIAL = HOSTILE_RUN, "closed", "anomalous", "failed", "partial"


def write_table(path: Path, *, rows: int = 600, spoil: str = "") -> None:
    """Writes a table whose header and values are hostile; `spoil` replaces the label of the third row."""
    x = np.random.default_rng(0).integers(0, 200, (3, rows)) / 200
    y = x[0] ** 2 + x[0] * x[1] + x[2]
    zones = ["east", HOSTILE_VALUE, "a & b"]
    lines = [f"x0,x1,{HOSTILE_HEADER},zone,y"]
    lines += [f"{x[0, i]},{x[1, i]},{x[2, i]},{zones[i % 3]},{y[i]:.6f}" for i in range(rows)]
    if spoil:
        lines[3] = lines[3].rpartition(",")[0] + f",{spoil}"
    path.write_text("\n".join(lines) + "\n")


_made: list[Store] = []


def make_runs(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Returns a root with five runs and their reports; it is made once, for all test files."""
    if not _made:
        _made.append(_make_runs(tmp_path_factory.mktemp("report")))
    return _made[0]


def _make_runs(folder: Path) -> Store:
    store = Store(folder / "root")
    tables = {"good.csv": "", "nan.csv": "nan", "text.csv": "much"}
    for name, spoil in tables.items():
        write_table(folder / name, spoil=spoil)

    def run(name: str, table: str, until: str | None = None, **settings: object) -> None:
        chosen = {"trainer.epochs": 3, "trainer.batch_size": 100, "evaluator.max_rmse": 100.0, **settings}
        overrides = [f"{key}={value}" for key, value in chosen.items()]
        overrides += [
            'models=["cross_layer", "dense"]',
            "example_gen.source=csv",
            f"example_gen.input={folder / table}",
        ]
        overrides += ["example_gen.split=hash", 'evaluator.slices=[["zone"]]', "evaluator.min_slice_rows=10"]
        overrides += ["trainer.learning_rate=0.05", "evaluator.min_improvement=none"]
        run_pipeline(load_config(None, overrides), store.root, name=name, until=until)
        write_report(store, name)

    run(PUSHED, "good.csv")
    run(CLOSED, "good.csv", **{"evaluator.max_rmse": 1e-12})
    run(ANOMALOUS, "nan.csv")
    run(FAILED, "text.csv")
    run(PARTIAL, "good.csv", until="schema_gen")
    write_index(store)
    return store
