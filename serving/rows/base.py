"""Declares rows of a file, and holds what the formats share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.limits import MAX_ROW_BYTES, mebibytes
from crossnet.serving.protocol.printable import listed
from crossnet.serving.protocol.signature import TensorSpec
from crossnet.serving.status import RowsError


class Row(NamedTuple):
    """One row.

    Attributes:
      place: The file and line of the row, such as "rides.csv:871".
      values: A mapping from key to value (JSON), the cells (CSV), the bytes of an Example (TFRecord), or the part of a
        batch (Parquet and Arrow).
      text: The line in the file (JSON), which is written again as it is.
    """

    place: str
    values: Any
    text: str = ""


class Sink(Protocol):
    """A stream that a writer writes to."""

    def write(self, data: bytes, /) -> Any:
        """Takes all of `data`."""


class Writer:
    """Writes rows with the model's outputs added."""

    def begin(self, outputs: Sequence[str]) -> None:
        """Writes what comes before all rows, given the names of the model's outputs; nothing in most formats."""

    def end(self, outputs: Mapping[str, TensorSpec]) -> None:
        """Writes what comes behind all rows, given the model's outputs; nothing in most formats."""

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        """Writes one batch.

        Args:
          rows: As they were read.
          outputs: Output name -> values, one per row.

        Raises:
          RowsError: An output would overwrite a row's column, or the format cannot hold the output.
        """
        raise NotImplementedError


def too_long_row(place: str) -> RowsError:
    """Returns the error for a row that is longer than `MAX_ROW_BYTES`."""
    return RowsError(
        f"{place} has more than {mebibytes(MAX_ROW_BYTES)}, the most that a row may have. Is a quote left open, or is "
        "the file of another format?"
    )


def check_not_complex(outputs: Mapping[str, Array], form: str) -> None:
    """Raises RowsError where an output holds complex numbers, which the format cannot hold.

    Args:
      outputs: Output name -> values.
      form: The format as it is named in a message.
    """
    for name, array in outputs.items():
        if array.dtype.kind == "c":
            raise RowsError(
                f"Output `{name}` is {array.dtype.name}, which {form} cannot hold. Export the model with real outputs."
            )


def check_not_taken(outputs: Iterable[str], columns: Any, place: str) -> None:
    """Raises RowsError where a row has a column that an output would overwrite.

    Args:
      outputs: Names of the outputs.
      columns: The names of the row's columns: a list or a mapping.
      place: The place of the row or the header.
    """
    if taken := [name for name in outputs if name in columns]:
        raise RowsError(
            f"{place} already has {listed(taken)}, the name of the model's output. Rename the column first; where it "
            "is a feature of the model, give it another name in training (`example_gen.rename`)."
        )


def shortest_values(array: Array) -> list[Any]:
    """Returns an array's values as Python's own, bytes as text.

    A float becomes the one with the fewest digits that is read back as the same value of the array's type.
    """
    if array.dtype.kind == "O":
        return _texts(array.tolist())
    if array.dtype.kind != "f":
        return array.tolist()
    if array.ndim > 1:
        return [shortest_values(row) for row in array]
    return [float(text) for text in array.astype("U32").tolist()]


def _texts(value: Any) -> Any:
    """Returns bytes, also those in lists, as text."""
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return value.decode(errors="replace") if isinstance(value, bytes) else value
