"""Reads the artifact of a reference: predictions of no served model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossnet.components.artifacts.base import Artifact

PREDICTIONS_FILE = "predictions.npy"


class ReferenceModel(Artifact):
    """What a model predicts that is shown beside the others and is never served: predictions.npy, float32 (eval rows,).

    Counts: `leaves`, `rounds`, `held_out` (train rows). Properties: `kind`, `train_rmse` in the label's unit,
    `train_seconds`.
    """

    @property
    def kind(self) -> str:
        """`lightgbm`."""
        return str(self.properties["kind"])

    @property
    def predictions_path(self) -> Path:
        """The predictions of the eval rows, in record order."""
        return self.path / PREDICTIONS_FILE

    @property
    def metrics(self) -> dict[str, Any]:
        """What its line of the table says besides the errors on eval."""
        return {
            "num_parameters": int(self.counts["leaves"]),
            "train_rmse": float(self.properties["train_rmse"]),
            "train_seconds": float(self.properties["train_seconds"]),
        }
