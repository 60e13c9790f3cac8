"""Writes the outputs of REST answers as JSON.

The format is that of TensorFlow Serving's REST API. Source: tensorflow/serving util/json_tensor.cc.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from crossnet.serving.embedded.json_quick import write_joined, write_quickly
from crossnet.serving.protocol.codes import invalid
from crossnet.serving.protocol.dtypes import Array, as_bytes

_FEW = 8  # values; fewer are written one by one in less time


def write_outputs(outputs: Mapping[str, Array], *, rows: bool) -> str:
    """Returns the JSON of an answer, in the format in which the request came.

    Raises:
      ServingError: INVALID_ARGUMENT, the outputs are not rows of one batch, or have a type that JSON cannot carry.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if not rows:
        columns = [(name, _nested(name, array)) for name, array in outputs.items()]
        if len(columns) == 1:
            return f'{{\n    "outputs": {columns[0][1]}\n}}'
        return '{\n    "outputs": {' + ",".join(f"\n        {json.dumps(k)}: {v}" for k, v in columns) + "\n    }\n}"
    size = -1
    for name, array in outputs.items():
        if not array.ndim:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if not len(array):
            raise invalid(f"Tensor name: {name} has invalid batch size: 0")
        if size not in (-1, len(array)):
            raise invalid(f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}")
        size = len(array)
    if len(outputs) == 1:
        joined = _joined(*next(iter(outputs.items())))
    else:
        texts = {name: _items(_texts(name, array), array.shape) for name, array in outputs.items()}
        keys = [json.dumps(name) for name in texts]
        joined = ", ".join(
            "\n        {"
            + ",".join(f"\n            {key}: {value}" for key, value in zip(keys, row, strict=True))
            + "\n        }"
            for row in zip(*texts.values(), strict=True)
        )
    return '{\n    "predictions": [' + joined + "\n    ]\n}"


def _nested(name: str, array: Array) -> str:
    """Returns the values of an output as nested lists; a scalar bare."""
    return f"[{_joined(name, array)}]" if array.ndim else _texts(name, array)[0]


def _joined(name: str, array: Array) -> str:
    """Returns what the outermost list of an output holds, with `, ` between its elements."""
    if array.ndim == 1 and len(array) > _FEW and array.dtype == np.float32 and (quick := write_joined(array)):
        return quick
    return ", ".join(_items(_texts(name, array), array.shape))


def _items(texts: list[str], shape: tuple[int, ...]) -> list[str]:
    """Returns what the outermost list holds: the values, or each a list of lists."""
    for axis in range(len(shape) - 1, 0, -1):
        size = shape[axis]
        starts = (i * size for i in range(math.prod(shape[:axis])))
        texts = [f"[{', '.join(texts[start : start + size])}]" for start in starts]
    return texts


def _texts(name: str, array: Array) -> list[str]:
    """Returns each value of an output as JSON, in the order of its elements."""
    kind = array.dtype.kind
    values = array.reshape(-1)
    if array.dtype.name in ("float16", "bfloat16"):
        return write_floats(values.astype(np.float32))
    if kind == "f":
        return write_floats(values)
    if kind == "b":
        return ["true" if value else "false" for value in values.tolist()]
    if kind in "iu":
        return list(map(str, values.tolist()))
    if kind == "O":
        return [_text(as_bytes(value), is_bytes=name.endswith("_bytes")) for value in values]
    raise invalid(f"Failed to write JSON value for tensor type: {array.dtype.name}")


def _text(value: bytes, *, is_bytes: bool) -> str:
    """Returns text, and as a base64 object what is not UTF-8, which the real server writes as it is."""
    if not is_bytes:
        try:
            return json.dumps(value.decode(), ensure_ascii=False)
        except UnicodeDecodeError:
            pass
    return json.dumps({"b64": base64.b64encode(value).decode()})


def write_floats(values: Array) -> list[str]:
    """Returns each value in six digits if they round-trip, else in 9 or 17; always with a point or an exponent.

    Args:
      values: float32 or float64, shape `[n]`.
    """
    if len(values) <= _FEW:
        return [_write_one(value, values.dtype) for value in values.tolist()]
    if values.dtype == np.float32 and (quick := write_quickly(values)):
        texts, holds = quick
        if not holds.all():
            places = np.flatnonzero(~holds)
            for place, text in zip(places.tolist(), _write_exactly(values[places]), strict=True):
                texts[place] = text
        return texts
    return _write_exactly(values)


def _write_one(value: float, dtype: Any) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    text = f"{value:.6g}"
    with np.errstate(over="ignore"):
        if dtype.type(text) != value:
            text = f"{value:.9g}" if dtype == np.float32 else f"{value:.17g}"
    return text if "." in text or "e" in text else text + ".0"


def _write_exactly(values: Array) -> list[str]:
    """Does what `write_floats` says, for values of each size and both types.

    All values are formatted by one call: 1,000 took a tenth of what they take one by one (2026-11-29).
    """
    given = values.tolist()
    digits = "%.9g " if values.dtype == np.float32 else "%.17g "
    texts = _formatted(digits, given)
    short = np.flatnonzero(~_need_more_than_six(values))
    shorter = _formatted("%.6g ", [given[place] for place in short.tolist()])
    with np.errstate(over="ignore"):
        is_same = np.array(shorter, np.float64).astype(values.dtype) == values[short]
    for place, text in zip(short[is_same].tolist(), itertools.compress(shorter, is_same.tolist()), strict=True):
        texts[place] = text
    texts = [text if "." in text or "e" in text else text + ".0" for text in texts]
    for place in np.flatnonzero(~np.isfinite(values)).tolist():
        texts[place] = "NaN" if math.isnan(given[place]) else "Infinity" if given[place] > 0 else "-Infinity"
    return texts


def _need_more_than_six(values: Array) -> Array:
    """Returns which values surely do not round-trip through six digits; those that it leaves may do so or not.

    Six digits that round-trip are at most half a step of the type away. The rounding here is done in float64 and errs
    by a few steps of that: far less than a hundredth of a step of float32.
    """
    with np.errstate(all="ignore"):
        wide = values.astype(np.float64)
        scale = 10.0 ** (5 - np.floor(np.log10(np.abs(wide))))
        distance = np.abs(np.rint(wide * scale) / scale - wide)
        steps = 0.51 if values.dtype == np.float32 else 16
        return np.asarray(distance > steps * np.abs(np.spacing(values)).astype(np.float64))


def _formatted(form: str, values: list[float]) -> list[str]:
    return ((form * len(values)) % tuple(values)).split()
