"""Makes a network with its preprocessing and its first weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tf_keras

from crossnet.components.artifacts.schema import Schema
from crossnet.components.features import Feature, read_schema
from crossnet.components.networks.exported import ExportedModel, read_exported
from crossnet.components.networks.input_choice import make_preprocessing
from crossnet.components.networks.models import build_network, describe, initialize, input_width
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.params.networks import ModelParams, is_own
from crossnet.components.training.learned_rows import LearnedRows
from crossnet.components.training.recipe import Recipe, make_architecture
from crossnet.components.training.warm_start import continue_preprocessing, load_weights


@dataclass(frozen=True)
class Untrained:
    """A network with its first weights.

    Attributes:
      model: What it was made from.
      network: The network; training changes its weights in place.
      transform: Its preprocessing.
      label: The column that it learns.
      description: `models.describe` of the network.
      exported: The model that it starts from; None: it starts from random weights.
    """

    model: ModelParams
    network: tf_keras.Model
    transform: Transform
    label: Feature
    description: Mapping[str, Any]
    exported: ExportedModel | None

    @property
    def preprocessing(self) -> Preprocessing:
        """How the network sees rows."""
        return self.transform.preprocessing

    @property
    def network_parameters(self) -> int:
        """How many numbers the network learns."""
        return sum(math.prod(variable.shape) for variable in self.network.trainable_variables)


def make_untrained(
    learned: LearnedRows,
    schema: Schema,
    params: Recipe,
    model: ModelParams,
    warm_start: Path | None = None,
    compute: str | None = None,
) -> Untrained:
    """Makes a network and draws its first weights.

    Args:
      learned: The rows that it will learn from.
      schema: Theirs.
      params: How it will be trained.
      model: What to make.
      warm_start: A Model or SavedModel to take weights from. None: they are random.
      compute: As of `build_network`.

    Raises:
      TrainingError: Settings, data and warm start do not fit together.
    """
    features, label = read_schema(schema.proto())
    preprocessing = make_preprocessing(
        features,
        label,
        learned.statistics,
        params=params,
    )
    exported = read_exported(warm_start) if warm_start else None
    if exported:
        preprocessing = continue_preprocessing(exported, preprocessing)
    inputs: dict[str, Any] = {
        "num_numbers": len(preprocessing.number_names),
        "tables": preprocessing.tables,
        "edges": preprocessing.edges,
        "number_dim": preprocessing.number_dim,
    }
    architecture = make_architecture(model.architecture, learned.count, input_width(**inputs))
    model = dataclasses.replace(model, architecture=architecture)
    members = params.members if params.members > 1 else None
    if is_own(model.architecture):
        tf_keras.utils.set_random_seed(params.seed)  # which draws weights, and what its layers draw in training
    network = build_network(model.kind, model.architecture, members=members, compute=compute, **inputs)
    if not is_own(model.architecture):
        initialize(network, params.seed)
    description = describe(model.kind, model.architecture, network)
    if exported:
        load_weights(exported, network, description)
    return Untrained(model, network, Transform(preprocessing), label, description, exported)
