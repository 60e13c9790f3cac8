from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tf_keras

from crossnet.components.errors import TrainingError
from crossnet.components.networks.columns import NumberColumn, TextColumn
from crossnet.components.networks.export import export_model
from crossnet.components.networks.exported import read_exported
from crossnet.components.networks.models import build_network, describe, initialize
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.params.networks import CrossLayerParams

ARCHITECTURE = CrossLayerParams(num_layers=2, projection_dim=1, structure="parallel", deep_units=(4,))
PREPROCESSING = Preprocessing(
    numbers=(NumberColumn("n", "INT", True, mean=10.0, scale=2.0, fill=10.0), NumberColumn("hole", "FLOAT", False)),
    texts=(TextColumn("class", True, ("x", "é"), 2),),
    label_mean=100.0,
    label_scale=10.0,
)


@pytest.fixture(scope="module")
def network() -> tf_keras.Model:
    made = build_network("cross_layer", ARCHITECTURE, num_numbers=3, tables=PREPROCESSING.tables)
    initialize(made, seed=3)
    return made


@pytest.fixture(scope="module")
def folder(network: tf_keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Model's folder."""
    folder = tmp_path_factory.mktemp("model")
    description = describe("cross_layer", ARCHITECTURE, network)
    export_model(network, Transform(PREPROCESSING), folder / "Format-Serving", description=description)
    return folder


@pytest.mark.parametrize("inside", ["", "Format-Serving"])  # a Model, or a SavedModel such as a version in service
def test_exported_model_comes_back_as_it_was_trained(inside: str, network: tf_keras.Model, folder: Path) -> None:
    exported = read_exported(folder / inside)
    assert exported.path == folder / "Format-Serving"
    assert exported.network == describe("cross_layer", ARCHITECTURE, network)
    assert exported.preprocessing == PREPROCESSING
    assert len(exported.weights) == len(network.trainable_variables)
    for weight, variable in zip(exported.weights, network.trainable_variables, strict=True):
        np.testing.assert_array_equal(weight, variable.numpy())


def test_folder_that_is_not_an_export_of_this_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as raised:
        read_exported(tmp_path)
    assert str(raised.value) == (
        f"Cannot start from `{tmp_path}`: it has no assets.extra/training.json, which every model exported here has. "
        "Name a version in service or the path of such a model in `trainer.warm_start`, or none."
    )
