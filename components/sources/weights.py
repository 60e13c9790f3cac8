"""Names the columns of weights and groups, and stores weights as FLOAT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.formats import counted
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import Source, SourceBatch
from crossnet.components.sources.doubts import Doubt, toml_text
from crossnet.serving.protocol.printable import shown

_LEAST, _MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)  # below, float32 loses digits
_MIN_ROWS = 20  # fewer have another group each by chance


def named_columns(params: ExampleGenParams, names: Mapping[str, str]) -> tuple[str, str, str]:
    """Returns the names of label, weight and group in the batches of a source; "" where the settings name none.

    Args:
      params: The settings. The key of a split that is not a feature is the group, and is kept for the gate.
      names: From `batch_names`.

    Raises:
      SettingsError: The group has no value in any row, and so is not a column.
    """
    label, weight, group = (names.get(name, "") if name else "" for name in (params.label, params.weight, params.group))
    if params.group and not group:
        raise SettingsError(
            f"`example_gen.group` names `{params.group}`, which has no value in any row. Name a column that says what "
            "rows belong to, or leave the setting out."
        )
    key = names.get(params.split_column, "") if params.split == "key" else ""
    left_out = {names.get(name, name) for name in params.exclude}
    return label, weight, group or (key if key in left_out else "")


def checked_extras(
    source: Source, batch: SourceBatch, params: ExampleGenParams, names: Mapping[str, str]
) -> SourceBatch:
    """Returns the batch, with a doubt where rows have no group, or each one another.

    Args:
      source: Where the batch is from.
      params: The settings, which name the columns.
      names: From `batch_names`.

    Raises:
      DataError: The label, the weight or the group has several values in a row; it names the row.
    """
    for setting in ("label", "weight", "group"):
        given = getattr(params, setting)
        if not given or (name := names.get(given)) is None or name not in batch.rows.schema.names:
            continue  # a column may be named "" too
        column = batch.rows.column(name)
        if pa.types.is_nested(column.type):
            sizes = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
            row = int((sizes > 1).argmax())
            raise DataError(
                f"{source.place(batch.unit, batch.first_row + row)}: `{shown(name)}`, the {setting}, holds a list of "
                f"{counted(int(sizes[row]), 'value')}. Expected one value per row. Write one, or name another column "
                f"in `example_gen.{setting}`."
            )
        if setting == "group" and column.null_count:
            row = int(column.is_null().to_numpy(zero_copy_only=False).argmax())
            place = source.place(batch.unit, batch.first_row + row).replace("`", "")
            text = f"has no value in some rows (first: {place}): they count as rows of one group"
            condition = f'"{params.group}" IS NOT NULL'
            doubt = Doubt(params.group, text, f"where = {toml_text(condition)}")
            batch = batch._replace(doubts=(*batch.doubts, doubt))
        if setting == "group" and (alone := _alone(params.group, column, batch)):
            batch = batch._replace(doubts=(*batch.doubts, alone))
    return batch


def _alone(group: str, column: pa.Array, batch: SourceBatch) -> Doubt | None:
    """Returns the doubt about a group that has one row each, in a source's first batch; None elsewhere."""
    if batch.unit or batch.first_row or len(column) < _MIN_ROWS or column.null_count:
        return None
    if pc.count_distinct(column).as_py() < len(column):
        return None
    text = f"has another value in each of the first {len(column):,} rows: groups of one row group nothing"
    return Doubt(group, f"{text}; name another column in `example_gen.group`, or leave the setting out")


def stored_weights(
    source: Source, batch: SourceBatch, weight: str, left_out: Iterable[NDArray[np.bool_]] = ()
) -> SourceBatch:
    """Returns the batch with its weights as float32.

    Args:
      weight: The column's name in the batch.
      left_out: bool (rows,) each: rows whose weight may be anything.

    Raises:
      DataError: A weight is missing, negative, NaN, infinite or not one that float32 holds; it names the row.
    """
    column = batch.rows.column(weight)
    place = batch.rows.schema.get_field_index(weight)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        values = column.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False).astype(np.float32)
        given = _given(batch, weight, values)
        tiny = (given > 0) & (given < _LEAST)
        wrong = ~(np.isfinite(values) & (values >= 0)) | tiny
        stored = pa.array(values, mask=np.isnan(values))
    else:
        given, wrong, stored = np.zeros(0), np.ones(len(column), bool), column
    for mask in left_out:
        wrong &= ~mask
    if wrong.any():
        row = int(wrong.argmax())
        value = column[row].as_py()
        if pa.types.is_float32(column.type) and value is not None:
            value = np.float32(value)  # as text, the digits of the cell
        received = _missing(source, batch, weight, row) if value is None else f"'{shown(str(value))}'"
        expected, fix = "a number of at least 0; a row of weight 0 does not count", "Fix the row"
        if len(given) and np.isfinite(given[row]) and given[row] >= 0:
            received = f"{given[row]:g}, which float32 does not hold"
            expected, fix = f"0, or a number from {_LEAST:.2g} to {_MOST:.2g}", "Multiply all weights by one number"
        raise DataError(
            f"{source.place(batch.unit, batch.first_row + row)}: the weight `{weight}` is {received}. Expected "
            f"{expected}. {fix}, or name another column in `example_gen.weight`."
        )
    return batch._replace(rows=batch.rows.set_column(place, pa.field(weight, stored.type), stored))


def _missing(source: Source, batch: SourceBatch, weight: str, row: int) -> str:
    """Returns what stands in a cell that is missing: "empty", or of a CSV one of `null_values`."""
    name = next((column.source_name for column in source.columns if column.name == weight), "")
    left, read = batch.first_row + row - _first_row(source, batch.unit), getattr(source, "read_named", None)
    for cells in read(batch.unit, [name]) if read and name else ():
        if left < len(cells[name]):
            cell = (cells[name][left].as_py() or b"").decode(errors="replace")
            return f"'{shown(cell)}', which is a missing value" if cell.strip() else "empty"
        left -= len(cells[name])
    return "empty"


def _first_row(source: Source, unit: int) -> int:
    layouts = getattr(source, "layouts", ())
    return int(layouts[unit].first_row) if layouts else 0


def _given(batch: SourceBatch, weight: str, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns weights as the source has them, float64 (rows,), NaN where there is none."""
    exact = batch.exact
    if exact is None or weight not in exact.schema.names:
        return values.astype(np.float64)
    return np.asarray(exact.column(weight).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
