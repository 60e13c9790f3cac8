"""Starts a training from the weights of an exported model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from crossnet.components.errors import TrainingError
from crossnet.components.files import read_json
from crossnet.components.networks.export import TRAINING_FILE
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training.checkpoints import differences


@dataclass(frozen=True)
class ExportedModel:
    """What a SavedModel of ours says about its training.

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
      TrainingError: It is none, or was not exported by this pipeline.
    """
    folder = path / "Format-Serving" if (path / "Format-Serving").is_dir() else path
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


def continue_preprocessing(exported: ExportedModel, new: Preprocessing) -> Preprocessing:
    """Returns the preprocessing of a warm start: the exported model's, with new tokens after its own.

    Its means and scales are kept: its weights mean nothing under others. So the first prediction of the new training
    equals the exported model's.

    Raises:
      TrainingError: The features differ.
    """
    old = exported.preprocessing

    def columns(preprocessing: Preprocessing) -> dict[str, str]:
        return {f.name: f"{f.type}{'' if f.required else ', may be missing'}" for f in preprocessing.features}

    if difference := differences(columns(old), columns(new)):
        raise TrainingError(
            f"Cannot start from `{exported.path}`: its features are others: {difference}. Train from the start "
            "(`trainer.warm_start` none), or give it a schema with the same features."
        )
    after = {column.name: column.vocabulary for column in new.texts}  # the columns may come in another order
    texts = tuple(
        dataclasses.replace(before, vocabulary=tuple(dict.fromkeys((*before.vocabulary, *after[before.name]))))
        for before in old.texts
    )
    return dataclasses.replace(old, texts=texts)


def load_weights(exported: ExportedModel, network: tf_keras.Model, description: Mapping[str, Any]) -> None:
    """Sets a network's weights to the exported ones; rows of embeddings for new tokens stay as they are.

    Raises:
      TrainingError: The architectures differ.
    """

    def architecture(facts: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in facts.items() if name not in ("shapes", "layers")}

    if difference := differences(architecture(exported.network), architecture(description)):
        raise TrainingError(
            f"Cannot start from `{exported.path}`: it is of another architecture: {difference}. Train from the start "
            "(`trainer.warm_start` none), or set the same architecture."
        )
    for variable, weight in zip(network.trainable_variables, exported.weights, strict=True):
        value = variable.numpy()
        value[tuple(np.s_[:size] for size in weight.shape)] = weight
        variable.assign(value)
