"""Reads one column of many records at once.

A cursor in each record points to its next entry. An entry of a given size, written as usual, can begin in one way
only, because its lengths follow from its size. So a few comparisons of whole words show which records have the column
next, and where its values are. Records written in another way are left unread.

Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossnet.components.records.texts import chosen, sliced_texts
from crossnet.components.records.wire_format import FEATURE_TAGS, tagged
from crossnet.serving.protocol.varint import varint

_PADDING = 7  # bytes after the data, so that a whole word can be read at each of its bytes

_MAX_TABLE = 1 << 14  # a larger table takes longer than to sort the few thousand sizes of a batch
_MASKS = np.array([(1 << (8 * size)) - 1 for size in range(9)], np.uint64)
_HIGH_BITS = np.uint64(0x8080808080808080)
# How neighbours are joined: bytes of 7 bits to 14 bits, these to 28, these to 56.
_DIGIT_PAIRS = [
    (np.uint64(1), np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00)),
    (np.uint64(2), np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000)),
    (np.uint64(4), np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000)),
]

Ints = NDArray[np.int64]


class FoundColumn(NamedTuple):
    """Values of one column in some rows.

    Attributes:
      rows: int64 (found,), the numbers of these rows.
      counts: int64 (found,), how many values each has.
      values: float32 or int64 (NumPy), or texts (`crossnet.components.records.texts`): all values, row by row.
    """

    rows: Ints
    counts: Ints
    values: Any

    def without(self, rows: Ints) -> FoundColumn:
        """Returns what was found in other rows than these."""
        keep = ~np.isin(self.rows, rows)
        return FoundColumn(self.rows[keep], self.counts[keep], chosen(self.values, np.repeat(keep, self.counts)))


def ragged_index(starts: Ints, counts: Ints) -> Ints:
    """Returns the concatenation of `range(start, start + count)` for each pair."""
    ends = np.cumsum(counts)
    return np.arange(int(counts.sum())) + np.repeat(starts - (ends - counts), counts)


def entry_header(key: bytes, kind: str, size: int) -> bytes:
    """Returns the bytes of a map entry before its values: before packed numbers, or before the first text's tag.

    Args:
      key: The name as a tagged field, and the tag of the feature.
      kind: "FLOAT", "INT" or "BYTES".
      size: Bytes of the entry after its own tag and length.

    Returns:
      The bytes; b"" where an entry written as usual cannot have that size.
    """
    tag, start, rest = bytes([FEATURE_TAGS[kind]]), b"\x0a" + varint(size) + key, size - len(key)
    if rest == 1:
        return start + b"\0"  # a feature without a list
    if rest == 3:
        return start + b"\2" + tag + b"\0"  # an empty list
    for values in range(rest - 3, max(-1, rest - 15), -1):  # before them are two tags and two or three lengths
        packed = b"" if kind == "BYTES" else b"\x0a" + varint(values)
        listed = tag + varint(len(packed) + values) + packed
        feature = varint(len(listed) + values) + listed
        if len(feature) + values == rest:
            return b"" if kind == "FLOAT" and values % 4 else start + feature
    return b""


def distinct(sizes: Ints) -> tuple[Ints, Ints]:
    """Returns the distinct ones, ascending, and which of them each is, as `numpy.unique` does, which sorts."""
    most = int(sizes.max(initial=0))
    if most >= _MAX_TABLE:
        return np.unique(sizes, return_inverse=True)
    found = np.zeros(most + 1, bool)
    found[sizes] = True
    return np.flatnonzero(found), (np.cumsum(found) - 1)[sizes]


def _joined_digits(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns the integers whose varints, of at most eight bytes, these words hold."""
    for bits, low, high in _DIGIT_PAIRS:
        words = (words & low) | ((words & high) >> bits)
    return words


class Cursors:
    """The next byte to read in each record.

    Args:
      data: Bytes with records in them.
      offsets, lengths: Where each record begins, and how many bytes it has; int64 (rows,).
    """

    def __init__(self, data: bytes, offsets: Ints, lengths: Ints):
        self._data = data + bytes(_PADDING)
        self._bytes = np.frombuffer(self._data, np.uint8)
        # The word and the float at each byte, not at each eighth or fourth.
        self._words = np.ndarray((len(data),), "<u8", self._data, strides=(1,))
        self._floats = np.ndarray((len(data),), "<f4", self._data, strides=(1,))
        self._stop = offsets + lengths
        size, start = self._varints(offsets + 1)
        one_message = (self._bytes[offsets] == 0x0A) & (start + size == self._stop)
        self._position = np.where(one_message, start, offsets)
        self._unusual = np.zeros(len(offsets), bool)

    def unread(self) -> Ints:
        """Returns the rows that hold anything but the columns taken, int64, ascending."""
        return np.flatnonzero(self._unusual | (self._position < self._stop))

    def take(self, name: str, kind: str) -> FoundColumn:
        """Returns the values of a column in the rows that have it next, and moves their cursors behind it."""
        key = tagged(0x0A, name.encode()) + b"\x12"
        rows = np.flatnonzero(self._position < self._stop)
        at = self._position[rows]
        size, start = self._varints(at + 1)
        stop = start + size
        sizes, which = distinct(size)
        headers = [entry_header(key, kind, n) for n in sizes.tolist()]
        start = at + np.array([len(header) for header in headers], np.int64)[which]
        here = (start > at) & (stop <= self._stop[rows]) & self._equal(at, headers, which)
        self._position[rows[here]] = stop[here]
        filled = here & (start < stop)
        if not filled.all():
            rows, start, stop = rows[filled], start[filled], stop[filled]
        if kind == "FLOAT":
            return self._take_floats(rows, start, stop)
        return self._take_integers(rows, start, stop) if kind == "INT" else self._take_texts(rows, start, stop)

    def _equal(self, at: Ints, expected: list[bytes], which: Ints) -> NDArray[np.bool_]:
        """Returns where the bytes at `at` are the expected ones: `expected[which]`."""
        words = 1 + max(map(len, expected), default=0) // 8
        table, masks = (
            np.array(rows, f"S{8 * words}").view("<u8").reshape(-1, words).T
            for rows in (expected, [b"\xff" * len(header) for header in expected])
        )
        equal = np.ones(len(at), bool)
        for place, (word, mask) in enumerate(zip(table, masks, strict=True)):
            if mask.any():
                found = self._words[np.minimum(at + 8 * place, len(self._words) - 1)]
                # Where all entries have one size, a number is compared, not an array.
                equal &= (found & mask) == word if len(expected) == 1 else (found & mask[which]) == word[which]
        return equal

    def _varints(self, at: Ints) -> tuple[Ints, Ints]:
        """Returns the varint at each offset and where it ends; one of more than 4 bytes gives at least 2 ** 28."""
        value = self._bytes[at].astype(np.int64)
        end = at + 1
        rows = np.flatnonzero(value >= 0x80)
        for place in range(1, 4):
            digit = self._bytes[end[rows]].astype(np.int64)
            value[rows] += (digit - 1) << (7 * place)  # 1 less, for the high bit of the byte before
            end[rows] += 1
            rows = rows[digit >= 0x80]
        return value, end

    def _take_floats(self, rows: Ints, start: Ints, stop: Ints) -> FoundColumn:
        if (stop - start == 4).all():
            return FoundColumn(rows, np.ones_like(rows), self._floats[start])
        counts = (stop - start) // 4
        steps = ragged_index(np.zeros_like(start), counts)
        return FoundColumn(rows, counts, self._floats[np.repeat(start, counts) + 4 * steps])

    def _take_integers(self, rows: Ints, start: Ints, stop: Ints) -> FoundColumn:
        widths = stop - start
        if len(rows) and widths.max() <= 8:
            words, masks = self._words[start], _MASKS[widths]
            if (words & _HIGH_BITS & masks == _HIGH_BITS & (masks >> np.uint64(8))).all():  # one integer in each row
                return FoundColumn(rows, np.ones_like(rows), _joined_digits(words & masks).view(np.int64))
        digits = self._bytes[ragged_index(start, stop - start)]
        row_ends = np.cumsum(stop - start) - 1
        last = digits < 0x80  # of its integer
        ends = np.flatnonzero(last) + 1
        widths = np.diff(ends, prepend=0)
        if not last[row_ends].all() or (widths > 10).any():  # the parser finds the record that is wrong
            self._unusual[rows] = True
            nothing = rows[:0]
            return FoundColumn(nothing, nothing, nothing)
        shifts = 7 * ragged_index(np.zeros_like(ends), widths)
        parts = (digits & 0x7F).astype(np.uint64) << shifts.astype(np.uint64)
        values = np.add.reduceat(parts, ends - widths)
        return FoundColumn(rows, np.diff(np.cumsum(last)[row_ends], prepend=0), values.view(np.int64))

    def _take_texts(self, rows: Ints, start: Ints, stop: Ints) -> FoundColumn:
        """Takes the first text of each list, then the second of each that has one, and so on."""
        found = [(rows[:0], start[:0], stop[:0])]
        while len(rows):
            size, first = self._varints(start + 1)
            last = first + size
            good = (self._bytes[start] == 0x0A) & (last <= stop)
            self._unusual[rows[~good]] = True
            found.append((rows[good], first[good], last[good]))
            more = good & (last < stop)
            rows, start, stop = rows[more], last[more], stop[more]
        if len(found) == 2:  # no row has a second one
            rows, first, last = found[1]
            return FoundColumn(rows, np.ones_like(rows), sliced_texts(self._data, first, last))
        rows, first, last = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(rows, kind="stable")
        return FoundColumn(*np.unique(rows, return_counts=True), sliced_texts(self._data, first[order], last[order]))
