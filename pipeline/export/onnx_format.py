"""Converts an exported model to ONNX, and asks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from crossnet.components.networks.columns import MAX_OPTIONAL_KEY, TextColumn
from crossnet.components.networks.exported import ExportedModel
from crossnet.components.networks.portable import Category, category_ids, portable_function, rebuilt
from crossnet.pipeline.export.conversion import converting, import_package
from crossnet.serving.protocol.dtypes import Array

OPSET, ML_OPSET = 18, 2  # of ai.onnx and ai.onnx.ml
OUTPUT = "prediction"


def convert_to_onnx(exported: ExportedModel) -> bytes:
    """Returns an .onnx file with the inputs and the output of the exported model's `serving_default`.

    tf2onnx converts the arithmetic, for numbers and ids of categories; a LabelEncoder of ai.onnx.ml before it turns
    each category into its id.

    Args:
      exported: The model.

    Raises:
      PipelineError: The extra `export` is not installed.
      ExportError: ONNX lacks an operation of the network.
    """
    onnx, tf2onnx = import_package("onnx"), import_package("tf2onnx")
    network, preprocessing = rebuilt(exported), exported.preprocessing
    numbers = {f"number_{i}": f for i, f in enumerate(preprocessing.features) if not f.is_text}
    encoded = {f"id_{i}": column for i, column in enumerate(preprocessing.categories)}
    ids: dict[str, tf.Tensor] = {}
    signature = [tf.TensorSpec([None], feature.dtype, name) for name, feature in numbers.items()]
    signature += [tf.TensorSpec([None], tf.int64, name) for name in encoded]
    with converting(exported, "ONNX"):
        predict = portable_function(exported, network, lambda column, values: ids[column.name])
        texts = [column.name for column in preprocessing.texts]

        def traced(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
            named = dict(zip((*numbers, *encoded), tensors, strict=True))
            ids.update({column.name: named[name] for name, column in encoded.items()})
            columns = {feature.name: named[name] for name, feature in numbers.items()}
            return {OUTPUT: predict({**columns, **{name: ids[name] for name in texts}})}

        function = tf.function(traced, input_signature=signature, autograph=False)
        model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
        graph = model.graph
        for node in graph.node:
            node.input[:] = [numbers[name].name if name in numbers else name for name in node.input]
        encoders = [_encoder(onnx, column, name) for name, column in encoded.items()]
        nodes = [*encoders, *graph.node]
        del graph.node[:], graph.input[:], graph.value_info[:]
        graph.node.extend(nodes)
        for feature in preprocessing.features:
            kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(object if feature.is_text else feature.dtype))
            graph.input.append(onnx.helper.make_tensor_value_info(feature.name, kind, ["rows"]))
        if encoders:
            model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", ML_OPSET))
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


class OnnxModel:
    """An .onnx file, open for calls.

    Args:
      content: The file's bytes.

    Raises:
      PipelineError: The extra `export` is not installed.
    """

    def __init__(self, content: bytes) -> None:
        self._session = import_package("onnxruntime").InferenceSession(content)

    def predict(self, features: Mapping[str, Array]) -> Array:
        """Returns predictions, float32 (rows,), for features of `serving_default`, each (rows,)."""
        return np.asarray(
            self._session.run([OUTPUT], {name: _with_str(values) for name, values in features.items()})[0]
        )


def _with_str(values: Array) -> Array:
    """Returns bytes as text; what is not UTF-8 is as unknown to the model as U+FFFD."""
    if values.dtype != object:
        return values
    return np.array([v.decode(errors="replace") if isinstance(v, bytes) else v for v in values.tolist()], object)


def _encoder(onnx: Any, column: Category, output: str) -> Any:
    """Returns the node that turns a column of categories into its ids."""
    pairs: list[tuple[Any, int]] = [*zip(column.vocabulary, category_ids(column), strict=True)]
    if isinstance(column, TextColumn):
        kind, known = "strings", dict(pairs)
    elif column.required:
        kind, known = "int64s", dict(pairs)
    else:
        kind, known = "floats", {float(key): i for key, i in pairs if abs(key) <= MAX_OPTIONAL_KEY} or {0.0: 0}
    attributes = {f"keys_{kind}": [*known], "values_int64s": [*known.values()], "default_int64": 0}
    return onnx.helper.make_node("LabelEncoder", [column.name], [output], domain="ai.onnx.ml", **attributes)
