"""Reads a split's rows as the network sees them.

They are arrays in memory, or in files where they do not fit.
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from crossnet.components.artifacts.examples import Examples
from crossnet.components.features import Feature
from crossnet.components.networks.preprocessing import Transform
from crossnet.components.records.row_blocks import RowBlocks
from crossnet.components.training.disk_array import MANY_ROWS, DiskArray, growing, grown, joined
from crossnet.components.training.order import Order, Piece, WindowedOrder, epoch_order
from crossnet.components.training.sharing import Sharing
from crossnet.components.training.weighing import Weighing

READ_ROWS = 10_000
# Of the rows that are handed over at once: they are copied by the shuffle and again for TensorFlow, while the next ones
# are fetched. At 40 bytes a row that is 100 batches of 1,000.
HANDED_BYTES = 4 << 20

Values = npt.NDArray[Any] | DiskArray


class Chunk(NamedTuple):
    """Some rows, one after the other in an order; `Rows` says what they hold."""

    first: int
    inputs: tuple[npt.NDArray[Any], ...]
    label: npt.NDArray[np.float32]
    fold: npt.NDArray[np.int32] | None
    weight: npt.NDArray[np.float32] | None = None


@dataclass
class Rows:
    """Rows after preprocessing.

    Attributes:
      inputs: The network's: numbers float32 `(rows, numbers)` and ids int64 `(rows, categories)`, where there are any.
        Arrays, or where rows do not fit in memory, what gives arrays of the rows that it is asked for.
      label: float32 `(rows,)`, normalised as the network learns it; likewise.
      chunk: Rows that are handed over at once, some `HANDED_BYTES`; fewer where `cache_mib` is lower.
      fold: int32 `(rows,)`: each row is held out by the member of this number, if there is one; of many rows in a file.
        None: by no member.
      weight: float32 `(rows,)`, above 0 and 1 in the mean: rows of weight 0 are not among the rows; of many rows in a
        file. None: all are 1.
      place: int64 `(rows,)`: their places among the rows that were read, where some of these weigh 0; likewise. None:
        0, 1, 2, ...
      folder: Where files go of what many rows have beside these. None: it is kept in memory.
      blocks: Which rows of the split were read. None: all.
      units: uint64 `(rows,)`: what each row belongs to, where folds are held out; of many rows in a file.
    """

    inputs: tuple[Values, ...]
    label: Values
    chunk: int
    fold: Values | None = None
    weight: Values | None = None
    place: Values | None = None
    folder: Path | None = None
    blocks: RowBlocks | None = None
    units: Values | None = None
    _held: list[tuple[Values, list[int], Values | None]] = field(default_factory=list, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.label)

    @property
    def whole(self) -> int:
        """How many rows there are, also where others have some of them."""
        return len(self)

    def updates(self, batch_size: int) -> int:
        """Returns how many batches a pass has."""
        return -(-self.whole // batch_size)

    def batch(self, number: int, batch_size: int) -> tuple[int, int]:
        """Returns the first position of a batch in a pass's order, and the one after its last."""
        return number * batch_size, min((number + 1) * batch_size, len(self))

    def order(self, window: int, seed: int, epoch: int) -> Order:
        """Returns an epoch's random order of these rows; the arguments are those of `epoch_order`."""
        return epoch_order(len(self), window, seed, epoch)

    def places(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Returns the places of rows in the split, int64 (rows,)."""
        read = rows if self.place is None else self.place[rows]
        return read if self.blocks is None else self.blocks.places(read)

    def ranks(self, first: int, last: int) -> npt.NDArray[np.int64]:
        """Returns the places of the rows `first` to `last - 1` among all that weigh more than 0, int64 (rows,)."""
        return np.arange(first, last)

    @property
    def total_weight(self) -> float:
        """The weight of all rows, also of those that others have; without weights their number."""
        if self.weight is None:
            return len(self)
        return sum(float(part.sum(dtype=np.float64)) for _, part in slices_of(self.weight))

    @property
    def row_bytes(self) -> int:
        """What inputs and label of a row take."""
        return sum(part.dtype.itemsize * math.prod(part.shape[1:]) for part in (*self.inputs, self.label))

    def batch_weights(self, batch_size: int, order: Order | None = None) -> npt.NDArray[Any]:
        """Returns the weight of each batch of a pass in this order, (batches,); without weights its number of rows."""
        count = len(self)
        if self.weight is None:
            return np.minimum(batch_size, count - np.arange(0, count, batch_size))
        step, found = max(1, MANY_ROWS // batch_size) * batch_size, [np.zeros(0)]
        for first in range(0, count, step):
            rows = slice(first, first + step)
            part = self.weight[rows if order is None else order[rows]].astype(np.float64)
            found.append(np.add.reduceat(part, np.arange(0, len(part), batch_size)))
        return np.concatenate(found)

    def file_for(self, name: str) -> Path | None:
        """Returns the path of a file for what each row has; None where it is kept in memory."""
        return None if self.folder is None or len(self) <= MANY_ROWS else self.folder / f"{name}.bin"

    def places_in(self, folds: npt.ArrayLike) -> Values | None:
        """Returns the rows of some folds, ascending, int64, as an order for `chunks`; None where these are all rows."""
        assert self.fold is not None
        wanted = np.unique(folds).tolist()
        for fold, known, places in self._held:
            if fold is self.fold and known == wanted:
                return places
        found = (np.flatnonzero(np.isin(part, wanted)) + first for first, part in slices_of(self.fold))
        places = joined(found, self.file_for(f"held_out_{len(self._held)}"))
        self._held.append((self.fold, wanted, places if len(places) < len(self) else None))
        return self._held[-1][2]

    def fold_weights(self) -> npt.NDArray[np.float64]:
        """Returns the weight of the rows of each fold, (folds,), up to the last that has rows."""
        assert self.fold is not None
        total = np.zeros(0)
        for first, part in slices_of(self.fold):
            weight = None if self.weight is None else self.weight[first : first + len(part)]
            found = np.bincount(part, weight).astype(np.float64)
            size = max(len(total), len(found))
            total = np.pad(total, (0, size - len(total))) + np.pad(found, (0, size - len(found)))
        return total

    def hold_out(self, fold: Values, count: int) -> None:
        """Takes the fold of each row, of `count` folds."""
        self.fold = fold

    def total(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Returns the sums over all rows, (sums,), of those over the rows that are here."""
        return sums

    def chunks(
        self, batch_size: int, order: Order | DiskArray | None = None, *, single: bool = False, first: int = 0
    ) -> Iterator[Chunk]:
        """Yields the rows chunk by chunk, each a whole number of batches (but the last).

        A thread fetches the next chunk while the caller uses this one.

        Args:
          batch_size: Rows per batch.
          order: Rows, each once, as numbers, also in a file, or window by window; None: all of them, as recorded.
          single: Whether each chunk is one batch.
          first: The place in the order to begin at.
        """
        step = batch_size if single else max(1, self.chunk // batch_size) * batch_size
        count = len(self) if order is None else len(order)
        return self.between([(start, min(start + step, count)) for start in range(first, count, step)], order)

    def between(self, ends: Sequence[tuple[int, int]], order: Order | DiskArray | None = None) -> Iterator[Chunk]:
        """Yields the rows between some positions of an order, one chunk for each pair, as `chunks` does."""
        streams = len(ends) > 1
        # A slice of a mapped file is read when it is used; a copy reads it here, in this thread.
        fetch = np.array if streams and order is None else np.asarray
        windows = _Windows((*self.inputs, self.label, self.fold, self.weight))

        def read(first: int, last: int) -> Chunk:
            if isinstance(order, WindowedOrder):
                *inputs, label, fold, weight = windows.rows(order, first, last)
                return Chunk(first, tuple(inputs), label, fold, weight)
            rows: Any = slice(first, last) if order is None else order[first:last]
            fold, weight = (None if part is None else part[rows] for part in (self.fold, self.weight))
            return Chunk(first, tuple(fetch(part[rows]) for part in self.inputs), fetch(self.label[rows]), fold, weight)

        if not streams:
            yield from itertools.starmap(read, ends)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="rows") as reader:
            ahead = reader.submit(read, *ends[0])
            for following in ends[1:]:
                ready, ahead = ahead.result(), reader.submit(read, *following)
                yield ready
            yield ahead.result()


def slices_of(values: Values) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Yields `MANY_ROWS` rows of an array at a time, each part with the place where it begins; at least one."""
    for first in range(0, max(1, len(values)), MANY_ROWS):
        yield first, values[first : first + MANY_ROWS]


class _Windows:
    """Reads rows window by window and keeps the last window, from which the next rows come too.

    Args:
      parts: Arrays of the same rows; None for what rows do not have.
    """

    def __init__(self, parts: tuple[Values | None, ...]) -> None:
        self._parts = parts
        self._known: tuple[int, list[npt.NDArray[Any] | None]] | None = None

    def rows(self, order: WindowedOrder, first: int, last: int) -> list[Any]:
        """Returns the parts of the rows at positions `first` to `last - 1` of an order."""
        found = []
        for piece in order.pieces(first, last):
            if self._known is None or self._known[0] != piece.window:
                self._known = None  # makes room
                self._known = piece.window, [part if part is None else _join(part, piece) for part in self._parts]
            found.append([None if part is None else part[piece.places] for part in self._known[1]])
        if len(found) == 1:
            return found[0]
        return [None if parts[0] is None else np.concatenate(parts) for parts in zip(*found, strict=True)]


def _join(part: Values, piece: Piece) -> npt.NDArray[Any]:
    """Returns the rows of a window's blocks, one block after the other."""
    joined = np.empty((sum(last - first for first, last in piece.blocks), *part.shape[1:]), part.dtype)
    place = 0
    for first, last in piece.blocks:
        joined[place : place + last - first] = part[first:last]
        place += last - first
    return joined


@contextmanager
def read_rows(
    examples: Examples,
    split: str,
    transform: Transform,
    label: Feature,
    *,
    scratch: Path,
    cache_mib: int,
    sharing: Sharing | None = None,
) -> Iterator[Rows]:
    """Reads and preprocesses a split once.

    Up to `cache_mib` MiB the rows are kept in memory. Above, they are written to files below `scratch`, which are gone
    when the context ends: batches come from there, in any order, and are the same. Rows of weight 0 are left out, as if
    the split had none of them. Of workers that share the rows, each reads its own.
    """
    preprocessing = transform.preprocessing
    count = examples.counts[split]
    blocks = sharing.blocks(count) if sharing else None
    count = blocks.count(count) if blocks else count
    shapes: list[tuple[tuple[int, ...], Any]] = []
    if preprocessing.numbers:
        shapes.append(((len(preprocessing.number_names),), np.float32))
    if preprocessing.categories:
        shapes.append(((len(preprocessing.categories),), np.int64))
    shapes.append(((), np.float32))
    row_bytes = sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in shapes)
    fits = count * row_bytes <= cache_mib * 2**20
    with tempfile.TemporaryDirectory(prefix=".tmp-rows-", dir=scratch) as folder:
        kept = [
            growing(count, shape, dtype, None if fits else Path(folder, f"{i}.bin"))
            for i, (shape, dtype) in enumerate(shapes)
        ]
        weighing = Weighing(examples.weight, count, Path(folder), sharing)
        for columns, values in weighing.read(examples, split, preprocessing.features, label, READ_ROWS, blocks):
            if preprocessing.scales_label:
                centred = values.astype(np.float64) - preprocessing.label_mean
                values = centred / preprocessing.label_scale
            inputs = [part.numpy() for part in transform({k: tf.constant(v) for k, v in columns.items()})]
            for array, part in zip(kept, [*inputs, values], strict=True):
                array.append(part)
        arrays = [grown(array) for array in kept]
        handed = HANDED_BYTES if fits else min(HANDED_BYTES, cache_mib * 2**20 // 2)  # the next one is in memory too
        chunk = max(1, handed // row_bytes)
        made = Path(folder)
        weight, place = weighing.weight, weighing.place
        yield Rows(tuple(arrays[:-1]), arrays[-1], chunk, weight=weight, place=place, folder=made, blocks=blocks)
