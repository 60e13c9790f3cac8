"""Makes real runs for the report's tests, once.

One was pushed, one was not blessed, one was stopped by anomalies, one failed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.files import write_json
from crossnet.pipeline.config import load_config, to_toml
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
    "card",
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
        overrides += ["evaluator.max_mean_ratio=none", "evaluator.max_linear_ratio=none"]
        run_pipeline(load_config(None, overrides), store.root, name=name, until=until)
        write_report(store, name)

    run(PUSHED, "good.csv")
    run(CLOSED, "good.csv", **{"evaluator.max_rmse": 1e-12})
    run(ANOMALOUS, "nan.csv", **{"example_gen.unlabelled": "error"})
    run(FAILED, "text.csv")
    run(PARTIAL, "good.csv", until="schema_gen")
    write_index(store)
    return store


def make_bare_run(root: Path) -> Store:
    """Returns a root with one run, "bare", of the default config whose artifacts are gone."""
    store = Store(root)
    folder = store.new_run("bare")
    (folder / "config.toml").write_text(to_toml(load_config()))
    metrics = {"num_parameters": 16, "train_rmse": 1e-7, "eval_rmse": 1e-7}
    facts = {
        "run": "bare",
        "verdict": "BLESSED",
        "champion": "cross_layer",
        "pushed_version": None,
        "exit_code": 0,
        "reasons": [],
        "error": None,
        "warnings": [],
        "models": dict.fromkeys(("cross_layer", "tfrs_cross", "dense"), metrics),
        "steps": {
            name: {"status": "ran", "seconds": 1.0, "artifact": f"artifacts/{name}/f1", "fingerprint": "f1"}
            for name in ("example_gen", "evaluator")
        },
        "graph": {"example_gen": [], "evaluator": ["example_gen"]},
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:05:05+00:00",
        "complete": True,
        "versions": {"numpy": "2.0"},
    }
    write_json(folder / "run.json", facts)
    return store
