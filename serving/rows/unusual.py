"""Counts values of rows that a model was not trained on."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.cell_values import TIME_UNITS
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.printable import shown
from crossnet.serving.protocol.train_values import TrainValues
from crossnet.serving.rows.base import Row, shortest_values

Kind = Literal["infinite", "outside", "missing", "category"]
_EPOCH = datetime.datetime(1970, 1, 1)  # UTC


class Unusual(NamedTuple):
    """Values of one column that a model was not trained on.

    Attributes:
      column: Its name in the file.
      kind: "infinite": infinite numbers; "outside": others beyond the least or the largest of train; "missing": missing
        numbers, and no row of train lacks one; "category": texts, or whole numbers that are categories, which the model
        does not know.
      rows: How many rows have one.
      example: The first of them, as text; "" for a missing one.
      place: Its row.
      expected: Of "outside": the range of train.
    """

    column: str
    kind: Kind
    rows: int
    example: str
    place: str
    expected: str = ""


def merged(found: Iterable[Unusual]) -> tuple[Unusual, ...]:
    """Returns one for each column and kind, each with all its rows and its first example."""
    by_key: dict[tuple[str, str], Unusual] = {}
    for item in found:
        before = by_key.get((item.column, item.kind))
        by_key[item.column, item.kind] = before._replace(rows=before.rows + item.rows) if before else item
    return tuple(by_key.values())


def unusual_values(
    arrays: Mapping[str, Array],
    known: TrainValues,
    batch: Sequence[Row],
    column_of: Callable[[str, Row], str],
    unit_of: Callable[[str, str], str],
) -> Iterator[Unusual]:
    """Yields what is unusual among the values of a batch.

    Args:
      arrays: Feature -> values, one or several per row.
      known: What the model was trained on; of what it does not name, infinite numbers alone are unusual.
      batch: The rows.
      column_of: Returns the name that a feature has in a row.
      unit_of: Returns the unit of a feature that is a time, given its name and its column's; "" for any other.
    """
    for name, array in arrays.items():
        for kind, mask in _masks(name, array.reshape(len(batch), -1), known):
            rows = mask.any(axis=1)
            count = int(rows.sum())
            if not count:
                continue
            first = int(rows.argmax())
            row = batch[first]
            column = column_of(name, row)
            unit = unit_of(name, column)
            value = array.reshape(len(batch), -1)[first][mask[first]][:1]
            expected = ""
            if kind == "outside":
                kept = value.dtype if value.dtype.kind == "f" or max(map(abs, known.ranges[name])) < 2**63 else float
                expected = " to ".join(_as_text(np.array([bound]).astype(kept), unit) for bound in known.ranges[name])
            yield Unusual(column, kind, count, "" if kind == "missing" else _as_text(value, unit), row.place, expected)


def _masks(name: str, values: Array, known: TrainValues) -> Iterator[tuple[Kind, Array]]:
    """Yields for each kind that a feature can have where its values are of it, bool [rows, values per row]."""
    if values.dtype.kind == "f":
        yield "infinite", np.isinf(values)
        if name in known.complete:
            yield "missing", np.isnan(values)
    if name in known.ranges and values.dtype.kind in "fiu":
        low, high = known.ranges[name]
        exact = values.astype(np.float64)
        yield "outside", ((exact < low) | (exact > high)) & np.isfinite(exact)
    if name in known.categories:
        categories: Any = known.categories[name]
        if values.dtype.kind == "O":
            legal = {text.encode() for text in categories if isinstance(text, str)}
            legal |= set() if name in known.complete else {b""}
            yield "category", np.array([[text not in legal for text in row] for row in values.tolist()], bool)
        elif values.dtype.kind in "fiu":
            new = ~np.isin(values, np.array([number for number in categories if isinstance(number, int)], np.int64))
            yield "category", new if values.dtype.kind != "f" else new & np.isfinite(values)


def _as_text(value: Array, unit: str) -> str:
    """Returns the one value of an array as a message shows it."""
    (plain,) = shortest_values(value)
    if isinstance(plain, str):
        return f"'{shown(plain)}'"
    if unit and abs(plain) < float("inf"):
        try:
            moment = _EPOCH + datetime.timedelta(microseconds=int(plain) * 10**6 // TIME_UNITS[unit])
            return moment.isoformat(sep=" ").removesuffix(" 00:00:00")
        except OverflowError:  # beyond the year 9999
            pass
    return str(plain).removesuffix(".0")


def columns_of_examples(records: Sequence[bytes], names: Iterable[str]) -> dict[str, Array]:
    """Returns features of serialized Examples as arrays, one value per row; those with several values are left out.

    A missing number is NaN, a missing text is empty.
    """
    parsed = [messages.Example.FromString(record).features.feature for record in records]
    columns: dict[str, Array] = {}
    for name in names:
        values: list[Any] = []
        kinds: set[str] = set()
        for features in parsed:
            kind = features[name].WhichOneof("kind") if name in features else None
            given = list(getattr(features[name], kind).value) if kind else []
            values.append(given[0] if len(given) == 1 else given or None)
            kinds |= {kind} if kind and given else set()
        if len(kinds) != 1 or any(isinstance(value, list) for value in values):
            continue
        (kind,) = kinds
        if kind == "bytes_list":
            texts = np.empty(len(values), np.object_)
            texts[:] = [value or b"" for value in values]
            columns[name] = texts
        elif kind == "float_list":
            columns[name] = np.array([np.nan if value is None else value for value in values], np.float32)
        else:
            columns[name] = np.array(values) if None not in values else np.array(values, np.float64)
    return columns
