"""Converts an exported model to LiteRT (TensorFlow Lite), and asks it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from crossnet.components.networks.columns import MAX_OPTIONAL_KEY, KeyColumn, TextColumn
from crossnet.components.networks.export import argument_names, column_specs, rename_inputs
from crossnet.components.networks.exported import ExportedModel
from crossnet.components.networks.portable import Category, category_ids, portable_function, rebuilt
from crossnet.pipeline.export.conversion import converting, quiet
from crossnet.serving.protocol.dtypes import Array

SIGNATURE = "serving_default"


def convert_to_litert(exported: ExportedModel, scratch: Path) -> bytes:
    """Returns a .tflite file with the signature `serving_default` of the exported model.

    It has LiteRT's built-in operations alone, so that the Flex delegate is not needed. Text is looked up in LiteRT's
    hash tables; whole numbers that are categories are compared with each of the vocabulary, because those tables take
    text alone.

    Args:
      exported: The model.
      scratch: A folder that is not there, for what the converter reads.

    Raises:
      ExportError: LiteRT lacks an operation of the network.
    """
    features = exported.preprocessing.features
    names = argument_names(feature.name for feature in features)
    network = rebuilt(exported)
    tables = {column.name: _table(column) for column in exported.preprocessing.texts}

    def lookup(column: Category, values: tf.Tensor) -> tf.Tensor:
        return tables[column.name].lookup(values) if isinstance(column, TextColumn) else _compared(column, values)

    with converting(exported, "LiteRT"):
        predict = portable_function(exported, network, lookup)

        def serve(columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {"prediction": predict({names[argument]: value for argument, value in columns.items()})}

        traced = tf.function(serve, autograph=False).get_concrete_function(column_specs(names, features))
        module = tf.Module()
        module.tracked = [list(network.trainable_variables), list(tables.values())]
        tf.saved_model.save(module, str(scratch), signatures={SIGNATURE: traced})
        _rename_inputs(scratch, names)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(scratch), signature_keys=[SIGNATURE])
        return bytes(converter.convert())


class LiteRTModel:
    """A .tflite file, open for calls.

    Args:
      content: The file's bytes.
    """

    def __init__(self, content: bytes) -> None:
        with quiet():  # it says that it is moving to a package of its own, and what speeds it up
            self._interpreter = tf.lite.Interpreter(model_content=content)
            self._run = self._interpreter.get_signature_runner(SIGNATURE)

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns predictions, float32 (rows,), for features of `serving_default`, each (rows,)."""
        return np.asarray(self._run(**features)["prediction"])


def _table(column: TextColumn) -> tf.lookup.StaticHashTable:
    known = dict(zip(column.vocabulary, category_ids(column), strict=True))
    initializer = tf.lookup.KeyValueTensorInitializer(tf.constant([*known]), tf.constant([*known.values()], tf.int64))
    return tf.lookup.StaticHashTable(initializer, default_value=0)


def _compared(column: KeyColumn, values: tf.Tensor) -> tf.Tensor:
    pairs = zip(column.vocabulary, category_ids(column), strict=True)
    known = {key: i for key, i in pairs if column.required or abs(key) <= MAX_OPTIONAL_KEY} or {0: 0}
    same = tf.equal(values[:, None], tf.constant([*known], values.dtype)[None])
    return tf.reduce_max(tf.where(same, tf.constant([*known.values()], tf.int32)[None], 0), axis=1)


def _rename_inputs(folder: Path, names: Mapping[str, str]) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    saved: Any = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    rename_inputs(saved, names, [SIGNATURE])
    file.write_bytes(saved.SerializeToString())
