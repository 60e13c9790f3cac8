"""Gives the rows and predictions of a run as Arrow and pandas."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa

from crossnet.components.artifacts.evaluation import Evaluation, labels_file, predictions_file
from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import PipelineError, UnreadableFileError
from crossnet.components.records.arrow_columns import as_array, stored_type
from crossnet.components.records.dataset import read_columns
from crossnet.components.sources.provenance import locate, source_rows


class RowTable:
    """A table with one row for each row of a split, in the order of its records.

    Args:
      examples: The rows.
      split: Their split.
      read: Makes the table.
    """

    def __init__(self, examples: Examples, split: str, read: Callable[[], pa.Table]) -> None:
        self._examples, self._read = examples, read
        self.split = split

    def __len__(self) -> int:
        return int(self._examples.counts[self.split])

    def to_arrow(self) -> pa.Table:
        """Returns the table; a missing value is null.

        Raises:
          DataError: A file is damaged.
        """
        return self._read()

    def to_pandas(self) -> Any:
        """Returns the table as a pandas.DataFrame, whose index is the row's place in the split, from 0.

        Raises:
          DataError: A file is damaged.
          PipelineError: pandas is not installed.
        """
        if find_spec("pandas") is None:
            raise PipelineError(
                "`to_pandas` needs pandas, which is not installed. Install it with `pip install pandas`, or use "
                "`to_arrow`."
            )
        return self._read().to_pandas()

    def place(self, row: int) -> str:
        """Returns where a row of the table comes from, such as "rides.csv:871", the physical line.

        Args:
          row: Its place in the table, from 0.

        Raises:
          IndexError: The table has no such row.
        """
        return locate(self._examples, self.split, int(row))


def example_table(examples: Examples, split: str) -> RowTable:
    """Returns the rows of a split with every recorded column under its name in the source.

    Numbers are float32 or int64, texts are strings (bytes where one of the column is not UTF-8), times are timestamps
    in UTC.

    Raises:
      MissingArtifactError: The split does not exist.
    """
    examples.shards(split)

    def read() -> pa.Table:
        batches = list(read_columns(examples, split))
        columns: dict[str, pa.Array] = {}
        for column in examples.columns:
            parts = [batch[column.name] for batch in batches]
            kind = stored_type(column.type, any(part.lengths is not None for part in parts))
            found = pa.chunked_array([as_array(part, kind) for part in parts], kind)
            columns[_unused(column.source_name, columns)] = _readable(found, examples.time_units.get(column.name, ""))
        return pa.table(columns)

    return RowTable(examples, split, read)


def prediction_table(examples: Examples, evaluation: Evaluation, model: str) -> RowTable:
    """Returns what the Evaluator had a model predict: one row for each eval row.

    Columns: `row` int64, the place in the eval split; `source_row` int64, the number among all rows of the source, from
    0; `label`, `prediction` and `error`, prediction minus label, float64 in the label's unit.
    """

    def read() -> pa.Table:
        label, prediction = (
            _numbers(file) for file in (labels_file(evaluation.path), predictions_file(evaluation.path, model))
        )
        columns = {
            "row": np.arange(len(label)),
            "source_row": source_rows(examples, "eval"),
            "label": label,
            "prediction": prediction,
            "error": prediction - label,
        }
        return pa.table({name: pa.array(values) for name, values in columns.items()})

    return RowTable(examples, "eval", read)


def _numbers(file: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        return np.asarray(np.load(file), np.float64)
    except (OSError, ValueError) as error:
        raise UnreadableFileError(file, str(error), "Make the artifact again with `crossnet run`.") from None


def _readable(column: pa.ChunkedArray, time_unit: str) -> pa.ChunkedArray:
    """Returns times as timestamps and texts as strings."""
    if time_unit and column.type == pa.int64():
        return column.cast(pa.timestamp(time_unit))
    several = pa.types.is_large_list(column.type)
    if (column.type.value_type if several else column.type) != pa.large_binary():
        return column
    try:
        return column.cast(pa.large_list(pa.large_string()) if several else pa.large_string())
    except pa.ArrowInvalid:  # not UTF-8
        return column


def _unused(name: str, taken: dict[str, pa.Array]) -> str:
    """Returns a name that no column before it has: a source may have two of one name."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found
