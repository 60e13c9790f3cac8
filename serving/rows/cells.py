"""Reads cells and JSON values as the types of a model's features.

The rules are those of `crossnet.serving.protocol.cell_values`, which ExampleGen uses too, so that the file which a
model was trained on can be sent to it.
"""

from __future__ import annotations

import json
import math
from typing import Any

from crossnet.serving.protocol.cell_values import (
    MISSING,
    is_hole,
    plain_number,
    read_boolean,
    read_date,
    read_number,
    read_time,
    read_truth,
)
from crossnet.serving.protocol.csv_format import DEFAULT, CsvFormat
from crossnet.serving.protocol.signature import TensorSpec

_INT64, _MAX_FLOAT32 = range(-(2**63), 2**63), 2**128
_DIGIT_TRUTHS = {"1": True, "0": False}


def read_cell(cell: str, spec: TensorSpec, csv_format: CsvFormat = DEFAULT, column: str = "", unit: str = "s") -> Any:
    """Returns a cell of a CSV as the feature's type; unchanged where it cannot be read, for `input_checks` to name.

    Args:
      cell: The text between two delimiters, without its quotes.
      spec: The feature.
      csv_format: What is missing, and how numbers and dates are written.
      column: The name under which `date_format`, `boolean` and `null_text` may have the column.
      unit: In which a date or time is counted, since 1970; "": ISO 8601 is not read, as the feature is another number.
    """
    if cell == MISSING:
        return missing(spec)
    kind = spec.dtype.kind if spec.dtype is not None else ""
    if kind == "O":
        is_missing = column in csv_format.null_text and cell.strip() in csv_format.null_values
        return missing(spec) if is_missing else cell
    if not cell.strip():
        return missing(spec)
    if csv_format is not DEFAULT:
        if is_hole(cell, csv_format):
            return missing(spec)
        if (form := csv_format.date_format.get(column)) is not None:
            time = read_date(cell, form, unit or "s")
            return cell if time is None else time
        if column in csv_format.boolean:
            truth = read_boolean(cell)
            return cell if truth is None else truth if kind == "b" else int(truth)
        plain = plain_number(cell, csv_format)
        if plain is None:  # a mark in another place than the format's
            return _truth_or_time(cell, unit)
        cell = plain
    if kind == "b":
        truth = read_truth(cell)
        return _DIGIT_TRUTHS.get(cell.strip(), cell) if truth is None else truth
    number = read_number(cell)
    if number is None:
        return _truth_or_time(cell, unit)
    if math.isinf(number) and any(character.isdigit() for character in cell):
        return cell  # `1e400`: a number beyond float64, not an infinity
    if kind not in ("i", "u"):
        return number
    try:
        return int(cell.strip())  # a float64 holds whole numbers only up to 2^53
    except ValueError:
        return int(number) if number.is_integer() else number


def read_json(value: Any, spec: TensorSpec, unit: str = "s") -> Any:
    """Returns a value of a JSON object as the feature's type; unchanged where it cannot be read.

    Args:
      value: The value.
      spec: The feature.
      unit: In which a date or time is counted, since 1970; "": it is not read.
    """
    if value is None:
        return missing(spec)
    if spec.is_text and isinstance(value, float) and math.isnan(value):  # as Python writes a missing text
        return missing(spec)
    if spec.is_text:  # texts beside other values are text in training too
        return json.dumps(value) if isinstance(value, bool | int | float) else value
    if spec.type_name == "bool":
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and value not in _INT64 and abs(value) < _MAX_FLOAT32 and spec.dtype is not None:
        return float(value) if spec.dtype.kind == "f" else value
    return _truth_or_time(value, unit) if isinstance(value, str) else value


def missing(spec: TensorSpec) -> Any:
    """Returns the value that stands for a missing one: "" for text, NaN for floats, None (an error) for the others."""
    if spec.is_text:
        return ""
    return float("nan") if spec.dtype is not None and spec.dtype.kind == "f" else None


def _truth_or_time(text: str, unit: str) -> Any:
    """Returns 1 or 0 for a truth value, whole units since 1970 for a date or time, and other text unchanged."""
    truth = read_truth(text)
    if truth is not None:
        return int(truth)
    time = read_time(text, unit) if unit else None
    return text if time is None else time
