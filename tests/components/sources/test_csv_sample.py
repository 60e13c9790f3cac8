from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pytest

from crossnet.components.sources import csv_sample
from crossnet.components.sources.csv_cells import SAMPLE_CELLS
from crossnet.components.sources.csv_sample import first_cells

ROWS = 1000


class Files:
    """Files whose column `x` always has a cell, and whose column `late` has one in the last row of the last file."""

    def __init__(self, units: int, batches: int) -> None:
        self.units, self.batches = units, batches
        self.asked: list[tuple[int, tuple[str, ...]]] = []

    def read(self, unit: int, names: Sequence[str]) -> Iterator[dict[str, pa.Array]]:
        self.asked.append((unit, tuple(names)))
        for batch in range(self.batches):
            is_last = (unit, batch) == (self.units - 1, self.batches - 1)
            late = pa.array([None] * (ROWS - 1) + [b"7" if is_last else None], pa.binary())
            x = pa.array([f"{unit}:{batch * ROWS + row}".encode() for row in range(ROWS)], pa.binary())
            columns = {"x": x, "late": late}
            yield {name: columns[name] for name in names}


def test_all_cells_of_a_small_table_are_taken_with_their_places() -> None:
    samples, is_whole = first_cells(["x", "late"], 2, Files(2, 3).read)
    assert is_whole
    assert samples["x"].cells == 6 * ROWS
    for piece in samples["x"].pieces:
        assert piece.cells[0].as_py() == f"{piece.unit}:{piece.first_row}".encode()
    assert samples["late"].array().to_pylist() == [b"7"]


def test_reading_ends_where_every_column_has_enough() -> None:
    files = Files(3, 20)
    samples, is_whole = first_cells(["x"], 3, files.read)
    assert not is_whole
    assert samples["x"].cells == SAMPLE_CELLS
    assert files.asked == [(0, ("x",))]


def test_a_wide_table_is_read_for_fewer_cells_of_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_sample, "_SAMPLE_BYTES", 2000)
    samples, is_whole = first_cells(["x"], 1, Files(1, 5).read)
    assert not is_whole
    assert samples["x"].cells == ROWS


def test_a_column_that_is_empty_for_long_is_looked_for_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_sample, "_READ_BYTES", 3 * ROWS)
    files = Files(2, 4)
    samples, _ = first_cells(["x", "late"], 2, files.read)
    assert samples["late"].array().to_pylist() == [b"7"]
    assert samples["late"].pieces[0].first_row + ROWS == 4 * ROWS
    assert files.asked == [(0, ("x", "late")), (0, ("late",)), (1, ("late",))]
