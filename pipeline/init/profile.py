"""Reads all rows of a table once and summarises its columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.clock import HHMMSS, ClockTimes
from crossnet.components.hashing import hash_texts, mix
from crossnet.components.sources.sentinels import Extremes
from crossnet.pipeline.init.cell_counts import CellCounts
from crossnet.pipeline.init.value_sample import ValueSample, facts_of

UP, DOWN = "up", "down"
_SAMPLED_VALUES, _MIN_SAMPLE, _MAX_SAMPLE = 200_000, 256, 4096  # of all columns, 48 bytes each; of one


@dataclass
class ColumnProfile:
    """What all rows of a column show.

    Attributes:
      rows, holes: Rows, and rows without a value.
      cells: The forms of its cells, where they are text.
      sample: Its values.
      is_list: Whether rows hold lists; then the rest says nothing.
      has_several: Whether one of these holds several values.
      nan, infinite: NaN among numbers that are not text, and infinite numbers.
      least, most: Of its numbers, or moments in Unix seconds.
      row_hashes: Of the last batch's values, uint64 (rows,); None where they are lists.
      extremes: Those of its numbers that may stand for nothing, and the ends of the others.
      clock, clock_seconds: Which of its numbers are times of day hhmm, or hhmmss.
      order: "up" or "down" where the numbers or moments never fall or never rise; "" otherwise.
    """

    rows: int = 0
    holes: int = 0
    nan: int = 0
    infinite: int = 0
    is_list: bool = False
    has_several: bool = False
    cells: CellCounts = field(default_factory=CellCounts)
    sample: ValueSample = field(default_factory=ValueSample)
    extremes: Extremes = field(default_factory=Extremes)
    clock: ClockTimes = field(default_factory=ClockTimes)
    clock_seconds: ClockTimes = field(default_factory=lambda: ClockTimes(HHMMSS))
    least: float = math.inf
    most: float = -math.inf
    row_hashes: NDArray[np.uint64] | None = None
    _last: float = math.nan
    _may_rise: bool = True
    _may_fall: bool = True

    @property
    def order(self) -> str:
        """Whether its numbers only rise ("up") or fall ("down"); "" where they do neither, or are all equal."""
        if not self.least < self.most or self._may_rise == self._may_fall:
            return ""
        return UP if self._may_rise else DOWN

    @property
    def is_daytime(self) -> bool:
        """Whether its numbers are times of day, and so many that they are not so by chance."""
        return self.clock.found or self.clock_seconds.found

    @property
    def may_be_key(self) -> bool:
        """Whether no value occurred twice so far, and values are text or whole numbers."""
        forms = self.cells.forms
        is_code = forms["number"] == forms["whole"] if self.cells.cells else float(self.least).is_integer()
        return not self.is_list and not self.holes and not self.sample.repeated and is_code

    def update(self, array: pa.Array, labels: NDArray[np.float64], place: tuple[int, int]) -> NDArray[np.float64]:
        """Adds a batch and returns its numbers, float64 (rows,), NaN where a row has none.

        Args:
          array: Its values: text, or numbers; null where there is none.
          labels: The label of each row, NaN where it has none, float64 (rows,).
          place: The unit of the batch, and the number of its first row in it.
        """
        self.rows += len(array)
        self.holes += array.null_count
        if pa.types.is_nested(array.type):
            self.is_list, self.row_hashes = True, None
            self.has_several |= bool(pc.any(pc.greater(pc.list_value_length(array), 1)).as_py())
            return np.full(len(array), np.nan)
        coded = array.dictionary_encode()
        indices = coded.indices
        if array.null_count:
            present = array.is_valid().to_numpy(zero_copy_only=False)
            rows_of = np.flatnonzero(present)
            labels, indices = labels[present], indices.drop_null()
        else:
            rows_of = np.arange(len(array))
        indices, unique = indices.to_numpy(zero_copy_only=False), coded.dictionary
        self.row_hashes = np.zeros(len(array), np.uint64)
        if not len(unique):
            return np.full(len(array), np.nan)
        counts = np.bincount(indices, minlength=len(unique))
        if pa.types.is_binary(unique.type) or pa.types.is_string(unique.type):
            offsets, data = _offsets(unique)
            hashes = hash_texts(offsets, data)
            first = _first_rows(indices, len(unique))
            values = self.cells.update(as_text(unique), counts, rows_of[first], place)
        else:
            exact = unique.to_numpy(zero_copy_only=False)
            values = exact.astype(np.float64)
            self.nan += int(counts[np.isnan(values)].sum())
            # float64 does not hold each whole number: those beyond 2^53 would seem to be equal.
            hashes = mix((exact.astype(np.int64) if exact.dtype.kind == "i" else values).view(np.uint64))
        values = as_float32(values)
        self.sample.update(hashes, facts_of(indices, len(unique), labels, values))
        self.row_hashes[rows_of] = mix(hashes + np.uint64(1))[indices]
        numbers = np.full(len(array), np.nan)
        finite = np.isfinite(values)
        if finite.any():
            self.extremes.add_values(values, counts)
            self.clock.add(values[finite])
            self.clock_seconds.add(values[finite])
            numbers[rows_of] = values[indices]
            self._update_order(values, numbers, finite)
        self.infinite += int(counts[np.isinf(values)].sum())
        return numbers

    def _update_order(
        self, values: NDArray[np.float64], numbers: NDArray[np.float64], finite: NDArray[np.bool_]
    ) -> None:
        self.least = min(self.least, float(values[finite].min()))
        self.most = max(self.most, float(values[finite].max()))
        if not (self._may_rise or self._may_fall):
            return
        numbers = numbers[np.isfinite(numbers)]
        steps = np.diff(numbers, prepend=numbers[0] if math.isnan(self._last) else self._last)
        self._may_rise = self._may_rise and bool((steps >= 0).all())
        self._may_fall = self._may_fall and bool((steps <= 0).all())
        self._last = float(numbers[-1])


@dataclass
class LabelProfile:
    """What all rows of the label show.

    Attributes:
      count: Rows with a finite number.
      mean, squares: Their mean, and the sum of squared distances from it.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @property
    def variance(self) -> float:
        """The population's variance."""
        return self.squares / self.count if self.count else 0.0

    def update(self, labels: NDArray[np.float64]) -> None:
        """Adds labels, float64 (rows,), NaN where there is none (Chan, Golub and LeVeque, 1983)."""
        labels = labels[np.isfinite(labels)]
        if not len(labels):
            return
        mean = float(labels.mean())
        total, distance = self.count + len(labels), mean - self.mean
        self.squares += float(((labels - mean) ** 2).sum()) + distance * distance * self.count * len(labels) / total
        self.mean += distance * len(labels) / total
        self.count = total


@dataclass
class TableProfile:
    """What all rows of a table show.

    Attributes:
      columns: By source name.
      label: The label's source name.
      numbers: The label's numbers.
      whole_rows: Rows with all of their columns.
      keys: Columns of text and whole numbers in whose first rows no value occurs twice.
      rows_but_keys: Rows without the columns in `keys`.
    """

    columns: dict[str, ColumnProfile]
    label: str
    numbers: LabelProfile = field(default_factory=LabelProfile)
    whole_rows: ValueSample = field(default_factory=ValueSample)
    keys: tuple[str, ...] = ()
    rows_but_keys: ValueSample = field(default_factory=ValueSample)

    @property
    def rows(self) -> int:
        """Rows read."""
        return self.columns[self.label].rows


def profile_table(
    batches: Iterable[tuple[int, int, Mapping[str, pa.Array]]], names: Sequence[str], label: str
) -> TableProfile:
    """Returns the profile of a table.

    Args:
      batches: The unit, the number of the first row in it, and the columns by source name.
      names: The source names.
      label: One of them.
    """
    size = min(max(_SAMPLED_VALUES // max(len(names), 1), _MIN_SAMPLE), _MAX_SAMPLE)
    table = TableProfile({name: ColumnProfile(sample=ValueSample(size)) for name in names}, label)
    shift = math.nan
    for unit, row, columns in batches:
        none = np.full(len(columns[label]), np.nan)
        labels = table.columns[label].update(columns[label], none, (unit, row))
        table.numbers.update(labels)
        finite = labels[np.isfinite(labels)]
        if math.isnan(shift) and len(finite):
            shift = float(finite.mean())  # squares of numbers far from 0 lose their differences
        for name, column in table.columns.items():
            if name != label:
                column.update(columns[name], labels - shift, (unit, row))
        if table.rows == len(labels):
            table.keys = tuple(name for name, column in table.columns.items() if name != label and column.may_be_key)
        _add_rows(table, labels)
    return table


def _add_rows(table: TableProfile, labels: NDArray[np.float64]) -> None:
    whole, but_keys = np.zeros((2, len(labels)), np.uint64)
    for number, (name, column) in enumerate(table.columns.items(), 1):
        if column.row_hashes is not None:
            place = mix(np.array([number], np.uint64))  # equal values in two columns are not the same
            hashes = mix(column.row_hashes ^ place)
            whole += hashes
            if name not in table.keys:
                but_keys += hashes
    facts = np.zeros((len(labels), 5))
    facts[:, 0] = 1
    table.whole_rows.update(mix(whole), facts)
    table.rows_but_keys.update(mix(but_keys), facts)


def as_float32(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns numbers with an infinite one for each that float32 cannot hold: a run reads it so."""
    with np.errstate(over="ignore"):
        return np.where(np.isinf(values.astype(np.float32)), np.copysign(np.inf, values), values)


def _first_rows(indices: NDArray[Any], size: int) -> NDArray[Any]:
    """Returns the first row of each value, (size,)."""
    first = np.empty(size, np.int64)
    first[indices[::-1]] = np.arange(len(indices))[::-1]
    return first


def _offsets(array: pa.Array) -> tuple[NDArray[Any], Any]:
    _, offsets, data = array.buffers()
    return np.frombuffer(offsets, np.int32, len(array) + 1, 4 * array.offset), data if data is not None else b""


def as_text(array: pa.Array) -> pa.Array:
    """Returns bytes as text; what is not UTF-8 has U+FFFD in its place."""
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([value.decode(errors="replace") for value in array.cast(pa.binary()).to_pylist()], pa.string())
