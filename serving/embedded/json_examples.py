"""Reads tf.Examples of REST requests from JSON, and writes their results.

`{"examples": [{"name": value or list, ...}, ...], "context": {...}}` -> `{"results": [...]}`, for each example a number
or a list of `[label, score]`. Source: tensorflow/serving util/json_tensor.cc.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from crossnet.serving.embedded.json_output import write_floats
from crossnet.serving.embedded.json_values import Repeated, decode_base64, is_base64, json_type
from crossnet.serving.protocol.bounded_text import cut, json_text
from crossnet.serving.protocol.codes import invalid

_MIN_INT64, _MAX_INT64, _MAX_UINT64 = -(2**63), 2**63 - 1, 2**64 - 1
_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def fill_examples(given: Any, document: Mapping[str, Any]) -> None:
    """Fills the Input of a ClassificationRequest or RegressionRequest.

    Args:
      given: An empty `tensorflow.serving.Input`.
      document: The JSON object of the request.

    Raises:
      ServingError: INVALID_ARGUMENT, the request has no examples, or one cannot be a tf.Example.
    """
    into = given.example_list
    if "context" in document:
        into = given.example_list_with_context
        _fill_example(into.context, document["context"])
    if "examples" not in document:
        raise invalid(
            f"JSON Value: {json_text(document)} When method is classify, key 'examples' is expected and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise invalid(f"JSON Value: {json_text(document)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid(f"JSON Value: {json_text(document)} 'examples' value is an empty array")
    for example in examples:
        _fill_example(into.examples.add(), example)


def _fill_example(example: Any, value: Any) -> None:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {json_type(value)}")
    if isinstance(value, Repeated):
        raise invalid(f"Feature: {cut(value.key)} occurs twice in an example")
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add(feature, name, item)


def _add(feature: Any, name: str, item: Any) -> None:
    """Adds a value to a tf.train.Feature, whose first value chose its kind."""
    if isinstance(item, int) and not _MIN_INT64 <= item <= _MAX_UINT64:  # RapidJSON reads such a number as a double
        item = float(item)
    if isinstance(item, bool | int):
        kind = "int64_list"
    elif isinstance(item, float):
        kind = "float_list"
    elif isinstance(item, str) or is_base64(item):
        kind = "bytes_list"
    else:
        raise invalid(f"Feature: {cut(name)} has element with unexpected JSON type: {json_type(item)}")
    if (first := feature.WhichOneof("kind") or kind) != kind:
        raise invalid(f"Unexpected element type in feature: {cut(name)} expecting type: {_KINDS[first]}")
    getattr(feature, kind).value.append(_converted(name, item))


def _converted(name: str, item: Any) -> int | float | bytes:
    """Returns what the list of a feature's kind holds for a value of JSON."""
    if isinstance(item, bool | int):
        if item > _MAX_INT64:
            raise invalid(f"Feature: {cut(name)} has uint64 element. Only int64 is supported.")
        return int(item)
    if isinstance(item, float):
        with np.errstate(over="ignore"):  # 1e39 is an infinite float32
            return float(np.float32(item))
    return item.encode() if isinstance(item, str) else decode_base64(item)


def write_regressions(result: Any) -> str:
    """Returns the JSON of a RegressionResult."""
    values = write_floats(np.array([each.value for each in result.regressions], np.float32))
    return f'{{\n    "results": [{", ".join(values)}]\n}}'


def write_classifications(result: Any) -> str:
    """Returns the JSON of a ClassificationResult."""
    rows = []
    for each in result.classifications:
        scores = write_floats(np.array([found.score for found in each.classes], np.float32))
        labels = (json.dumps(found.label, ensure_ascii=False) for found in each.classes)
        pairs = (f"[{label}, {score}]" for label, score in zip(labels, scores, strict=True))
        rows.append(f"[{', '.join(pairs)}]")
    return f'{{\n    "results": [{", ".join(rows)}\n    ]\n}}'
