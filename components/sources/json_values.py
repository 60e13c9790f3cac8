"""Gives values of JSON objects the types of Arrow that hold them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from crossnet.serving.protocol.cell_values import read_time

EXACT32 = 2.0**24  # up to here float32 holds every whole number
TIME = pa.timestamp("us")  # the type of a column of texts that all are times
TIMES = "holds times beside other texts and is read as text"
_NUMBERS = (pa.bool_(), pa.int64(), pa.float64())  # each can hold the ones before it
_MIXED_TEXT = "holds texts beside values of another type and is read as text"
_NAN_TEXT = "holds NaN beside texts, where it is a missing value"
_MIXED_TRUTH = "holds true or false beside numbers and is read as numbers, true as 1"


def types_of_lines(
    rows: Sequence[Mapping[str, Any]], doubts: dict[str, str], large: dict[str, int]
) -> dict[str, pa.DataType]:
    """Returns the types that hold all values of some lines.

    Args:
      rows: The objects of the lines.
      doubts: Gets what is doubtful about the type of a column.
      large: Gets a whole number of a column that float32 does not hold.
    """
    types: dict[str, pa.DataType] = {}
    without_numbers: set[str] = set()  # columns with NaN, which Python writes for a missing text too
    for row in rows:
        for name, value in row.items():
            if _is_nan(value):
                without_numbers.add(name)
                types.setdefault(name, pa.null())
                continue
            kind = _value_type(name, value, doubts)
            before = types.get(name, pa.null())
            types[name] = kind if before is kind else joined(name, before, kind, doubts)
            if isinstance(value, int) and abs(value) > EXACT32:
                large.setdefault(name, value)
    for name in without_numbers:
        if types[name] in (pa.string(), TIME):
            doubts.setdefault(name, _NAN_TEXT)
        else:
            types[name] = joined(name, types[name], pa.float64(), doubts)
    return types


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _value_type(name: str, value: Any, doubts: dict[str, str]) -> pa.DataType:
    if isinstance(value, str):
        return pa.string() if read_time(value) is None else TIME
    if isinstance(value, int) and not isinstance(value, bool):
        return pa.int64() if -(2**63) <= value < 2**63 else pa.float64()
    if isinstance(value, list):
        kind = pa.null()
        for item in value:
            kind = joined(name, kind, _value_type(name, item, doubts), doubts)
        return pa.list_(plain(kind))
    return pa.array([value]).type


def joined(name: str, one: pa.DataType, other: pa.DataType, doubts: dict[str, str]) -> pa.DataType:
    """Returns the type that holds the values of two; where they differ in kind, `doubts` says so."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if one in _NUMBERS and other in _NUMBERS:
        if pa.bool_() in (one, other):
            doubts.setdefault(name, _MIXED_TRUTH)
        return max(one, other, key=_NUMBERS.index)
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(joined(name, one.value_type, other.value_type, doubts))
    if pa.types.is_struct(one) or pa.types.is_struct(other):
        return one if pa.types.is_struct(one) else other  # refused, unless the column is excluded
    doubts[name] = TIMES if {one, other} == {TIME, pa.string()} else _MIXED_TEXT
    return pa.string()


def array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Returns values of one column, which may have several types, as the type that holds all of them."""
    if pa.types.is_string(kind):
        values = [None if _is_nan(value) else value for value in values]
        values = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
        values = [v if v is None else v.encode("utf-8", "surrogatepass") for v in values]
        return pa.array(values, pa.binary()).view(pa.string())  # what is not Unicode is refused later, with its place
    if pa.types.is_float64(kind):
        values = [None if value is None else _float(value) for value in values]
    elif pa.types.is_int64(kind):
        values = [None if value is None else int(value) for value in values]
    elif pa.types.is_list(kind):
        values = [None if value is None else array(value, kind.value_type).to_pylist() for value in values]
    return pa.array(values, kind)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def plain(kind: pa.DataType) -> pa.DataType:
    """Returns the type in which values of a type are read: times as the texts that they are."""
    if pa.types.is_list(kind):
        return pa.list_(plain(kind.value_type))
    return pa.string() if pa.types.is_timestamp(kind) else kind
