"""Writes the requests that a server replays before a version takes traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from crossnet.components.features import Feature

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
MAX_SINGLE_ROWS = 10

Columns = Mapping[str, npt.NDArray[Any]]


def write_warmup_requests(folder: Path, features: Sequence[Feature], columns: Columns, *, model_name: str) -> None:
    """Writes `assets.extra/tf_serving_warmup_requests`: a TFRecord file of PredictionLogs.

    Up to `MAX_SINGLE_ROWS` rows are asked for one by one, then all rows in one Predict call, all as serialized
    Examples, and all in a Regress call: the calls that clients make, each traced once by the server.

    Args:
      folder: The SavedModel.
      features: The columns of `serving_default`.
      columns: At least one row of train, in model input form: arrays `(rows,)` by name.
      model_name: The name that the requests carry.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    rows = len(next(iter(columns.values())))
    logs = []
    for first, last in [*((i, i + 1) for i in range(min(rows, MAX_SINGLE_ROWS))), (0, rows)]:
        log = prediction_log_pb2.PredictionLog()
        request = log.predict_log.request
        request.model_spec.name = model_name
        request.model_spec.signature_name = "serving_default"
        for feature in features:
            request.inputs[feature.name].CopyFrom(_typed_tensor(columns[feature.name][first:last], feature))
        logs.append(log)
    examples = [_example(features, columns, row) for row in range(rows)]
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.name = model_name
    log.predict_log.request.model_spec.signature_name = "serving_examples"
    serialized = log.predict_log.request.inputs["examples"]
    serialized.dtype = tf.string.as_datatype_enum
    serialized.tensor_shape.dim.add(size=rows)
    serialized.string_val.extend(example.SerializeToString(deterministic=True) for example in examples)
    logs.append(log)
    log = prediction_log_pb2.PredictionLog()
    log.regress_log.request.model_spec.name = model_name
    log.regress_log.request.model_spec.signature_name = "regress"
    log.regress_log.request.input.example_list.examples.extend(examples)
    logs.append(log)
    path = folder / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in logs:
            writer.write(log.SerializeToString(deterministic=True))


def _typed_tensor(values: npt.NDArray[Any], feature: Feature) -> Any:
    """Returns a TensorProto with its values in the field of their type, as any client of the server may write them."""
    from tensorflow.core.framework import tensor_pb2

    tensor = tensor_pb2.TensorProto(dtype=tf.as_dtype(feature.dtype).as_datatype_enum)
    tensor.tensor_shape.dim.add(size=len(values))
    field = {"float32": tensor.float_val, "int64": tensor.int64_val, "string": tensor.string_val}[feature.dtype]
    field.extend(values.tolist())
    return tensor


def _example(features: Sequence[Feature], columns: Columns, row: int) -> tf.train.Example:
    """Returns a row as ExampleGen records it: a missing value is an absent key."""
    example = tf.train.Example()
    for feature in features:
        value = columns[feature.name][row]
        if feature.is_text:
            if value or feature.required:
                example.features.feature[feature.name].bytes_list.value.append(value)
        elif not np.isnan(value):
            if feature.type == "INT":
                example.features.feature[feature.name].int64_list.value.append(int(value))
            else:
                example.features.feature[feature.name].float_list.value.append(value)
    return example
