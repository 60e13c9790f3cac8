"""Decides which rows are for training, for eval and for the test.

order     the last ones are eval, and those after them test, once the number of rows is known
random    by the row's place in the source and the seed
hash      by the content of the source's row, written or not: equal rows are in one split
key       by one column's content: no key is in two splits; rows without a key stay together
time      eval from a moment on, or the newest share of all rows; test the newest share
folders   as given

A row keeps its split when rows are appended, except where the rule is a share of all rows: `order`, and
`time` without `split_time`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.errors import DataError
from crossnet.components.hashing import Hashes, hash_lists, hash_texts, mix
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.records.texts import as_texts, text_buffers
from crossnet.components.records.wire_format import is_list
from crossnet.components.sources.base import SourceBatch
from crossnet.components.sources.strata import Strata
from crossnet.components.sources.time_split import time_values

SPLITS = ("train", "eval", "test")
TRAIN, EVAL, TEST = range(3)  # a split's code: its place in SPLITS

_MISSING = np.uint64(0x6D697373696E67)  # the hash of a missing value; any number would do
_32_BITS = (pa.date32(), pa.time32("s"), pa.time32("ms"))


@dataclass(frozen=True)
class Splitter:
    """Separates the rows of the splits.

    Attributes:
      params: The rule.
      unit_codes: `folders`: the split's code of each unit.
      cuts: `time`: rows from the first moment (or number) on are eval, those from the second on test.
      strata: `random` and `hash`: ranges of the label to split evenly; None: rows are split whatever their label.
    """

    params: ExampleGenParams
    unit_codes: tuple[int, ...] = ()
    cuts: tuple[float, float] = (math.inf, math.inf)
    strata: Strata | None = None

    @property
    def by_order(self) -> bool:
        """Whether the split of a row is known only when all rows are counted."""
        return self.params.split == "order"

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that there are: train, eval and, where the settings or folders say so, test."""
        return SPLITS if self.params.test_fraction or TEST in self.unit_codes else SPLITS[:TEST]

    def codes(self, batch: SourceBatch) -> NDArray[np.uint8]:
        """Returns uint8 (rows,): the code of each row's split; `TRAIN` for all where the rule is `order`."""
        rows = batch.rows.num_rows
        rule = self.params.rule
        if rule in ("random", "hash", "key"):
            return self._by_hash(batch)
        if rule == "time":
            assert batch.key is not None
            times = time_values(batch.key, self.params.split_form)
            return _codes(times >= self.cuts[0], times >= self.cuts[1])
        return np.full(rows, self.unit_codes[batch.unit] if rule == "folders" else TRAIN, np.uint8)

    def hashes(self, batch: SourceBatch) -> Hashes:
        """Returns the number of each row, uint64 (rows,), by which `random`, `hash` and `key` choose its split."""
        if self.params.rule == "random":
            numbers = np.arange(batch.first_row, batch.first_row + batch.rows.num_rows, dtype=np.uint64)
            place = mix(np.full(1, batch.unit, np.uint64) + mix(np.full(1, self.params.seed, np.uint64)))
            return mix(numbers ^ place)
        if self.params.rule == "hash":
            return row_hashes(batch)
        assert batch.key is not None
        return mix(hash_values(batch.key))

    def _by_hash(self, batch: SourceBatch) -> NDArray[np.uint8]:
        """Returns the codes: eval has the lowest hashes, so that no row leaves it for a larger share or for test."""
        hashes = self.hashes(batch)
        first: Any = np.uint64(int(self.params.eval_fraction * 2**64))
        last: Any = first + np.uint64(int(self.params.test_fraction * 2**64))
        if self.strata is not None:
            labels = batch.rows.column(self.strata.label)
            first, last = self.strata.bounds_of(labels.to_numpy(zero_copy_only=False))
        return _codes(hashes < first, (hashes >= first) & (hashes < last))


def _codes(is_eval: NDArray[np.bool_], is_test: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(is_test, np.uint8(TEST), np.where(is_eval, np.uint8(EVAL), np.uint8(TRAIN)))


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


def order_counts(rows: int, eval_fraction: float, test_fraction: float) -> dict[str, int]:
    """Returns how many of `rows` are in each split of the `order` rule: at least one where there are enough rows."""
    test = min(max(round(rows * test_fraction), 1), rows - 2) if test_fraction and rows > 2 else 0
    evaluation = min(max(round(rows * eval_fraction), 1), rows - test - 1) if rows > 1 else 0
    return {"train": rows - test - evaluation, "eval": evaluation, "test": test}


def check_counts(counts: Mapping[str, int], params: ExampleGenParams, files: Sequence[Path]) -> None:
    """Checks that every split has rows.

    Raises:
      DataError: One has none; it names the split and the settings that change that.
    """
    total = sum(counts.values())
    empty = next((split for split, rows in counts.items() if not rows), None)
    if empty is None:
        return
    where = f" of {', '.join(f'`{path.name}`' for path in files[:3])}" if files else ""
    rows = f"the {total:,} rows" if total > 1 else "the only row"
    were = "were" if total > 1 else "was"
    share = f"example_gen.{'test' if empty == 'test' else 'eval'}_fraction"
    if total < len(counts):
        remedy = f"Expected at least {len(counts)} rows; name files with more rows in `example_gen.input`"
    elif params.split == "folders":
        remedy = f"Put files with rows into {empty}/"
    elif params.split == "time" and params.split_time:
        remedy = f"Set another `example_gen.split_time`; it is '{params.split_time}'"
    elif params.rule == "key":
        setting = "split_column" if params.split_column else "group"
        remedy = f"`{params.key_column}` has few values: set another `{share}` or `example_gen.{setting}`"
    elif params.split == "time":
        more = "Lower" if empty == "train" else "Raise"
        remedy = f'{more} `{share}`, or set `example_gen.split = "hash"`: rows of one time are in one split'
    else:
        more = "Lower" if empty == "train" else "Raise"
        remedy = f'{more} `{share}`, or set `example_gen.split = "order"`, which takes the last rows'
    raise DataError(
        f"`{empty}` has no rows: {rows}{where} {were} split by `{params.rule}` into "
        f"{', '.join(f'{count:,} for {split}' for split, count in counts.items())}. {remedy}."
    )
