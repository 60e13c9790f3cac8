"""Small Examples, Schemas and exported models for the gate's tests, made with TensorFlow's own writers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow_metadata.proto.v0 import schema_pb2

from components.artifacts import Examples, Model, Schema, folder_checksum
from components.features import Feature, read_schema
from components.intervals import GroupedSquares
from components.metrics import ErrorSums
from components.rule_results import Scores

Columns = Mapping[str, Any]


def make_examples(folder: Path, train: Columns, evaluation: Columns, *, label: str = "y") -> Examples:
    """Writes columns (lists or arrays, None for a hole) as TFRecords of tf.train.Example."""
    import tensorflow as tf

    def kind(values: Any) -> str:
        first = next(value for value in values if value is not None)
        return "BYTES" if isinstance(first, str) else "INT" if isinstance(first, int | np.integer) else "FLOAT"

    def feature(value: Any) -> Any:
        if isinstance(value, str):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        if isinstance(value, int | np.integer):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))
        return tf.train.Feature(float_list=tf.train.FloatList(value=[float(value)]))

    for split, columns in (("train", train), ("eval", evaluation)):
        path = folder / f"Split-{split}" / "data_tfrecord-00000-of-00001"
        path.parent.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for row in zip(*columns.values(), strict=True):
                values = {name: feature(value) for name, value in zip(columns, row, strict=True) if value is not None}
                writer.write(tf.train.Example(features=tf.train.Features(feature=values)).SerializeToString())
    columns = [{"name": name, "source_name": name, "type": kind(values)} for name, values in train.items()]
    rows = {split: len(next(iter(columns.values()))) for split, columns in (("train", train), ("eval", evaluation))}
    return Examples(folder, counts=rows, properties={"label": label, "compression": "", "columns": columns})


def make_schema(
    folder: Path, examples: Examples, *, optional: tuple[str, ...] = (), drop: tuple[str, ...] = ()
) -> Schema:
    """Writes the schema of what `make_examples` wrote; `drop` are recorded columns that are no features."""
    proto = schema_pb2.Schema(default_environment=["TRAINING", "SERVING"])
    for column in examples.properties["columns"]:
        feature = proto.feature.add(name=column["name"], type=schema_pb2.FeatureType.Value(column["type"]))
        feature.presence.min_fraction = 0.0 if column["name"] in optional else 1.0
        if column["name"] == examples.label:
            feature.not_in_environment.append("SERVING")
        if column["name"] in drop:
            feature.lifecycle_stage = schema_pb2.DISABLED
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "schema.pbtxt").write_text(str(proto), encoding="utf-8")
    return Schema(folder)


def export(
    folder: Path, features: tuple[Feature, ...], function: Callable[[Any], Any], *, output: str = "prediction"
) -> Path:
    """Exports `function` (a dict of tensors to a tensor (rows,)) with the signature `serving_default`."""
    import tensorflow as tf

    specs = {feature.name: tf.TensorSpec([None], feature.dtype, name=feature.name) for feature in features}

    @tf.function
    def serve(columns: Any) -> Any:
        return {output: function(columns)}

    module = tf.Module()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve.get_concrete_function(specs)})
    return folder


def make_model(folder: Path, schema: Schema, function: Callable[[Any], Any], *, kind: str = "cross_layer") -> Model:
    """Exports `function` as the Model artifact that the Trainer would return."""
    features, _ = read_schema(schema.proto())
    path = export(folder / "Format-Serving", features, function)
    properties = {"kind": kind, "checksum": folder_checksum(path), "train_seconds": 0.0}
    return Model(folder, counts={"parameters": 16}, properties=properties)


def make_scores(
    labels: Any, predictions: Mapping[str, Any], slices: Mapping[str, Any] | None = None, replicates: int = 400
) -> Scores:
    """Returns the scores of predictions by name; `slices` are masks of rows by name."""
    labels = np.asarray(labels, float)
    matrix = np.array([np.broadcast_to(values, labels.shape) for values in predictions.values()], float)
    whole, squares, parts = ErrorSums(len(matrix)), GroupedSquares(len(matrix)), {}
    whole.add(labels, matrix)
    with np.errstate(all="ignore"):
        squares.add(np.square(matrix - labels))
    for name, mask in (slices or {}).items():
        parts[name] = ErrorSums(len(matrix))
        parts[name].add(labels[mask], matrix[:, mask])
    return Scores(tuple(predictions), whole, parts, squares.resampled_rmse(replicates, 1))
