"""Converts Arrow columns of any type to what a record holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.errors import DataError
from crossnet.components.records.wire_format import is_list
from crossnet.components.sources.times import is_time, time_numbers

STORED = {"FLOAT": pa.float32(), "INT": pa.int64(), "BYTES": pa.binary()}
_EXACT = 1 << 24  # float32 holds every whole number up to here
MAX_ZERO = 2.0**-150  # half of the least number of float32: what is not above it becomes 0
VANISHES = (
    "holds numbers such as {}, which float32 makes 0 (its least is 1.4e-45); multiply all of the column by one number, "
    'such as in a query of `source = "sql"`'
)


def feature_kind(arrow_type: Any) -> str | None:
    """Returns the type in which a column is written, "FLOAT", "INT" or "BYTES"; None where a record cannot hold it."""
    if is_list(arrow_type) or pa.types.is_fixed_size_list(arrow_type):
        inner = arrow_type.value_type
        return None if is_list(inner) or pa.types.is_fixed_size_list(inner) else feature_kind(inner)
    if pa.types.is_dictionary(arrow_type):
        return feature_kind(arrow_type.value_type)
    if pa.types.is_decimal(arrow_type):
        return "INT" if arrow_type.scale <= 0 else "FLOAT"
    if pa.types.is_floating(arrow_type):
        return "FLOAT"
    if pa.types.is_integer(arrow_type) or pa.types.is_boolean(arrow_type) or is_time(arrow_type):
        return "INT"
    return "BYTES" if pa.types.is_null(arrow_type) or is_text_type(arrow_type) else None


def family(arrow_type: Any) -> str:
    """Returns in a word what columns of a type have in common, so that files of differing types can be read as one."""
    if is_list(arrow_type) or pa.types.is_fixed_size_list(arrow_type):
        return f"lists of {family(arrow_type.value_type)}"
    if pa.types.is_dictionary(arrow_type):
        return family(arrow_type.value_type)
    if pa.types.is_null(arrow_type):
        return "nothing"
    if is_text_type(arrow_type):
        return "text"
    if pa.types.is_date(arrow_type) or pa.types.is_timestamp(arrow_type):
        return "moments"
    if pa.types.is_duration(arrow_type):
        return "durations"
    return "times of day" if is_time(arrow_type) else "numbers"


def is_text_type(arrow_type: Any) -> bool:
    """Returns whether a column holds text or bytes."""
    checks = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )
    return any(check(arrow_type) for check in checks)


def stored_array(array: pa.Array, kind: str, unit: str = "s", *, exact: bool = True) -> pa.Array:
    """Returns a column as it is written: float32, int64 or binary, or a list of these.

    Args:
      array: The column.
      kind: "FLOAT", "INT" or "BYTES".
      unit: That of times.
      exact: Whether times must be whole in the unit; else what is finer is dropped.

    Raises:
      pyarrow.ArrowInvalid: A value does not convert.
      FinerUnitError: `exact`, and a time is not whole in `unit`.
    """
    if is_list(array.type) or pa.types.is_fixed_size_list(array.type):
        values = stored_array(array.flatten(), kind, unit, exact=exact)
        if values.null_count:
            raise pa.ArrowInvalid("a list holds a null")
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
        return pa.LargeListArray.from_arrays(offsets, values, mask=array.is_null() if array.null_count else None)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind == "BYTES":
        return _text(array)
    if is_time(array.type):
        array = time_numbers(array, unit, exact=exact)
    elif pa.types.is_boolean(array.type):
        array = array.cast(pa.int64())
    elif pa.types.is_decimal(array.type):
        array = array.cast(pa.int64() if kind == "INT" else pa.float64())
    elif is_text_type(array.type) or pa.types.is_null(array.type):
        text = array.cast(pa.string())
        array = pc.utf8_trim_whitespace(pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text))
    return array.cast(STORED[kind], safe=kind == "INT")


def without_nan(array: pa.Array) -> pa.Array:
    """Returns a column that is written with null for NaN; one of lists, whose values cannot be missing, as it is."""
    if not pa.types.is_floating(array.type):
        return array
    return pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)


def rounding(array: pa.Array) -> str:
    """Returns the first number of a column that float32 does not hold: a whole one, or one of a decimal; "" for none.

    A decimal is held where rounding to its own number of places gives it back. Of float64 only numbers are said beyond
    those up to which float32 holds each whole one: below, what is lost is less than measurements are exact to.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_integer(array.type):
        if array.type.bit_width < 32 or not len(array):  # float32 holds all of them
            return ""
        extremes = pc.min_max(array).as_py()
        if max(abs(extremes["min"] or 0), abs(extremes["max"] or 0)) <= _EXACT:
            return ""
        values = array.fill_null(0).to_numpy(zero_copy_only=False)
        wrong = values.astype(np.float32).astype(np.float64) != values.astype(np.float64)
        wrong |= np.abs(values.astype(np.float64)) > 2.0**53
    elif pa.types.is_decimal(array.type):
        numbers = array.cast(pa.float64()).fill_null(0).to_numpy(zero_copy_only=False)
        wrong = np.abs(numbers.astype(np.float32) - numbers) >= 0.5 * 10.0**-array.type.scale
    elif pa.types.is_float64(array.type):
        size = np.abs(array.fill_null(0).to_numpy(zero_copy_only=False))
        wrong = (size > _EXACT) & (size < 2.0**63)
        if wrong.any():
            wrong[wrong] = size[wrong].astype(np.float32) != size[wrong]
    else:
        return ""
    return str(array[int(wrong.argmax())].as_py()) if wrong.any() else ""


def vanishing(array: pa.Array) -> str:
    """Returns the first number of a float64 column that float32 makes 0, though it is not; "" for none."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if not pa.types.is_float64(array.type):
        return ""
    size = np.abs(array.fill_null(0).to_numpy(zero_copy_only=False))
    zero = (size <= MAX_ZERO) & (size > 0)
    return str(array[int(zero.argmax())].as_py()) if zero.any() else ""


def are_whole(array: pa.Array) -> bool:
    """Returns whether all numbers of a float64 column are whole, and within int64."""
    if not pa.types.is_float64(array.type):
        return False
    values = array.drop_null().to_numpy(zero_copy_only=False)
    return bool(len(values) and ((values == np.floor(values)) & (np.abs(values) < 2.0**63)).all())


def key_cells(array: pa.Array) -> pa.Array:
    """Returns a column as text in bytes; null stays null.

    Raises:
      DataError: Its values are lists or otherwise nested.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_nested(array.type):
        raise DataError(
            f"The split column holds {array.type}; expected one value per row. "
            "Name another column in `example_gen.split_column`."
        )
    if not pa.types.is_binary(array.type) and not pa.types.is_large_binary(array.type):
        array = array.cast(pa.string())
    return array.cast(pa.binary())


def value_text(array: pa.Array) -> str:
    """Returns the only value of an array for a message."""
    try:
        return str(array[0].as_py())
    except UnicodeDecodeError:
        value: bytes = array.cast(pa.binary())[0].as_py()
        return value.decode("utf-8", "backslashreplace")


def converts(array: pa.Array, kind: str, unit: str = "s") -> bool:
    """Returns whether all values can be written."""
    try:
        stored_array(array, kind, unit, exact=False)
    except pa.ArrowInvalid:
        return False
    return True


def _text(array: pa.Array) -> pa.Array:
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        return array.cast(pa.binary())
    if pa.types.is_binary_view(array.type) or pa.types.is_fixed_size_binary(array.type):
        return array.cast(pa.binary())
    text = array.cast(pa.string())
    text.validate(full=True)  # a file may hold any bytes and call them text
    return text.cast(pa.binary())
