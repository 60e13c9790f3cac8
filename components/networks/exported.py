"""Reads back a model that this pipeline exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import tensorflow as tf

from crossnet.components.artifacts.model import SERVING_FOLDER
from crossnet.components.errors import TrainingError
from crossnet.components.files import read_json
from crossnet.components.networks.export import TRAINING_FILE
from crossnet.components.networks.preprocessing import Preprocessing


@dataclass(frozen=True)
class ExportedModel:
    """A SavedModel that this pipeline exported, as its training left it.

    Attributes:
      path: The SavedModel.
      network: `models.describe` of its network.
      preprocessing: How it sees rows.
      weights: Its trained weights, in the network's order.
    """

    path: Path
    network: Mapping[str, Any]
    preprocessing: Preprocessing
    weights: list[npt.NDArray[Any]]


def read_exported(path: Path) -> ExportedModel:
    """Reads a Model artifact, or a SavedModel such as a version in service.

    Raises:
      TrainingError: The folder holds no SavedModel that this pipeline exported.
    """
    folder = path / SERVING_FOLDER if (path / SERVING_FOLDER).is_dir() else path
    if not (folder / TRAINING_FILE).is_file():
        raise TrainingError(
            f"Cannot start from `{path}`: it has no {TRAINING_FILE}, which every model exported here has. "
            "Name a version in service or the path of such a model in `trainer.warm_start`, or none."
        )
    facts = read_json(folder / TRAINING_FILE)
    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    weights = [
        reader.get_tensor(f"weights/{i}/.ATTRIBUTES/VARIABLE_VALUE") for i in range(len(facts["network"]["shapes"]))
    ]
    return ExportedModel(folder, facts["network"], Preprocessing.from_json(facts["preprocessing"]), weights)
