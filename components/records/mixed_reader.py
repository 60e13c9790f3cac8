"""Reads records of many shapes, all rows of a chunk at once: text, missing values, several values per row.

All records are walked in step: at each column the rows that have it next are read together. What is written in an
unusual way (another order, unpacked numbers, unknown features) goes to
`crossnet.components.records.parser`, record by record.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossnet.components.errors import DataError
from crossnet.components.records.parser import MalformedExampleError, ParsedFeature, parse_example
from crossnet.components.records.uniform_reader import Column
from crossnet.components.records.wire_format import FEATURE_TAGS, tagged

_DTYPES: dict[str, Any] = {"BYTES": object, "FLOAT": np.float32, "INT": np.int64}

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class _Found(NamedTuple):
    """Values of one column: the rows that have it, how many values each, and the values row by row."""

    rows: Ints
    counts: Ints
    values: NDArray[Any]

    def only(self, keep: Mask) -> _Found:
        """Returns what was found in the rows of the mask."""
        mask = keep[self.rows]
        if mask.all():
            return self
        return _Found(self.rows[mask], self.counts[mask], self.values[np.repeat(mask, self.counts)])


class UnknownFeatureError(Exception):
    """A record has features that are not among the columns asked for.

    Attributes:
      features: Type by name.
    """

    def __init__(self, features: dict[str, str]):
        super().__init__(features)
        self.features = features


def walk_columns(
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
      offsets, lengths: Where each record's bytes stand.
      types: Columns to read; those that stand first in most records first.
      path, first_record: For messages: the file, and the number of the first record in it.
      strict: Whether features that are not in `types` are an error, instead of being passed over.

    Raises:
      DataError: A record is no tf.train.Example, or a feature has another type.
      UnknownFeatureError: `strict`, and there is one.
    """
    walk = _Walk(data, offsets, lengths)
    walked = {name: walk.take(name, kind) for name, kind in types.items()}
    odd = walk.unfinished()
    keep = np.ones(len(offsets), bool)
    keep[odd] = False
    found: dict[str, list[_Found]] = {name: [part.only(keep)] for name, part in walked.items()}
    for row in odd.tolist():
        start = int(offsets[row])
        features = _parse(data[start : start + int(lengths[row])], path, first_record + row)
        if strict and (unknown := {n: f.kind for n, f in features.items() if n not in types and f.values}):
            raise UnknownFeatureError(unknown)
        for name, feature in features.items():
            if name in types and feature.values:
                _check_kind(feature, types[name], name, path, first_record + row)
                values = np.empty(len(feature.values), _DTYPES[feature.kind])
                values[:] = feature.values
                found[name].append(_Found(np.array([row]), np.array([len(values)]), values))
    return {name: _column(found[name], kind, len(offsets)) for name, kind in types.items()}


def _parse(record: bytes, path: Path, number: int) -> dict[str, ParsedFeature]:
    try:
        return parse_example(record)
    except MalformedExampleError as error:
        raise DataError(
            f"`{path}` record {number:,} is no tf.train.Example: {error}. Expected TFRecord data whose records are "
            "serialized tf.train.Example messages."
        ) from None


def _check_kind(feature: ParsedFeature, kind: str, name: str, path: Path, number: int) -> None:
    if feature.kind != kind:
        raise DataError(
            f"`{path}` record {number:,}: `{name}` is {feature.kind}, in the records before it is {kind}. "
            "Write the files with one type per feature."
        )


def _column(parts: list[_Found], kind: str, rows: int) -> Column:
    """Puts together what was found of one column, in the order of rows."""
    lengths = np.zeros(rows, np.int64)
    for part in parts:
        lengths[part.rows] = part.counts
    present = lengths > 0
    if (lengths <= 1).all():
        values = np.full(rows, b"", object) if kind == "BYTES" else np.zeros(rows, _DTYPES[kind])
        for part in parts:
            values[part.rows[part.counts == 1]] = part.values
        return Column(values, None if present.all() else present)
    starts = np.cumsum(lengths) - lengths
    values = np.empty(int(lengths.sum()), _DTYPES[kind])
    for part in parts:
        values[ragged_index(starts[part.rows], part.counts)] = part.values
    return Column(values, None if present.all() else present, lengths)


def ragged_index(starts: Ints, counts: Ints) -> Ints:
    """Returns the concatenation of `range(start, start + count)` for each pair."""
    total = int(counts.sum())
    ends = np.cumsum(counts)
    return np.arange(total) + np.repeat(starts - (ends - counts), counts)


class _Walk:
    """A cursor in each record."""

    def __init__(self, data: bytes, offsets: Ints, lengths: Ints):
        self._bytes = data
        # 16 zero bytes behind, so that looking ahead at the last record needs no special case.
        self._data = np.concatenate([np.frombuffer(data, np.uint8), np.zeros(16, np.uint8)])
        self._stop = offsets + lengths
        self.odd = np.zeros(len(offsets), bool)
        filled = lengths > 0
        size, start = self._varint(offsets + 1)
        whole = (self._data[offsets] == 0x0A) & (start + size == self._stop)
        self.odd |= filled & ~whole
        self._position = np.where(filled & whole, start, self._stop)

    def unfinished(self) -> Ints:
        """Returns the rows that hold something else than the columns taken, in their order."""
        self.odd |= self._position < self._stop
        return np.flatnonzero(self.odd)

    def take(self, name: str, kind: str) -> _Found:
        """Returns the values of a column in the rows where it stands next, and moves on behind it."""
        key = tagged(0x0A, name.encode()) + b"\x12"
        rows = np.flatnonzero((self._position < self._stop) & ~self.odd)
        at = self._position[rows]
        size, start = self._varint(at + 1)
        entry_stop = start + size
        fits = (self._data[at] == 0x0A) & (entry_stop <= self._stop[rows]) & (size > len(key))
        fits &= self._equal(start, key, fits)
        rows, at, entry_stop = rows[fits], start[fits] + len(key), entry_stop[fits]
        size, start = self._varint(at)
        empty = size == 0
        listed, content = self._varint(start + 1)
        good = (start + size == entry_stop) & (
            empty | (self._data[start] == FEATURE_TAGS[kind]) & (content + listed == entry_stop)
        )
        self.odd[rows[~good]] = True
        self._position[rows[good]] = entry_stop[good]
        some = good & ~empty & (listed > 0)
        rows, content, entry_stop = rows[some], content[some], entry_stop[some]
        size, start = self._varint(content + 1)
        whole = (self._data[content] == 0x0A) & (start + size <= entry_stop)
        packed = whole & (start + size == entry_stop)
        if kind == "FLOAT":
            packed &= (size > 0) & (size % 4 == 0)
        elif kind == "INT":
            packed &= (size > 0) & (self._data[np.minimum(start + size, len(self._data)) - 1] < 0x80)
        self.odd[rows[~packed]] = True
        rows, start, size = rows[packed], start[packed], size[packed]
        return {"BYTES": self._texts, "FLOAT": self._floats, "INT": self._ints}[kind](rows, start, size)

    def _varint(self, at: Ints) -> tuple[Ints, Ints]:
        """Returns the varint at each place (at most 5 bytes) and where it ends."""
        at = np.minimum(at, len(self._data) - 8)
        digit = self._data[at]
        value = (digit & 0x7F).astype(np.int64)
        end = at + 1
        rows = np.flatnonzero(digit >= 0x80)
        for place in range(1, 5):
            if not len(rows):
                break
            digit = self._data[at[rows] + place]
            value[rows] |= (digit & 0x7F).astype(np.int64) << (7 * place)
            end[rows] += 1
            rows = rows[digit >= 0x80]
        return value, end

    def _equal(self, at: Ints, expected: bytes, mask: Mask) -> Mask:
        """Returns where the bytes at `at` are the expected ones; only rows of `mask` are looked at."""
        result = mask.copy()
        rows = np.flatnonzero(mask)
        for place, byte in enumerate(expected):
            same = self._data[at[rows] + place] == byte
            if not same.all():
                result[rows[~same]] = False
                rows = rows[same]
                if not len(rows):
                    break
        return result

    def _floats(self, rows: Ints, start: Ints, size: Ints) -> _Found:
        counts = size // 4
        if not (counts == 1).all():
            start = ragged_index(np.zeros(len(rows), np.int64), counts) * 4 + np.repeat(start, counts)
        anywhere = np.ndarray((len(self._data) - 3,), "<f4", self._data, strides=(1,))
        return _Found(rows, counts, anywhere[start])

    def _ints(self, rows: Ints, start: Ints, size: Ints) -> _Found:
        if not len(rows):
            return _Found(rows, rows, rows)
        index = ragged_index(start, size)
        digits = self._data[index]
        last = digits < 0x80
        ends = np.flatnonzero(last)
        firsts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
        widths = ends - firsts + 1
        if widths.max(initial=0) > 10:
            self.odd[rows] = True  # no varint; the parser says so
            return _Found(rows[:0], rows[:0], rows[:0])
        place = np.arange(len(digits)) - np.repeat(firsts, widths)
        values = np.add.reduceat((digits & 0x7F).astype(np.uint64) << (place * 7).astype(np.uint64), firsts)
        stops = np.cumsum(size)
        before = np.concatenate([[0], np.cumsum(last)])
        return _Found(rows, before[stops] - before[stops - size], values.view(np.int64))

    def _texts(self, rows: Ints, start: Ints, size: Ints) -> _Found:
        data, values = self._bytes, np.empty(len(rows), object)
        values[:] = [data[a:b] for a, b in zip(start.tolist(), (start + size).tolist(), strict=True)]
        return _Found(rows, np.ones(len(rows), np.int64), values)
