"""Offers small steps without TensorFlow for the runner's tests.

They are a row of numbers, a gate on their mean, and a push.
"""

import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from crossnet.components.artifacts.anomalies import Anomalies
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import DataError
from crossnet.components.files import write_json
from support.processes import is_alive

CALLS: list[str] = []
GIVEN: dict[str, object] = {}  # what `remember` was called with


class Interrupted:
    """Gets a signal at its end, where Python swallows what the handler raises."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)
        for _ in range(1000):
            pass


def make_examples(*, output_dir, rows: int) -> Examples:
    CALLS.append("example_gen")
    os.write(1, b"chatter of a library\n")  # as a C++ library does
    (output_dir / "Split-train").mkdir()
    (output_dir / "Split-eval").mkdir()
    (output_dir / "Split-eval" / "rows").write_text(str(rows))
    if rows < 0:
        (output_dir / "half").touch()
        raise DataError("rows.csv:3: 2 cells, expected 3. Mend the row.")
    if rows == 1:
        Interrupted()  # gone at once
    if rows == 0:
        raise ZeroDivisionError("a bug")
    return Examples(output_dir, {"train": rows}, {"label": "y", "compression": ""})


def validate(examples: Examples, *, output_dir, most: int) -> Anomalies:
    CALLS.append("example_validator")
    found = examples.counts["train"] > most
    anomaly = {
        "split": "train",
        "column": "y",
        "rule": "range",
        "severity": "error",
        "count": 1,
        "rows": examples.counts["train"],
        "first": "rows.csv:2",
        "message": "`y` is too long",
    }
    write_json(output_dir / "anomalies.json", {"anomalies": [anomaly] if found else []})
    return Anomalies(
        output_dir, {"errors": int(found), "warnings": 0}, {"summary": anomaly["message"] if found else ""}
    )


def evaluate(examples: Examples, *, output_dir, max_rmse: float) -> Evaluation:
    CALLS.append("evaluator")
    rmse = 1 / examples.counts["train"]
    blessed = rmse <= max_rmse
    metrics = {"toy": {"num_parameters": 1, "train_rmse": rmse, "eval_rmse": rmse, "mae": rmse}}
    write_json(output_dir / "metrics.json", metrics)
    write_json(output_dir / "verdict.json", {"models": ["toy"]})
    (output_dir / ("BLESSED" if blessed else "NOT_BLESSED")).touch()
    reasons = [] if blessed else [f"`toy` has eval rmse {rmse}, above max_rmse {max_rmse}."]
    return Evaluation(output_dir, {}, {"champion": "toy" if blessed else None, "reasons": reasons})


def judge(examples: Examples, models: dict[str, Model], *, output_dir, params) -> Evaluation:
    """Blesses the first model; its error is 1, as that of the last, from which it differs by a tenth by chance."""
    interval = [-0.196, 0.196]
    rule = {"rule": "min_improvement", "slice": None, "interval": interval, "candidate": 1.0, "reference": 1.0}
    metrics = {name: {"num_parameters": 1, "train_rmse": 1.0, "eval_rmse": 1.0} for name in models}
    write_json(output_dir / "metrics.json", metrics)
    first = next(iter(models))
    candidates = {first: {"blessed": True, "rules": [rule]}}
    write_json(output_dir / "verdict.json", {"models": [*models], "champion": first, "candidates": candidates})
    (output_dir / "BLESSED").touch()
    return Evaluation(output_dir, {}, {"champion": first, "reasons": []})


def try_in_server(evaluation: Evaluation, *, output_dir) -> InfraValidation:
    CALLS.append("infra_validator")
    (output_dir / "INFRA_BLESSED").touch()
    return InfraValidation(output_dir, {}, {"reasons": [], "model": "toy"})


def push(infra_validation: InfraValidation, *, output_dir, serving_dir: str) -> PushedModel:
    from pathlib import Path

    from crossnet.components.files import folder_checksum

    CALLS.append("pusher")
    folder = Path(serving_dir) / "toy" / str(len(CALLS))
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text("toy")
    properties = {
        "version": int(folder.name),
        "destination": str(folder),
        "checksum": folder_checksum(folder),
        "model_name": "toy",
        "model": "none",
    }
    return PushedModel(output_dir, {"pushed": 1}, properties)


def remember(*, output_dir, **arguments) -> Model:
    GIVEN.clear()
    GIVEN.update(arguments, output_dir=output_dir)
    return Model(output_dir)


BESIDE: list[Callable[[], object]] = []  # what another program does while `train` works; each once


def train(*, output_dir, checkpoint_dir) -> Model:
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    (checkpoint_dir / "checkpoint.npz").touch()
    if BESIDE:
        BESIDE.pop()()
    return Model(output_dir, {"read": len("another")})


# ---- Steps that work beside each other, in processes of their own ----


def work_beside(
    *, output_dir: Path, meeting: str, waits_for: str = "", outlives: bool = False, then: str = ""
) -> Model:
    """Writes its process's number into the folder `meeting`, waits for that of another step, then does as told.

    With `outlives` it waits for the end of that process too.
    """
    step = output_dir.parent.name
    (Path(meeting) / f".{step}").write_text(str(os.getpid()))
    (Path(meeting) / f".{step}").rename(Path(meeting) / step)
    logging.getLogger("crossnet.components.toy").info("epoch 1 of 1")
    (output_dir / "Format-Serving").mkdir()
    while waits_for and not (Path(meeting) / waits_for).exists():
        time.sleep(0.005)
    while outlives and is_alive(int((Path(meeting) / waits_for).read_text())):
        time.sleep(0.005)
    if then == "fail":
        raise DataError("rows.csv:3: 2 cells, expected 3. Mend the row.")
    if then == "bug":
        raise ZeroDivisionError(f"a bug in {step}")
    if then == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if then.startswith("signal"):
        os.kill(os.getppid(), int(then.removeprefix("signal ")))
    if then.startswith("signal") or then == "hang":
        time.sleep(3600)
    return Model(output_dir, {"parameters": 1}, {"kind": step, "pid": os.getpid()})
