"""Turns Arrow columns into a feature's values, or into text.

The rules are those by which ExampleGen reads columns that have types: truth is 1 or 0, a time is a whole number of
units, and what is finer is dropped.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
from typing import TYPE_CHECKING, Any

from crossnet.serving.protocol.cell_values import TIME_UNITS, read_time
from crossnet.serving.protocol.plain_arrays import plain_array
from crossnet.serving.protocol.signature import TensorSpec
from crossnet.serving.rows.cells import missing, read_cell

if TYPE_CHECKING:
    import pyarrow as pa


def feature_values(column: pa.Array, spec: TensorSpec, unit: str = "s") -> Any:
    """Returns the values of a column as the feature's type, one per row: an array or a list.

    A value that cannot be read as that type is unchanged, for `input_checks` to name.

    Args:
      column: The column.
      spec: The feature.
      unit: In which a time or duration is counted; "": the feature is not such a number.

    Raises:
      pyarrow.ArrowException: A value does not convert.
      ValueError: The column holds times or durations, and `unit` is "".
    """
    import pyarrow as pa

    column = plain(column)
    kind = column.type
    if pa.types.is_nested(column.type):
        return column.to_pylist()
    if spec.is_text:
        texts = column if is_text(column) else column.cast(pa.string())
        return ["" if value is None else value for value in texts.to_pylist()]
    if is_text(column):
        texts = column.cast(pa.string()).to_pylist()
        return [missing(spec) if text is None else read_cell(text, spec, unit=unit) for text in texts]
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        if not unit:
            raise ValueError("in training, the column had numbers, and not dates or times")
        values = _times(column, unit)
    elif pa.types.is_boolean(column.type) and spec.type_name != "bool":
        values = column.cast(pa.int64()).to_pylist()
    elif pa.types.is_decimal(column.type):
        values = column.cast(pa.int64() if column.type.scale <= 0 else pa.float64()).to_pylist()
    elif not column.null_count and not pa.types.is_null(column.type):
        return column.to_numpy(zero_copy_only=False)
    else:
        values = (column.cast(pa.float32()) if pa.types.is_float16(column.type) else column).to_pylist()
    return [missing(spec) if value is None else value for value in values] if column.null_count else values


def is_moment(column: pa.Array) -> bool:
    """Returns whether a column holds times whose number depends on a unit: moments, or text of such."""
    import pyarrow as pa

    column = plain(column)
    if is_text(column):
        first = next((value.as_py() for value in column.slice(0, 1)), None)
        return isinstance(first, str) and read_time(first) is not None
    return bool(pa.types.is_temporal(column.type) and not pa.types.is_interval(column.type))


def is_text(column: pa.Array) -> bool:
    """Returns whether a column holds text or bytes."""
    import pyarrow as pa

    kind = column.type
    named = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    fixed = (pa.types.is_string_view, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in (*named, *fixed))


def plain(column: pa.Array) -> pa.Array:
    """Returns a column without a dictionary, and without types that others can stand for."""
    import pyarrow as pa

    column = plain_array(column)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def cell_texts(column: pa.Array) -> list[str]:
    """Returns a column as cells of a CSV; "" for a hole."""
    import pyarrow as pa

    column = plain(column)
    if pa.types.is_nested(column.type):
        return ["" if v is None else json.dumps(v, ensure_ascii=False) for v in json_values(column)]
    if pa.types.is_duration(column.type) or pa.types.is_interval(column.type) or is_text(column):
        return ["" if v is None else str(v) for v in json_values(column)]
    return ["" if value is None else value for value in column.cast(pa.string()).to_pylist()]


def json_values(column: pa.Array) -> list[Any]:
    """Returns a column as values that JSON can hold; None for a hole. A duration is a number of seconds."""
    import pyarrow as pa

    column = plain(column)
    if pa.types.is_duration(column.type):
        ticks = TIME_UNITS[column.type.unit]
        counts = column.cast(pa.int64()).to_pylist()
        return [None if n is None else n / ticks if n % ticks else n // ticks for n in counts]
    if pa.types.is_temporal(column.type) and not pa.types.is_interval(column.type):
        values: list[Any] = column.cast(pa.string()).to_pylist()  # Python has no nanoseconds
        return values
    return [json_value(value) for value in column.to_pylist()]


def json_value(value: Any) -> Any:
    """Returns a value of Arrow's as JSON can hold it: times as text, null for NaN and infinity, bytes as text.

    A decimal becomes a number where a float64 holds it, else text. Bytes that are not UTF-8 become Base64.
    """
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, decimal.Decimal):
        number = int(value) if value == value.to_integral_value() else float(value)
        return number if decimal.Decimal(str(number)) == value else str(value)
    if isinstance(value, datetime.timedelta):
        seconds = value / datetime.timedelta(seconds=1)
        return int(seconds) if seconds.is_integer() else seconds
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)  # a date, a moment or a time of day


def _times(column: pa.Array, unit: str) -> list[int | None]:
    """Returns times as whole numbers of `unit`; what is finer is dropped."""
    import pyarrow as pa

    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    given, wanted = TIME_UNITS[column.type.unit], TIME_UNITS[unit]
    numbers = column.cast(pa.int32()) if pa.types.is_time32(column.type) else column.cast(pa.int64())
    return [None if number is None else number * wanted // given for number in numbers.to_pylist()]
