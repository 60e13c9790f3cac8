"""Infers types of inputs for a server that does not tell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.dtypes import NUMBERS
from crossnet.serving.protocol.signature import Signature, TensorSpec
from crossnet.serving.status import InvalidRequestError

_TYPES = {"f": "DT_FLOAT", "i": "DT_INT64", "u": "DT_UINT64", "b": "DT_BOOL", "U": "DT_STRING", "S": "DT_STRING"}


def inferred_signature(name: str, inputs: Any) -> Signature:
    """Returns a signature that takes some inputs as they are.

    An array keeps its type. Of lists, numbers with a fraction become float32, which most models take, whole numbers
    int64, and text stays text.

    Args:
      name: The signature's name.
      inputs: A mapping from name to values, or a list of rows, each a mapping from name to value.

    Raises:
      InvalidRequestError: They are neither; only the metadata would tell the name of a single input.
    """
    if isinstance(inputs, (list, tuple)) and inputs and all(isinstance(row, Mapping) for row in inputs):
        columns: Mapping[str, Any] = {key: [row.get(key) for row in inputs] for key in inputs[0]}
    elif isinstance(inputs, Mapping):
        columns = inputs
    else:
        raise InvalidRequestError(
            "Without the model's metadata, inputs are given by name, as a mapping or a list of rows. Received "
            f"{type(inputs).__name__}."
        )
    return Signature(name, "", {key: TensorSpec(_data_type(values), None) for key, values in columns.items()}, {})


def _data_type(values: Any) -> int:
    if isinstance(values, np.ndarray) and values.dtype in NUMBERS and values.dtype.kind != "O":
        return NUMBERS[values.dtype]
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths, which the checks name
        return messages.DATA_TYPES["DT_FLOAT"]
    kind = array.dtype.kind
    if kind == "O" and any(isinstance(value, (str, bytes)) for value in array.ravel().tolist()):
        kind = "S"
    return messages.DATA_TYPES[_TYPES.get(kind, "DT_FLOAT")]
