"""Keeps numbers as the source has them for a condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.sources.arrow_values import is_text_type, without_nan
from crossnet.components.sources.base import SourceBatch
from crossnet.components.sources.naming import NamedColumns
from crossnet.components.sources.times import is_time, time_numbers


def exact_columns(
    named: NamedColumns, column: Callable[[str], pa.Array], types: Callable[[str], str], units: Mapping[str, str]
) -> pa.RecordBatch | None:
    """Returns `SourceBatch.exact`.

    Args:
      named: The columns by use.
      column: Returns a column of the source.
      types: Returns "FLOAT", "INT" or "BYTES", as which a column is written.
      units: The unit of each column of times that are not whole seconds.
    """
    found = {
        name: exact_array(column(source), units.get(source, "s"))
        for source, name in named.names.items()
        if source in named.exact and types(source) == "FLOAT"
    }
    given = {name: array for name, array in found.items() if array is not None}
    return pa.RecordBatch.from_arrays([*given.values()], names=[*given]) if given else None


def exact_array(array: pa.Array, unit: str = "s") -> pa.Array | None:
    """Returns a column that is written as float32 as it is in the source; None where float32 holds all of it.

    Returns:
      Numbers of the source's own type, numbers in text as float64, and times as int64 in `unit`; null stays null.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if is_time(array.type):
        return time_numbers(array, unit, exact=False)
    if is_text_type(array.type):
        text = pc.utf8_trim_whitespace(array.cast(pa.string()))
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text).cast(pa.float64())
    if pa.types.is_decimal256(array.type):  # DuckDB has none
        return array.cast(pa.float64())
    is_wide = pa.types.is_float64(array.type) or pa.types.is_integer(array.type) or pa.types.is_decimal(array.type)
    return array if is_wide else None


def as_in_source(batch: SourceBatch, *, nan_is_missing: bool) -> pa.RecordBatch:
    """Returns the rows of a batch with the columns of `SourceBatch.exact` in place of those that are written."""
    rows = batch.rows
    for name, column in zip(batch.exact.schema.names, batch.exact.columns, strict=True) if batch.exact else ():
        array = without_nan(column) if nan_is_missing else column
        rows = rows.set_column(rows.schema.get_field_index(name), pa.field(name, array.type), array)
    return rows
