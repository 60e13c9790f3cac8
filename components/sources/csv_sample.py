"""Reads the first cells of each column of CSV files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from crossnet.components.sources.csv_cells import SAMPLE_CELLS

_SAMPLE_BYTES = 16 << 20  # of the cells of all columns
_READ_BYTES = 64 << 20  # after which few cells of a column are enough
_LEAST_CELLS = 100  # of a column, however many columns there are

ReadCells = Callable[[int, Sequence[str]], Iterator[dict[str, pa.Array]]]


class Piece(NamedTuple):
    """Cells of consecutive rows of a unit, null where empty."""

    unit: int
    first_row: int
    cells: pa.Array


@dataclass
class Sample:
    """The first cells of a column.

    Attributes:
      pieces: In the order of the rows.
      cells, size: How many of them are not empty, and their bytes.
    """

    pieces: list[Piece] = field(default_factory=list)
    cells: int = 0
    size: int = 0

    def add(self, piece: Piece) -> None:
        """Adds a piece, and forgets a piece without cells."""
        found = len(piece.cells) - piece.cells.null_count
        if found:
            if len(piece.cells) > SAMPLE_CELLS:
                piece = piece._replace(cells=piece.cells.slice(0, SAMPLE_CELLS))
                found = len(piece.cells) - piece.cells.null_count
            self.pieces.append(piece)
            self.cells += found
            self.size += piece.cells.nbytes

    def array(self) -> pa.Array:
        """Returns the cells that are not empty."""
        return pa.concat_arrays([piece.cells.drop_null() for piece in self.pieces] or [pa.array([], pa.binary())])


def first_cells(names: Iterable[str], units: int, read: ReadCells) -> tuple[dict[str, Sample], bool]:
    """Returns the first cells of each column, and whether they are all cells.

    The columns that still lack cells after `_READ_BYTES` are looked for in the rest alone: reading a few columns costs
    less.
    """
    samples = {name: Sample() for name in names}
    most = _SAMPLE_BYTES // max(len(samples), 1)
    rest, unit, row, seen, is_whole = list(samples), 0, 0, 0, True
    while unit < units and rest:
        wanted, skip, is_narrower = rest, row, False
        for batch in read(unit, wanted):
            size = len(batch[wanted[0]])
            dropped = min(skip, size)  # rows that were looked at before
            skip -= dropped
            for name in rest:
                samples[name].add(Piece(unit, row, batch[name].slice(dropped)))
            seen += sum(batch[name].nbytes for name in rest)
            row += size - dropped
            full = {name for name in rest if _is_full(samples[name], most, few=seen > _READ_BYTES)}
            rest = [name for name in rest if name not in full]
            is_whole = is_whole and not full
            is_narrower = seen > _READ_BYTES and 2 * len(rest) <= len(wanted)
            if not rest or is_narrower:
                break
        if not is_narrower:
            unit, row = unit + 1, 0
    return samples, is_whole


def _is_full(sample: Sample, most: int, *, few: bool) -> bool:
    """Returns whether a column needs no more cells; `few`: whether some are enough."""
    if few and sample.cells:
        return True
    return sample.cells >= SAMPLE_CELLS or (sample.size >= most and sample.cells >= _LEAST_CELLS)
