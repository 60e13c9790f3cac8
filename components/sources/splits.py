"""Decides which rows are eval rows.

order     the last ones, once the number of rows is known
random    by the row's place in the source and the seed
hash      by the content of the source's row, written or not: equal rows are in one split
key       by one column's content: no key is in two splits; rows without a key stay together
time      from a moment on, or the newest share of all rows
folders   as given

A row keeps its split when rows are appended, except where the rule is a share of all rows: `order`, and
`time` without `split_time`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.hashing import Hashes, hash_lists, hash_texts, mix
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.records.texts import as_texts, text_buffers
from crossnet.components.records.wire_format import is_list
from crossnet.components.sources.base import SourceBatch
from crossnet.components.sources.time_split import time_values

SPLITS = ("train", "eval")
TRAIN, EVAL = range(2)  # a split's code: its place in SPLITS

_MISSING = np.uint64(0x6D697373696E67)  # the hash of a missing value; any number would do
_32_BITS = (pa.date32(), pa.time32("s"), pa.time32("ms"))


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
            return self._is_below(row_hashes(batch))
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


def row_hashes(batch: SourceBatch) -> Hashes:
    """Returns a hash of each row of the source, uint64 (rows,): of its cells as the source spells them.

    So it does not depend on which columns are written, under which name and as which type.
    """
    return hash_rows(batch.rows if batch.cells is None else batch.cells)


def hash_rows(rows: pa.RecordBatch) -> Hashes:
    """Returns a hash of each row's content that does not depend on the order of columns, nor on missing values."""
    total = np.zeros(rows.num_rows, np.uint64)
    for name, array in zip(rows.schema.names, rows.columns, strict=True):
        own = mix(hash_values(array) ^ _hash_name(name))
        if array.null_count:
            own[array.is_null().to_numpy(zero_copy_only=False)] = 0
        total += own
    return mix(total)


def hash_values(array: pa.Array) -> Hashes:
    """Returns a uint64 for each value: the same for equal numbers, int64 or float64, and for equal bytes.

    A missing value has a number of its own. The hashes are the same in every process and on every machine.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if pa.types.is_decimal(kind):
        array = array.cast(pa.float64())
    elif pa.types.is_boolean(kind) or (pa.types.is_temporal(kind) and not pa.types.is_interval(kind)):
        array = array.cast(pa.int32() if kind in _32_BITS else pa.int64())
    if is_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        numbers = hash_lists(hash_values(array.flatten()), lengths)
    elif pa.types.is_floating(array.type) or pa.types.is_integer(array.type):
        values = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
        numbers = np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)  # one NaN, no -0
    else:
        numbers = hash_texts(*text_buffers(_as_bytes(array)))
    if array.null_count:
        numbers = np.where(array.is_null().to_numpy(zero_copy_only=False), _MISSING, numbers)
    return numbers


def _as_bytes(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return array
    if pa.types.is_string(kind):
        return array.view(pa.binary())
    if pa.types.is_large_string(kind):
        return array.view(pa.large_binary())
    return as_texts(
        repr(value).encode() for value in array.to_pylist()
    )  # structs, maps: rare, so that speed is not all


def _hash_name(name: str) -> np.uint64:
    text = name.encode()
    return np.uint64(hash_texts(np.array([0, len(text)]), text)[0])


def num_eval_rows(rows: int, fraction: float) -> int:
    """Returns how many of `rows` are eval in the `order` split: at least one, never all."""
    return min(max(round(rows * fraction), 1), rows - 1) if rows > 1 else 0
