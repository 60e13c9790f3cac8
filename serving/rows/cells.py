"""What a cell of a file of rows means to a model: numbers, truths, times, text, and what is missing.

The rules are ExampleGen's, so that the file a model was trained on can be sent to it: `true` and `false` are 1 and 0, a
date or time in ISO 8601 is its whole Unix seconds (UTC where it names no zone), an empty cell is missing.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

from crossnet.serving.protocol.signature import TensorSpec

TRUTHS = {"true": 1, "True": 1, "TRUE": 1, "false": 0, "False": 0, "FALSE": 0}
_BOOLS = {"1": True, "0": False} | {word: bool(truth) for word, truth in TRUTHS.items()}

_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def read_cell(cell: str, spec: TensorSpec) -> Any:
    """Returns a cell of a CSV as its feature's type; as it is where it is none, for `input_checks` to name."""
    if spec.is_text:
        return cell
    if not cell:
        return missing(spec)
    if spec.type_name == "bool":
        return _BOOLS.get(cell, cell)
    if "_" in cell:  # Python reads 1_000 as a number
        return cell
    try:
        return int(cell)
    except ValueError:
        try:
            number = float(cell)
        except ValueError:
            return _truth_or_time(cell)
    whole = spec.dtype is not None and spec.dtype.kind in "iu" and number.is_integer()
    return int(number) if whole else number


def read_json(value: Any, spec: TensorSpec) -> Any:
    """Returns a value of a JSON object as its feature's type; as it is where it is none."""
    if value is None:
        return missing(spec)
    if spec.is_text or spec.type_name == "bool":
        return value
    if isinstance(value, bool):
        return int(value)
    return _truth_or_time(value) if isinstance(value, str) else value


def missing(spec: TensorSpec) -> Any:
    """Returns what stands for a missing value; None, which the check refuses, where nothing does."""
    if spec.is_text:
        return ""
    return float("nan") if spec.dtype is not None and spec.dtype.kind == "f" else None


def _truth_or_time(text: str) -> Any:
    """Returns 1, 0 or whole Unix seconds; the text where it is none of them."""
    if text in TRUTHS:
        return TRUTHS[text]
    if not _TIME.fullmatch(text):
        return text
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:  # a 30th of February
        return text
    return ((moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)) - _EPOCH) // datetime.timedelta(
        seconds=1
    )
