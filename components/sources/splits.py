"""Decides which rows are eval rows.

order     the last ones, once the number of rows is known
random    by the row's place in the source and the seed
hash      by the row's content: equal rows are in one split
key       by one column's content: no key is in two splits; rows without a key stay together
time      from a moment on, or the newest share of all rows
folders   as given

A row keeps its split when rows are appended, except where the rule is a share of all rows: `order`, and
`time` without `split_time`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crossnet.components.hashing import Hashes, mix
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.records.wire_format import is_list
from crossnet.components.sources.base import SourceBatch
from crossnet.components.sources.time_split import time_values

SPLITS = ("train", "eval")
TRAIN, EVAL = range(2)  # a split's code: its place in SPLITS

_MISSING = 0x6D697373696E67  # the hash of a missing value; any number would do


@dataclass(frozen=True)
class Splitter:
    """Separates eval rows from train rows.

    Attributes:
      params: The rule.
      eval_units: `folders`: the units that are eval.
      cut: `time`: rows from this moment (or number) on are eval.
    """

    params: ExampleGenParams
    eval_units: frozenset[int] = frozenset()
    cut: float | None = None

    @property
    def by_order(self) -> bool:
        """Whether the split of a row is known only when all rows are counted."""
        return self.params.split == "order"

    def codes(self, batch: SourceBatch) -> NDArray[np.uint8]:
        """Returns uint8 (rows,): the code of each row's split; `TRAIN` for all where the rule is `order`."""
        return np.where(self._is_eval(batch), np.uint8(EVAL), np.uint8(TRAIN))

    def _is_eval(self, batch: SourceBatch) -> NDArray[np.bool_]:
        rows = batch.rows.num_rows
        rule = self.params.split
        if rule == "random":
            numbers = np.arange(batch.first_row, batch.first_row + rows, dtype=np.uint64)
            place = mix(np.full(1, batch.unit, np.uint64) + mix(np.full(1, self.params.seed, np.uint64)))
            return self._is_below(mix(numbers ^ place))
        if rule == "hash":
            return self._is_below(hash_rows(batch.rows))
        if rule == "key":
            assert batch.key is not None
            return self._is_below(mix(hash_values(batch.key)))
        if rule == "time":
            assert batch.key is not None
            assert self.cut is not None
            return time_values(batch.key) >= self.cut
        if rule == "folders":
            return np.full(rows, batch.unit in self.eval_units)
        return np.zeros(rows, bool)

    def _is_below(self, hashes: Hashes) -> NDArray[np.bool_]:
        return hashes < np.uint64(int(self.params.eval_fraction * 2**64))


def hash_rows(rows: pa.RecordBatch) -> Hashes:
    """Returns a hash of each row's content that does not depend on the order of columns."""
    total = np.zeros(rows.num_rows, np.uint64)
    with np.errstate(over="ignore"):
        for name, array in zip(rows.schema.names, rows.columns, strict=True):
            total += mix(hash_values(array) ^ np.uint64(_hash_text(name.encode())))
    return mix(total)


def hash_values(array: pa.Array) -> Hashes:
    """Returns a uint64 for each value: the same for equal numbers, int64 or float32, and for equal bytes.

    So a row keeps its split when a later row turns an integer column into floats (below 2**24, where float32 is
    exact). A missing value has a number of its own.
    """
    if is_list(array.type):
        return np.array([_hash_text(repr(value).encode()) for value in array.to_pylist()], np.uint64)
    if pa.types.is_floating(array.type) or pa.types.is_integer(array.type):
        values = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
        values = np.where(np.isnan(values), np.nan, values + 0.0)  # one NaN, no -0
        numbers: Any = values.view(np.uint64)
    else:
        encoded = array.dictionary_encode()
        distinct = [0 if value is None else _hash_text(value) for value in encoded.dictionary.to_pylist()]
        codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
        numbers = np.array(distinct or [0], np.uint64)[codes]
    if array.null_count:
        numbers = np.where(array.is_null().to_numpy(zero_copy_only=False), np.uint64(_MISSING), numbers)
    return np.asarray(numbers, np.uint64)


def num_eval_rows(rows: int, fraction: float) -> int:
    """Returns how many of `rows` are eval in the `order` split: at least one, never all."""
    return min(max(round(rows * fraction), 1), rows - 1) if rows > 1 else 0


def _hash_text(value: bytes) -> int:
    return int(google_crc32c.value(value)) << 32 | zlib.crc32(value)
