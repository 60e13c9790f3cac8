"""An array in a file gives what NumPy gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.training.disk_array import DiskArray, growing, grown


@pytest.mark.parametrize(("shape", "dtype"), [((3,), np.float32), ((), np.float32), ((2,), np.int64)])
def test_a_disk_array_gives_the_rows_that_were_added(shape: tuple[int, ...], dtype: type, tmp_path: Path) -> None:
    expected = np.arange(10 * int(np.prod(shape)), dtype=dtype).reshape(10, *shape)
    array = DiskArray(tmp_path / "x.bin", shape, dtype)
    for part in (expected[:4], expected[4:4], expected[4:]):
        array.append(part.astype(np.float64))
    assert (len(array), array.shape, array.dtype) == (10, expected.shape, expected.dtype)
    for places in (slice(0, 10), slice(3, 5), slice(8, 30), slice(5, 5), slice(None), np.array([9, 0, 0, 4])):
        found = array[places]
        np.testing.assert_array_equal(found, expected[places])
        found[:] = 0  # a copy
    np.testing.assert_array_equal(array[:], expected)


def test_a_disk_array_without_rows_is_empty(tmp_path: Path) -> None:
    array = DiskArray(tmp_path / "x.bin", (3,), np.float32)
    assert array[:].shape == array[np.zeros(0, np.int64)].shape == (0, 3)


def test_a_place_outside_is_an_error(tmp_path: Path) -> None:
    array = DiskArray(tmp_path / "x.bin", (), np.float32)
    array.append(np.zeros(3))
    with pytest.raises(IndexError):
        array[np.array([3])]


def test_an_array_grows_in_memory_as_in_a_file_which_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"old")
    for path in (None, tmp_path / "x.bin"):
        array = growing(9, (2,), np.float32, path)
        for part in ([[1, 2], [3, 4]], [[5, 6]]):
            array.append(np.array(part))
        found = grown(array)
        assert isinstance(found, np.ndarray if path is None else DiskArray)
        assert found[:].tolist() == [[1, 2], [3, 4], [5, 6]]
        assert found.dtype == np.float32
