"""Runs whole tables of users, and asks how new users fare."""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

USERS, OF_EACH, NEW_USERS = 100, 100, 2000
GOAL = 0.8
EFFECT, NOISE = 0.7, 0.3  # of a user on the label, and of chance; what x0 and x1 say has a deviation of 0.4
SETTINGS = (
    "example_gen.source=csv", "example_gen.label=y", "example_gen.eval_fraction=0.3", 'models=["cross_layer"]',
    "trainer.epochs=10", "evaluator.max_rmse=9", "evaluator.max_linear_ratio=none", "evaluator.max_mean_ratio=none",
    "evaluator.min_improvement=none",
)  # fmt: skip
BY_USER = ("example_gen.split=key", "example_gen.split_column=user", "example_gen.group=user")


def count_draws(draws: int) -> int:
    """Prints in how many draws the printed interval holds the RMSE on new users; returns an exit code."""
    held = 0
    for seed in range(draws):
        low, high, truth = _draw(seed)
        held += low <= truth <= high
        print(f"draw {seed}: interval {low:.3f} to {high:.3f}, new users {truth:.3f}; {held} of {seed + 1}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        notes = _run(Path(name), _table(np.random.default_rng(0), USERS), ()).verdict["notes"]
    is_named = any("`user`" in note for note in notes)
    print(f"The interval holds the RMSE on new users in {held} of {draws} draws (goal: >= {GOAL:.0%}).")
    print(f"Without a group, the warning {'names' if is_named else 'DOES NOT name'} `user`.")
    return int(held < GOAL * draws or not is_named)


def _draw(seed: int) -> tuple[float, float, float]:
    """Returns the interval that a run prints, and the RMSE of its model on new users."""
    from crossnet.components.evaluation.session import ServingSession

    random = np.random.default_rng([6, seed])
    with tempfile.TemporaryDirectory() as name:
        evaluation = _run(Path(name), _table(random, USERS), BY_USER)
        rules = evaluation.verdict["candidates"]["cross_layer"]["rules"]
        low, high = next(rule["interval"] for rule in rules if rule["rule"] == "max_rmse")
        new = _table(random, NEW_USERS)
        (path,) = Path(name).glob("root/artifacts/trainer_cross_layer/*/Format-Serving")
        with ServingSession(path) as model:
            errors = model.predict({key: new[key].astype(np.float32) for key in ("x0", "x1")}) - new["y"]
    return low, high, math.sqrt(float(np.mean(np.square(errors))))


def _table(random: np.random.Generator, users: int) -> dict[str, Any]:
    user = np.repeat(np.arange(users), OF_EACH)
    x0, x1 = random.uniform(0, 1, (2, len(user)))
    effect = EFFECT * random.normal(0, 1, users)[user]
    y = x0 + x0 * x1 + effect + NOISE * random.normal(0, 1, len(user))
    return {"user": np.array([f"u{number:05d}" for number in user]), "x0": x0, "x1": x1, "y": y}


def _run(folder: Path, table: dict[str, Any], settings: tuple[str, ...]) -> Any:
    from crossnet.pipeline.config import load_config
    from crossnet.pipeline.runner import run_pipeline

    lines = (f"{u},{a:.6f},{b:.6f},{y:.6f}\n" for u, a, b, y in zip(*table.values(), strict=True))
    (folder / "users.csv").write_text("user,x0,x1,y\n" + "".join(lines), encoding="utf-8")
    config = load_config(None, [*SETTINGS, *settings, f"example_gen.input={folder / 'users.csv'}"])
    result = run_pipeline(config, folder / "root", until="evaluator")
    if "evaluator" not in result.artifacts:
        sys.exit(result.error)
    return result.artifacts["evaluator"]
