"""Cuts large Parquet and Arrow files between row groups, for several processes.

A row group, or a record batch of an Arrow file, can be read by itself. A file of a single one, a stream and JSON lines
are read by one process. A piece begins at the first row of a group, or up to three rows behind it, because the splits
of the rows of a piece fill whole bytes. Each row keeps the number that it has in its file: splits and messages do not
depend on the cuts.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from crossnet.components.engines.base import Engine
from crossnet.components.sources.provenance import ROWS_PER_BYTE
from crossnet.components.sources.tables import TableSource, group_rows

LEAST_BYTES = 4 << 20  # of a piece


def cut_tables(source: TableSource, engine: Engine) -> list[list[tuple[TableSource, int]]]:
    """Returns for each file the pieces to read in order; one if it is whole.

    Args:
      source: The files.
      engine: It has as many pieces to read at the same time as it is wide.

    Returns:
      Each piece as a source whose file is that piece, and about how many bytes it has.

    Raises:
      DataError: A file is damaged.
    """
    share = max(sum(source.sizes) // engine.width, LEAST_BYTES)
    return [
        _pieces(source, unit, max(size // share, min(engine.width, size // LEAST_BYTES)))
        if size >= 2 * LEAST_BYTES and engine.width > 1
        else [(source, size)]
        for unit, size in enumerate(source.sizes)
    ]


def _pieces(source: TableSource, unit: int, number: int) -> list[tuple[TableSource, int]]:
    size, ends = source.sizes[unit], np.cumsum([0, *group_rows(source, unit)])
    rows = int(ends[-1])
    wanted = rows * np.arange(1, number) / number
    cuts = ends[np.abs(ends[:, None] - wanted).argmin(axis=0)]
    cuts = cuts + -cuts % ROWS_PER_BYTE
    bounds = [0, *sorted({cut for cut in cuts.tolist() if 0 < cut < rows}), rows]
    if len(bounds) == 2:
        return [(source, size)]
    return [
        (replace(source, ranges={**source.ranges, unit: (first, last)}), size * (last - first) // rows)
        for first, last in itertools.pairwise(bounds)
    ]
