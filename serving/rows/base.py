"""Rows of a file and what every format needs to read them or to write them with the model's answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.status import RowsError


class Row(NamedTuple):
    """One row.

    Attributes:
      place: Where it stands, such as "rides.csv:871".
      values: A mapping from key to value (JSON), the cells (CSV) or the bytes of an Example (TFRecord).
      text: As it stands in the file, where it goes out like that: of JSON.
    """

    place: str
    values: Any
    text: str = ""


class Sink(Protocol):
    """What a writer writes to."""

    def write(self, data: bytes, /) -> Any:
        """Takes all of `data`."""


class Writer:
    """Writes rows with the outputs of the model added."""

    def begin(self, outputs: Sequence[str]) -> None:
        """Writes what stands before all rows, given the names of the model's outputs; most formats have nothing."""

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        """Writes one batch.

        Raises:
          RowsError: A row has a column already that an output would overwrite, or the format cannot hold an output.
        """
        raise NotImplementedError


def refuse_complex(outputs: Mapping[str, Array], form: str) -> None:
    """Raises RowsError where an output holds complex numbers, which a format has no form for."""
    if names := [name for name, array in outputs.items() if array.dtype.kind == "c"]:
        raise RowsError(f"Output `{names[0]}` is {outputs[names[0]].dtype.name}, for which {form} has no form.")


def refuse_taken(outputs: Iterable[str], given: Any, place: str) -> None:
    """Raises RowsError where a row has a column already that one of the model's outputs would overwrite."""
    if taken := [name for name in outputs if name in given]:
        names = ", ".join(f"`{name}`" for name in taken)
        raise RowsError(f"{place} has {names} already, which is where the model's answer goes. Rename it first.")


def shortest(array: Array) -> list[Any]:
    """Returns an array's values as Python's, a float32 in the fewest digits that are read back as the same float32."""
    if array.dtype.kind == "O":
        return _texts(array.tolist())
    if array.dtype.kind != "f":
        return array.tolist()
    if array.ndim > 1:
        return [shortest(row) for row in array]
    return [float(text) for text in array.astype("U32").tolist()]


def _texts(value: Any) -> Any:
    """Returns bytes, and those in lists, as text."""
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return value.decode(errors="replace") if isinstance(value, bytes) else value
