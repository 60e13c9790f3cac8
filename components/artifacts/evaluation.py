"""Reads the artifact of Evaluator: metrics and the verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossnet.components.artifacts.base import Artifact, Outcome
from crossnet.components.errors import NotBlessedError
from crossnet.components.files import read_json

MEAN_PREDICTOR = "mean_predictor"  # predicts the mean label of train for every row: a line of the tables, no model

LINEAR = "linear"  # a ridge regression on the same columns: likewise
REFERENCES = (LINEAR, MEAN_PREDICTOR)  # lines of each table that are fitted in closed form, and are never served
LIGHTGBM = "lightgbm"  # boosted trees, where `reference` asks for them: likewise a line, and asked by no rule
NOT_MODELS = (LIGHTGBM, *REFERENCES)

METRICS_FILE = "metrics.json"
VERDICT_FILE = "verdict.json"
DETAILS_FILE = "details.json"
LINEAR_FILE = "linear.json"
BLESSED, NOT_BLESSED = "BLESSED", "NOT_BLESSED"  # the run's verdict, and the name of an empty file


def labels_file(folder: Path) -> Path:
    """Returns the file of the eval labels inside an artifact's folder: float32 (eval rows,) as .npy."""
    return folder / "labels.npy"


def predictions_file(folder: Path, model: str) -> Path:
    """Returns the file of one model's predictions inside an artifact's folder: float32 (eval rows,) as .npy."""
    return folder / "predictions" / f"{model}.npy"


class Evaluation(Artifact):
    """Metrics and verdict of every model, judged as exported.

    File structure:
      metrics.json                 by model, `NOT_MODELS` too: num_parameters, train_rmse, eval_rmse, mae, ...
      details.json                 by model: calibration, worst_rows, slices, explanation, importance, dependence
      linear.json                  the linear model
      verdict.json                 by candidate: blessed, rules; see `crossnet.components.evaluation.verdict`
      BLESSED | NOT_BLESSED        empty; the run's verdict
      predictions/<model>.npy      float32 (eval rows,), in record order
      labels.npy                   float32 (eval rows,)

    Properties: `champion` (a model's name or null), `reasons` (one sentence per failed rule), `skipped` (per rule that
    was not asked), `baseline`, `served_version`, `batch_size` (rows per call), `label_std` (of the eval split).
    """

    @property
    def blessed(self) -> bool:
        """Whether there is a champion to push."""
        return (self.path / BLESSED).exists()

    @property
    def champion(self) -> str | None:
        """The first blessed candidate, or None."""
        champion = self.properties["champion"]
        return None if champion is None else str(champion)

    @property
    def reasons(self) -> list[str]:
        """Why the run is not blessed; empty when it is."""
        return list(self.properties["reasons"])

    @property
    def batch_size(self) -> int:
        """Rows per call of the serving signature."""
        return int(self.properties["batch_size"])

    @property
    def label_std(self) -> float:
        """Standard deviation of the label in the eval split."""
        return float(self.properties["label_std"])

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """Metrics by model."""
        return dict(read_json(self.path / METRICS_FILE))

    @property
    def verdict(self) -> dict[str, Any]:
        """The verdict with every rule."""
        return dict(read_json(self.path / VERDICT_FILE))

    @property
    def linear(self) -> dict[str, Any] | None:
        """The linear model, as `crossnet.components.evaluation.linear` reads it; None where an older version ran."""
        file = self.path / LINEAR_FILE
        return dict(read_json(file)) if file.is_file() else None

    @property
    def details(self) -> dict[str, dict[str, Any]]:
        """By model: calibration, worst rows, slices, explanation; empty where the file is not there."""
        file = self.path / DETAILS_FILE
        return dict(read_json(file)) if file.is_file() else {}

    @property
    def headline(self) -> str:
        """The verdict in words."""
        return "blessed" if self.blessed else "not blessed"

    def passes(self, *, force: bool = False) -> bool:
        """Whether there is a champion, or the push is forced."""
        return self.blessed or force

    def outcome(self, *, force: bool = False) -> Outcome:
        """Returns verdict, champion, reasons and the metrics of every model."""
        metrics = self.metrics
        return Outcome(
            verdict=BLESSED if self.blessed else NOT_BLESSED,
            champion=self.champion,
            reasons=tuple(self.reasons),
            models={name: metrics[name] for name in self.verdict["models"]},
            exit_code=0 if self.passes(force=force) else NotBlessedError.exit_code,
        )
