"""Reads the artifact of Evaluator: metrics and the verdict."""

from __future__ import annotations

from typing import Any

from crossnet.components.artifacts.base import Artifact
from crossnet.components.files import read_json

MEAN_PREDICTOR = "mean_predictor"  # predicts the mean label of train for every row: a line of the tables, no model


class Evaluation(Artifact):
    """Metrics and verdict of every model, judged as exported.

    File structure:
      metrics.json                 by model, the mean predictor too: num_parameters, train_rmse, eval_rmse, mae, ...
      details.json                 by model: calibration, worst_rows, slices, explanation
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
        return (self.path / "BLESSED").exists()

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
    def metrics(self) -> dict[str, dict[str, Any]]:
        """Metrics by model."""
        return dict(read_json(self.path / "metrics.json"))

    @property
    def verdict(self) -> dict[str, Any]:
        """The verdict with every rule."""
        return dict(read_json(self.path / "verdict.json"))
