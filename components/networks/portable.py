"""Computes an exported model with operations that other runtimes have.

A model server's graph has hash tables of int64 and counts whole numbers in float64, which ONNX or LiteRT do not have.
This computes the same from the weights and the preprocessing of the exported model with float32 and whole numbers, and
leaves the lookup of categories to each format.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from crossnet.components.errors import ExportError
from crossnet.components.networks.columns import KeyColumn, NumberColumn, TextColumn
from crossnet.components.networks.export import prediction_function
from crossnet.components.networks.exported import ExportedModel
from crossnet.components.networks.models import build_network
from crossnet.components.networks.number_inputs import numeric_inputs, since_midnight
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.params.networks import ARCHITECTURES

Category = TextColumn | KeyColumn
Lookup = Callable[[Category, tf.Tensor], tf.Tensor]
Predict = Callable[[Mapping[str, tf.Tensor]], tf.Tensor]


def portable_function(exported: ExportedModel, network: tf_keras.Model, lookup: Lookup) -> Predict:
    """Returns the function of feature tensors `[batch]` by name to predictions, float32 `[batch]`.

    Args:
      exported: What it computes.
      network: What `rebuilt` returns for it.
      lookup: Returns the id of each value of a category, int64 `[batch]`: `category_ids` for those of the vocabulary, 0
        for any other; what it returns for a missing whole number does not matter.
    """
    transform = _Portable(exported.preprocessing, lookup)
    predict = prediction_function(_with_small_ids(network), transform, exported.network)
    return lambda columns: predict(columns)["prediction"]


def rebuilt(exported: ExportedModel) -> tf_keras.Model:
    """Returns the network of an exported model, with its weights.

    Raises:
      ExportError: The network is of a kind of a user's project.
      TrainingError: The library of that kind is not installed.
    """
    facts, preprocessing = exported.network, exported.preprocessing
    architecture = ARCHITECTURES.get(facts["kind"])
    if architecture is None:
        raise ExportError(
            f"`{exported.path}` is a `{facts['kind']}` network, which cannot be converted: this kind comes from "
            "somebody's own code, of which a model records the settings and weights alone, so that its layers cannot "
            f"be made again for another runtime. Expected one of: {', '.join(ARCHITECTURES)}. Name a model of one of "
            "these kinds with --model, or serve this one as it is: `crossnet serve`."
        )
    settings: dict[str, Any] = {
        item.name: tuple(facts[item.name]) if isinstance(facts[item.name], list) else facts[item.name]
        for item in dataclasses.fields(architecture)
        if item.name in facts
    }
    network = build_network(
        facts["kind"],
        architecture(**settings),
        num_numbers=len(preprocessing.number_names),
        tables=preprocessing.tables,
        edges=preprocessing.edges,
        number_dim=preprocessing.number_dim,
        members=facts.get("members"),
    )
    for variable, weight in zip(network.trainable_variables, exported.weights, strict=True):
        variable.assign(weight)
    return network


def category_ids(column: Category) -> range:
    """Returns the ids of a category's vocabulary, in its order."""
    return range(column.rows - len(column.vocabulary), column.rows)


def _with_small_ids(network: tf_keras.Model) -> tf_keras.Model:
    """Returns the same network, with its weights, for ids in int32: LiteRT cannot unstack tensors of int64."""
    inputs = [
        tf_keras.Input(tensor.shape[1:], dtype="int32" if tensor.dtype == tf.int64 else tensor.dtype, name=tensor.name)
        for tensor in network.inputs
    ]
    return tf_keras.models.clone_model(network, input_tensors=inputs, clone_function=lambda layer: layer)


class _Portable:
    """Makes a network's inputs of columns, as `Transform` does, without tables of its own."""

    def __init__(self, preprocessing: Preprocessing, lookup: Lookup) -> None:
        self._preprocessing = preprocessing
        self._lookup = lookup

    @property
    def preprocessing(self) -> Preprocessing:
        """What it applies."""
        return self._preprocessing

    def by_feature(self, columns: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Returns the inputs by feature: numbers `[numbers, batch]`, ids int32 `[categories, batch]`."""
        inputs = []
        if self.preprocessing.numbers:
            inputs.append(self._numbers(columns))
        if self.preprocessing.categories:
            ids = [self._ids(column, columns[column.name]) for column in self.preprocessing.categories]
            inputs.append(tf.stack(ids))
        return tuple(inputs)

    def _ids(self, column: Category, values: tf.Tensor) -> tf.Tensor:
        ids = tf.cast(self._lookup(column, values), tf.int32)
        if isinstance(column, TextColumn) or column.required:
            return ids
        return tf.where(tf.math.is_nan(values), 1, ids)

    def _numbers(self, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
        moved: dict[str, tf.Tensor] = {}
        numbers, waves = [], []
        for column in self.preprocessing.numbers:
            values = since_midnight(columns[column.name], column.unit) if column.is_clock else columns[column.name]
            waves += _cyclic(values, column)
            moved[column.name], centred = _without_mean(values, column)
            numbers.append(dataclasses.replace(centred, cycles=(), unit=""))
        x = numeric_inputs(moved, numbers, clip=self.preprocessing.clip)
        return tf.concat([x, tf.stack(waves)], axis=0) if waves else x


def _without_mean(values: tf.Tensor, column: NumberColumn) -> tuple[tf.Tensor, NumberColumn]:
    """Returns values less nearly their mean, taken off before what differs is lost in float32; and what is left to do.

    Values so far from it that the difference would not be an int64 are moved to where it is one.
    """
    if column.type != "INT" or not column.mean:
        return values, column
    if column.required:
        most = tf.int64.max
        whole = min(max(round(column.mean), -most), most)
        values = tf.minimum(tf.maximum(values, -most + max(whole, 0)), most + min(whole, 0))
        parts, near = tf.cast(values - tf.constant(whole, tf.int64), tf.float32), float(whole)
    else:
        near = float(np.float32(column.mean))
        parts = values - tf.constant(near, tf.float32)
    return parts, dataclasses.replace(column, type="FLOAT", mean=column.mean - near, fill=column.fill - near)


def _cyclic(values: tf.Tensor, column: NumberColumn) -> list[tf.Tensor]:
    """Returns what `number_inputs.cyclic` does; a place in a period is found in whole numbers."""
    waves: list[tf.Tensor] = []
    if not column.cycles:
        return waves
    missing = None if column.required else tf.math.is_nan(values)
    whole = values if missing is None else tf.cast(tf.where(missing, 0.0, values), tf.int64)
    for period in column.periods:
        place = tf.math.floormod(whole, tf.constant(period, tf.int64))
        angle = tf.cast(place, tf.float32) * (2 * math.pi / period)
        for wave in (tf.sin(angle), tf.cos(angle)):
            waves.append(wave if missing is None else tf.where(missing, 0.0, wave))
    return waves
