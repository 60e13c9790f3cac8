"""Starts a training from the weights of an exported model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tf_keras

from crossnet.components.errors import TrainingError
from crossnet.components.networks.exported import ExportedModel
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training.checkpoints import differences


def continue_preprocessing(exported: ExportedModel, new: Preprocessing) -> Preprocessing:
    """Returns the preprocessing of a warm start: the exported model's, with new tokens after its own.

    Its means, scales and bins are kept: its weights mean nothing under others. So the first prediction of the new
    training equals the exported model's. Where predictions are clipped, they may reach the labels of both.

    Raises:
      TrainingError: The features differ.
    """
    old = exported.preprocessing

    def columns(preprocessing: Preprocessing) -> dict[str, str]:
        return {f.name: f"{f.type}{'' if f.required else ', may be missing'}" for f in preprocessing.features}

    if difference := differences(columns(old), columns(new)):
        raise TrainingError(
            f"Cannot start from `{exported.path}`: its features differ: {difference}. Train from the start "
            "(`trainer.warm_start` none), or give it a schema with the same features."
        )
    both = (old.label_range, new.label_range)
    label_range = (min(low for low, _ in both), max(high for _, high in both)) if all(both) else new.label_range
    return dataclasses.replace(
        old, texts=_grown(old.texts, new.texts), keys=_grown(old.keys, new.keys), label_range=label_range
    )


def _grown(old: Sequence[Any], new: Sequence[Any]) -> tuple[Any, ...]:
    """Returns the categories of the model before with the new values after their own."""
    after = {other.name: other.vocabulary for other in new}  # in any order
    grown = []
    for column in old:
        values = (*column.vocabulary, *after.get(column.name, ()))
        grown.append(dataclasses.replace(column, vocabulary=tuple(dict.fromkeys(values))))
    return tuple(grown)


def load_weights(exported: ExportedModel, network: tf_keras.Model, description: Mapping[str, Any]) -> None:
    """Sets a network's weights to the exported ones; rows of embeddings for new tokens stay as they are.

    Raises:
      TrainingError: The architectures differ.
    """

    def architecture(facts: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in facts.items() if name not in ("shapes", "layers", "shares", "linear")}

    if difference := differences(architecture(exported.network), architecture(description)):
        raise TrainingError(
            f"Cannot start from `{exported.path}`: its architecture differs: {difference}. Train from the start "
            "(`trainer.warm_start` none), or set the same architecture."
        )
    for variable, weight in zip(network.trainable_variables, exported.weights, strict=True):
        value = variable.numpy()
        value[tuple(np.s_[:size] for size in weight.shape)] = weight
        variable.assign(value)
