"""Reads the artifact of Trainer: an exported model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossnet.components.artifacts.base import Artifact, Outcome
from crossnet.components.files import read_json

SERVING_FOLDER = "Format-Serving"
HISTORY_FILE = "history.json"
OUT_OF_FOLD_FILE = "out_of_fold.npz"


class Model(Artifact):
    """An exported model and how it was trained.

    File structure:
      Format-Serving/saved_model.pb, variables/, assets/, assets.extra/tf_serving_warmup_requests, .../train_values.json
      history.json                 {"loss": [mean squared error per epoch, label units squared], ...}
      out_of_fold.npz              row, prediction, label of rows of train that were held out; where some were

    Counts: `parameters`. Properties: `kind`, `checksum` of Format-Serving, `train_seconds`, `diagnosis`, `notes`
    (sentences for the screen, such as on features that the model does not see).
    """

    def outcome(self, *, force: bool = False) -> Outcome:
        """Returns what is worth knowing about the features of the model."""
        return Outcome(warnings=tuple(self.properties.get("notes", ())))

    @property
    def serving_path(self) -> Path:
        """The SavedModel: what is judged, checked and pushed, unchanged."""
        return self.path / SERVING_FOLDER

    @property
    def kind(self) -> str:
        """One of `crossnet.components.params.networks.MODEL_KINDS`."""
        return str(self.properties["kind"])

    @property
    def num_parameters(self) -> int:
        """Trainable weights."""
        return int(self.counts["parameters"])

    @property
    def checksum(self) -> str:
        """`folder_checksum` of `serving_path`."""
        return str(self.properties["checksum"])

    @property
    def train_seconds(self) -> float:
        """Wall-clock time of the training."""
        return float(self.properties["train_seconds"])

    @property
    def out_of_fold(self) -> dict[str, Any] | None:
        """Rows of train that were held out, and their predictions by what never learned from them; None: none were.

        `row` int64 (rows,), places in train, and float64 (rows,), in the label's unit: `prediction` and `label`. Where
        rows have weights, also `weight`, float32 (rows,), 1 in the mean of train, and none of the rows weighs 0.
        """
        import numpy as np

        path = self.path / OUT_OF_FOLD_FILE
        if not path.is_file():
            return None
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}

    @property
    def history(self) -> dict[str, Any]:
        """The training history."""
        return dict(read_json(self.path / HISTORY_FILE))
