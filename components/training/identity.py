"""Says what the result of a training depends on."""

from __future__ import annotations

import dataclasses
from importlib import metadata
from typing import Any

from crossnet.components.artifacts.base import Artifact
from crossnet.components.artifacts.examples import Examples
from crossnet.components.files import folder_checksum, json_value
from crossnet.components.params.networks import ModelParams
from crossnet.components.params.setting import with_effect
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.recipe import Recipe
from crossnet.components.training.untrained import Untrained

# Settings that change what is made, but no weight; of a warm start its content counts.
NOT_OF_WEIGHTS = ("warm_start", "warmup_records", "tensorboard")


def identity(untrained: Untrained, examples: Examples, params: Recipe) -> dict[str, Any]:
    """Returns all that the result depends on, for a checkpoint to be compared with."""
    return {
        "kind": untrained.model.kind,
        **dataclasses.asdict(untrained.model.architecture),
        **_of_weights(params),
        "train rows": examples.counts["train"],
        "examples": examples.fingerprint or folder_checksum(examples.path),
        "preprocessing": untrained.preprocessing.to_json(),
        "warm start": folder_checksum(untrained.exported.path) if untrained.exported else None,
    }


def told(examples: Examples, others: list[Artifact], params: TrainerParams, model: ModelParams) -> dict[str, Any]:
    """Returns what the workers of a training must have been told alike, JSON values; asks nothing of TensorFlow.

    Args:
      examples: The rows.
      others: The other artifacts that the training reads.
      params, model: How to train, and what.
    """
    facts = {
        "kind": model.kind,
        **dataclasses.asdict(model.architecture),
        **_of_weights(params),
        "counts": examples.counts,
        "artifacts": [artifact.fingerprint for artifact in (examples, *others)],
        "tensorflow": metadata.version("tensorflow"),
    }
    found: dict[str, Any] = json_value(facts)
    return found


def _of_weights(params: TrainerParams) -> dict[str, Any]:
    return {name: value for name, value in with_effect(params).items() if name not in NOT_OF_WEIGHTS}
