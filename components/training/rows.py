"""Reads a split's rows as the network sees them.

They are arrays in memory, or on disk where they do not fit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from crossnet.components.artifacts.examples import Examples
from crossnet.components.features import Feature
from crossnet.components.networks.preprocessing import Transform
from crossnet.components.records.dataset import read_dataset

READ_ROWS = 10_000
# Of the rows that are handed over at once: they are copied by the shuffle and again for TensorFlow, while the next ones
# are fetched. At 40 bytes a row that is 100 batches of 1,000.
HANDED_BYTES = 4 << 20


class Chunk(NamedTuple):
    """Some rows, one after the other in an order; `Rows` says what they hold."""

    first: int
    inputs: tuple[npt.NDArray[Any], ...]
    label: npt.NDArray[np.float32]
    fold: npt.NDArray[np.int32] | None


@dataclass
class Rows:
    """Rows after preprocessing.

    Attributes:
      inputs: The network's: numbers float32 `(rows, numbers)` and ids int64 `(rows, categories)`, where there are any.
      label: float32 `(rows,)`, normalised as the network learns it.
      chunk: Rows that are handed over at once, some `HANDED_BYTES`; fewer where `cache_mib` is lower.
      fold: int32 `(rows,)`: each row is held out by the member of this number, if there is one. None: by no member.
    """

    inputs: tuple[npt.NDArray[Any], ...]
    label: npt.NDArray[np.float32]
    chunk: int
    fold: npt.NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.label)

    def chunks(
        self, batch_size: int, order: npt.NDArray[np.int64] | None = None, *, single: bool = False
    ) -> Iterator[Chunk]:
        """Yields the rows chunk by chunk, each a whole number of batches (but the last).

        A thread fetches the next chunk while the caller uses this one.

        Args:
          batch_size: Rows per batch.
          order: A permutation of the rows, int64 or int32; None: as recorded.
          single: Whether each chunk is one batch.
        """
        step = batch_size if single else max(1, self.chunk // batch_size) * batch_size
        starts = range(0, len(self), step)
        streams = step < len(self)
        # A slice of a mapped file is read when it is used; a copy reads it here, in this thread.
        fetch = np.array if streams and order is None else np.asarray

        def read(first: int) -> Chunk:
            rows: Any = slice(first, first + step) if order is None else order[first : first + step]
            fold = None if self.fold is None else self.fold[rows]
            return Chunk(first, tuple(fetch(part[rows]) for part in self.inputs), fetch(self.label[rows]), fold)

        if not streams:
            yield from map(read, starts)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="rows") as reader:
            ahead = reader.submit(read, 0)
            for following in starts[1:]:
                ready, ahead = ahead.result(), reader.submit(read, following)
                yield ready
            yield ahead.result()


@contextmanager
def read_rows(
    examples: Examples, split: str, transform: Transform, label: Feature, *, scratch: Path, cache_mib: int
) -> Iterator[Rows]:
    """Reads and preprocesses a split once.

    Up to `cache_mib` MiB the rows are kept in memory. Above, they are written to a file below `scratch`, which is gone
    when the context ends, and mapped: batches come from there, in any order, and are the same.
    """
    preprocessing = transform.preprocessing
    count = examples.counts[split]
    shapes: list[tuple[tuple[int, ...], Any]] = []
    if preprocessing.numbers:
        shapes.append(((count, len(preprocessing.number_names)), np.float32))
    if preprocessing.categories:
        shapes.append(((count, len(preprocessing.categories)), np.int64))
    shapes.append(((count,), np.float32))
    row_bytes = sum(int(np.prod(shape[1:])) * np.dtype(dtype).itemsize for shape, dtype in shapes)
    fits = count * row_bytes <= cache_mib * 2**20
    with tempfile.TemporaryDirectory(prefix=".tmp-rows-", dir=scratch) as folder:
        arrays = [
            np.empty(shape, dtype)
            if fits or not count
            else np.lib.format.open_memmap(f"{folder}/{i}.npy", mode="w+", dtype=dtype, shape=shape)
            for i, (shape, dtype) in enumerate(shapes)
        ]
        first = 0
        for columns, values in read_dataset(examples, split, preprocessing.features, label, batch_size=READ_ROWS):
            assert values is not None
            last = first + len(values)
            for array, part in zip(arrays, transform({k: tf.constant(v) for k, v in columns.items()}), strict=False):
                array[first:last] = part.numpy()
            arrays[-1][first:last] = values
            if preprocessing.scales_label:
                centred = values.astype(np.float64) - preprocessing.label_mean
                arrays[-1][first:last] = centred / preprocessing.label_scale
            first = last
        handed = HANDED_BYTES if fits else min(HANDED_BYTES, cache_mib * 2**20 // 2)  # the next one is in memory too
        chunk = max(1, handed // row_bytes)
        yield Rows(tuple(arrays[:-1]), arrays[-1], chunk)
        del arrays  # closes the maps before their folder goes
