from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from crossnet.components.errors import TrainingError
from crossnet.components.networks.columns import KeyColumn, NumberColumn, TextColumn
from crossnet.components.networks.exported import ExportedModel
from crossnet.components.networks.models import build_network, describe, initialize
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.params.networks import CrossLayerParams
from crossnet.components.training.warm_start import continue_preprocessing, load_weights

MILES = NumberColumn("miles", "FLOAT", True, mean=5.0, scale=2.0, fill=5.0)
CITY, ZONE = TextColumn("city", True, ("a", "b"), 2), TextColumn("zone", True, ("x",), 1)
OLD = Preprocessing((MILES,), (CITY, ZONE), label_mean=7.0, label_scale=3.0)


def network(preprocessing: Preprocessing, seed: int, **settings: Any) -> tuple[tf_keras.Model, dict[str, Any]]:
    architecture = CrossLayerParams(**settings)
    made = build_network("cross_layer", architecture, num_numbers=1, tables=preprocessing.tables)
    initialize(made, seed)
    return made, describe("cross_layer", architecture, made)


def exported(path: Path, preprocessing: Preprocessing = OLD, **settings: Any) -> ExportedModel:
    made, description = network(preprocessing, seed=1, **settings)
    return ExportedModel(path, description, preprocessing, [variable.numpy() for variable in made.trainable_variables])


def with_vocabulary(column: TextColumn, *vocabulary: str) -> TextColumn:
    return dataclasses.replace(column, vocabulary=vocabulary)


def test_new_tokens_come_after_the_exported_models_own(tmp_path: Path) -> None:
    new = dataclasses.replace(OLD, texts=(with_vocabulary(CITY, "c", "b"), ZONE))
    continued = continue_preprocessing(exported(tmp_path), new)
    assert [column.vocabulary for column in continued.texts] == [("a", "b", "c"), ("x",)]


def test_means_scales_and_widths_are_kept(tmp_path: Path) -> None:
    texts = (dataclasses.replace(CITY, dim=5), ZONE)
    new = Preprocessing((dataclasses.replace(MILES, mean=6.0, scale=9.0, fill=6.0),), texts, 70.0, 30.0)
    assert continue_preprocessing(exported(tmp_path), new) == OLD


def test_new_keys_come_after_the_exported_models_own_and_a_missing_one_keeps_its_place(tmp_path: Path) -> None:
    old = dataclasses.replace(OLD, keys=(KeyColumn("shop", False, (7, 9), 2),))
    new = dataclasses.replace(OLD, keys=(KeyColumn("shop", False, (8, 9), 2),))
    continued = continue_preprocessing(exported(tmp_path, old), new)
    assert continued.keys == (KeyColumn("shop", False, (7, 9, 8), 2),)
    columns = {"miles": [0.0] * 4, "city": ["a"] * 4, "zone": ["x"] * 4, "shop": [math.nan, 7.0, 8.0, 1.0]}
    _, ids = Transform(continued)({name: tf.constant(values) for name, values in columns.items()})
    np.testing.assert_array_equal(ids[:, 2], [1, 2, 4, 0])


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [((0.0, 5.0), (1.0, 9.0), (0.0, 9.0)), ((), (1.0, 9.0), (1.0, 9.0)), ((0.0, 5.0), (), ())],
)
def test_predictions_may_reach_the_labels_before_and_now(before: Any, after: Any, kept: Any, tmp_path: Path) -> None:
    old, new = (dataclasses.replace(OLD, label_range=limits) for limits in (before, after))
    assert continue_preprocessing(exported(tmp_path, old), new).label_range == kept


def test_columns_are_paired_by_name(tmp_path: Path) -> None:
    new = dataclasses.replace(OLD, texts=(with_vocabulary(ZONE, "x", "z"), CITY))
    continued = continue_preprocessing(exported(tmp_path), new)
    assert [(text.name, text.vocabulary) for text in continued.texts] == [("city", ("a", "b")), ("zone", ("x", "z"))]


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"numbers": ()}, '`miles` is "FLOAT" there, null here'),
        ({"numbers": (dataclasses.replace(MILES, type="INT"),)}, '`miles` is "FLOAT" there, "INT" here'),
        (
            {"numbers": (dataclasses.replace(MILES, required=False),)},
            '`miles` is "FLOAT" there, "FLOAT, may be missing" here',
        ),
        ({"texts": (CITY, ZONE, TextColumn("day", True, ("m",), 1))}, '`day` is null there, "BYTES" here'),
    ],
)
def test_other_features_are_refused(change: dict[str, Any], difference: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as raised:
        continue_preprocessing(exported(tmp_path), dataclasses.replace(OLD, **change))
    assert str(raised.value) == (
        f"Cannot start from `{tmp_path}`: its features differ: {difference}. Train from the start "
        "(`trainer.warm_start` none), or give it a schema with the same features."
    )


def test_weights_are_taken_over_and_new_tokens_keep_their_own(tmp_path: Path) -> None:
    before = exported(tmp_path)
    longer = dataclasses.replace(OLD, texts=(with_vocabulary(CITY, "a", "b", "c"), ZONE))
    made, description = network(longer, seed=2)
    fresh = made.get_layer("embeddings").get_weights()[0]
    load_weights(before, made, description)
    for variable, weight in zip(made.trainable_variables, before.weights, strict=True):
        np.testing.assert_array_equal(variable.numpy()[tuple(np.s_[:size] for size in weight.shape)], weight)
    table = made.get_layer("embeddings").get_weights()[0]
    assert table.shape == (4, 2)
    np.testing.assert_array_equal(table[3], fresh[3])


def test_another_architecture_is_refused_with_what_differs(tmp_path: Path) -> None:
    made, description = network(OLD, seed=2, num_layers=2, diag_scale=0.5)
    with pytest.raises(TrainingError) as raised:
        load_weights(exported(tmp_path), made, description)
    assert str(raised.value) == (
        f"Cannot start from `{tmp_path}`: its architecture differs: `num_layers` is 1 there, 2 here; "
        "`diag_scale` is 0.0 there, 0.5 here. Train from the start (`trainer.warm_start` none), or set the same "
        "architecture."
    )


def test_how_weights_were_first_drawn_is_not_a_difference(tmp_path: Path) -> None:
    made, description = network(OLD, seed=2, kernel_initializer="he_normal")
    load_weights(exported(tmp_path), made, description)
