"""Keeps an array in a file and reads parts of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Places = slice | npt.NDArray[Any]


class DiskArray:
    """An array in a file, of which nothing is in memory but what is asked for.

    A mapped file would count as memory once it is read. Only one thread appends, before any reads.

    Args:
      path: The file; it is made anew.
      shape: Of one row.
      dtype: Of the values.

    Attributes:
      dtype: Of the values.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self._path, self._row, self._count = path, shape, 0
        path.touch()

    def __len__(self) -> int:
        return self._count

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first."""
        return (self._count, *self._row)

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Adds rows at the end."""
        with self._path.open("ab", buffering=0) as stream:
            np.ascontiguousarray(rows, self.dtype).tofile(stream)
        self._count += len(rows)

    def __getitem__(self, places: Places) -> npt.NDArray[Any]:
        """Returns a copy of the rows of a slice of step 1, or at these places."""
        if isinstance(places, slice):
            first, last, _ = places.indices(self._count)
            width = int(np.prod(self._row, dtype=np.int64))
            count, offset = max(0, last - first) * width, first * width * self.dtype.itemsize
            return np.fromfile(self._path, self.dtype, count, offset=offset).reshape(-1, *self._row)
        if not len(places):
            return np.empty((0, *self._row), self.dtype)
        mapped = np.memmap(self._path, self.dtype, "r", shape=self.shape)  # until this call ends
        return np.asarray(mapped[places])
