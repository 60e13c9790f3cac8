"""Writes the outputs of REST answers as JSON.

The format is that of TensorFlow Serving's REST API. Source: tensorflow/serving util/json_tensor.cc.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from crossnet.serving.protocol.codes import invalid
from crossnet.serving.protocol.dtypes import Array, as_bytes


def write_outputs(outputs: Mapping[str, Array], *, rows: bool) -> str:
    """Returns the JSON of an answer, in the format in which the request came.

    Raises:
      ServingError: INVALID_ARGUMENT, the outputs are not rows of one batch, or have a type that JSON cannot carry.
    """
    writers = {name: _writer(name, array) for name, array in outputs.items()}
    if not rows:
        columns = [(name, _write_array(array, writers[name])) for name, array in outputs.items()]
        if len(columns) == 1:
            return f'{{\n    "outputs": {columns[0][1]}\n}}'
        return '{\n    "outputs": {' + ",".join(f"\n        {json.dumps(k)}: {v}" for k, v in columns) + "\n    }\n}"
    size = -1
    for name, array in outputs.items():
        if not array.ndim:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if size not in (-1, len(array)):
            raise invalid(f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}")
        size = len(array)
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        entries = [_write_array(row, writers[name]) for row in array]
    else:
        entries = [
            "\n        {"
            + ",".join(f"\n            {json.dumps(k)}: {_write_array(a[i], writers[k])}" for k, a in outputs.items())
            + "\n        }"
            for i in range(size)
        ]
    return '{\n    "predictions": [' + ", ".join(entries) + "\n    ]\n}"


def _write_array(array: Any, write: Callable[[Any], str]) -> str:
    if not isinstance(array, np.ndarray) or not array.ndim:
        return write(array if not isinstance(array, np.ndarray) else array[()])
    return "[" + ", ".join([_write_array(part, write) for part in array]) + "]"


def _writer(name: str, array: Array) -> Callable[[Any], str]:
    """Returns the function that writes one value of an output."""
    kind = array.dtype.kind
    if array.dtype.name in ("float16", "bfloat16"):
        return lambda value: write_float(np.float32(value))
    if kind == "f":
        return write_float
    if kind == "b":
        return lambda value: "true" if value else "false"
    if kind in "iu":
        return lambda value: str(int(value))
    if kind == "O" and name.endswith("_bytes"):
        return lambda value: json.dumps({"b64": base64.b64encode(as_bytes(value)).decode()})
    if kind == "O":
        return lambda value: json.dumps(as_bytes(value).decode(errors="replace"), ensure_ascii=False)
    raise invalid(f"Failed to write JSON value for tensor type: {array.dtype.name}")


def write_float(value: Any) -> str:
    """Returns a float32 or float64 in six digits if they round-trip, else in 9 or 17; always with a point or an e."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{value:.6g}"
    if type(value)(text) != value:
        text = f"{value:.{9 if isinstance(value, np.float32) else 17}g}"
    return text if "." in text or "e" in text else f"{text}.0"
