"""Reads records with text, missing values or several values per row.

Records written as usual are read together, column by column (`crossnet.components.records.cursors`). The others
(another order, unpacked numbers, unknown features) are read one by one by `crossnet.components.records.parser`.

Measured on 2026-11-28 on 2 cores of an AMD EPYC, busy with other work, by `python -m benchmarks data`: 2.2 times the
rows per CPU second of tf.io.parse_example, 34 times those of the parser alone; and no import of TensorFlow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from crossnet.components.errors import DataError
from crossnet.components.records.cursors import Cursors, FoundColumn, Ints, ragged_index
from crossnet.components.records.parser import MalformedExampleError, ParsedFeature, parse_example
from crossnet.components.records.texts import as_texts, joined, spread_texts
from crossnet.components.records.uniform_reader import Column

_DTYPES: dict[str, Any] = {"FLOAT": np.float32, "INT": np.int64}


class UnknownFeatureError(Exception):
    """A record has features that are not among the columns asked for.

    Attributes:
      features: Type by name.
    """

    def __init__(self, features: dict[str, str]):
        super().__init__(features)
        self.features = features


def read_mixed_records(
    data: bytes,
    offsets: Ints,
    lengths: Ints,
    types: dict[str, str],
    *,
    path: Path,
    first_record: int,
    strict: bool = False,
) -> dict[str, Column]:
    """Returns the columns `types` (name to type) of the records in `data`.

    Args:
      data: Bytes with records in them, checksums already checked.
      offsets, lengths: Where each record begins, and how many bytes it has; int64 (rows,).
      types: Columns to read, in the order in which most records have them.
      path, first_record: For messages: the file, and the number of the first record in it.
      strict: Whether features that are not in `types` are an error, instead of being ignored.

    Raises:
      DataError: A record is not a tf.train.Example, or a feature has another type.
      UnknownFeatureError: `strict`, and there is one.
    """
    cursors = Cursors(data, offsets, lengths)
    found = {name: [cursors.take(name, kind)] for name, kind in types.items()}
    unread = cursors.unread()
    if len(unread):
        found = {name: [part.without(unread) for part in parts] for name, parts in found.items()}
    for row in unread.tolist():
        start = int(offsets[row])
        features = _parse(data[start : start + int(lengths[row])], path, first_record + row)
        if strict and (unknown := {n: f.kind for n, f in features.items() if n not in types and f.values}):
            raise UnknownFeatureError(unknown)
        for name, feature in features.items():
            if name in types and feature.values:
                _check_kind(feature, types[name], name, path, first_record + row)
                found[name].append(
                    FoundColumn(np.array([row]), np.array([len(feature.values)]), _values(feature.kind, feature.values))
                )
    return {name: _column(found[name], kind, len(offsets)) for name, kind in types.items()}


def _parse(record: bytes, path: Path, number: int) -> dict[str, ParsedFeature]:
    try:
        return parse_example(record)
    except MalformedExampleError as error:
        raise DataError(
            f"`{path}` record {number:,} is not a tf.train.Example: {error}. Expected TFRecord data whose records are "
            "serialized tf.train.Example messages. Write the file again."
        ) from None


def _check_kind(feature: ParsedFeature, kind: str, name: str, path: Path, number: int) -> None:
    if feature.kind != kind:
        raise DataError(
            f"`{path}` record {number:,}: `{name}` is {feature.kind}, but {kind} in the records before it. "
            "Write the files with one type per feature."
        )


def _values(kind: str, values: list[Any]) -> Any:
    return as_texts(values) if kind == "BYTES" else np.array(values, _DTYPES[kind])


def _column(parts: list[FoundColumn], kind: str, rows: int) -> Column:
    """Puts together what was found of one column, in the order of rows."""
    if len(parts[0].rows) == rows and bool((parts[0].counts == 1).all()):  # one in each row, and no other part
        return Column(parts[0].values, None)
    lengths = np.zeros(rows, np.int64)
    for part in parts:
        lengths[part.rows] = part.counts
    present = lengths > 0
    several = bool((lengths > 1).any())
    if kind == "BYTES":
        values = joined([part.values for part in parts])
        if len(parts) > 1:
            owners = np.concatenate([np.repeat(part.rows, part.counts) for part in parts])
            values = values.take(pa.array(np.argsort(owners, kind="stable")))
        if not several and not present.all():
            values = spread_texts(values, present)
        return Column(values, None if present.all() else present, lengths if several else None)
    if several:
        starts = np.cumsum(lengths) - lengths
        values = np.empty(int(lengths.sum()), _DTYPES[kind])
    else:
        values = np.zeros(rows, _DTYPES[kind])
    for part in parts:
        values[ragged_index(starts[part.rows], part.counts) if several else part.rows] = part.values
    return Column(values, None if present.all() else present, lengths if several else None)
