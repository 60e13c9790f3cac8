"""Keeps an array in a file and reads parts of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Places = slice | npt.NDArray[Any]
# So many rows at once, of what each row has a few bytes of, are in memory; with fewer rows nothing goes to a file.
MANY_ROWS = 1 << 20


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
        path.write_bytes(b"")

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


def joined(parts: Iterable[npt.NDArray[Any]], path: Path | None) -> npt.NDArray[Any] | DiskArray:
    """Returns arrays, of which there is at least one, as one: in a new file, or in memory where no path is given."""
    if path is None:
        return np.concatenate(list(parts))
    array: DiskArray | None = None
    for part in parts:
        if array is None:
            array = DiskArray(path, part.shape[1:], part.dtype)
        array.append(part)
    assert array is not None
    return array


class MemoryArray:
    """An array in memory that grows by rows, up to the number that it was made for."""

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self._all, self._count = np.empty(shape, dtype), 0

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Adds rows at the end."""
        self._all[self._count : self._count + len(rows)] = rows
        self._count += len(rows)

    @property
    def rows(self) -> npt.NDArray[Any]:
        """What has been added."""
        return self._all[: self._count]


def growing(
    count: int, shape: tuple[int, ...], dtype: npt.DTypeLike, path: Path | None = None
) -> MemoryArray | DiskArray:
    """Returns an array to append up to `count` rows to: in a file, or in memory where no path is given."""
    return MemoryArray((count, *shape), dtype) if path is None else DiskArray(path, shape, dtype)


def grown(array: MemoryArray | DiskArray) -> npt.NDArray[Any] | DiskArray:
    """Returns what has been appended to an array that `growing` made."""
    return array.rows if isinstance(array, MemoryArray) else array
