"""Shares out a source among jobs that run together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from crossnet.components.engines.base import Engine
from crossnet.components.sources.base import Source, SourceBatch


class Read(NamedTuple):
    """Units of a source, from `first` up to, not including, `last`; the source may hold only a piece of one."""

    source: Source
    first: int
    last: int

    def batches(self) -> Iterator[SourceBatch]:
        """Yields their rows."""
        return self.source.read(self.first, self.last)


def share_out(source: Source, engine: Engine) -> list[list[Read]]:
    """Returns what each of at most `engine.width` jobs reads, about equally much, in the order of the rows.

    A large file is cut where that can be done: see `crossnet.components.sources.csv_pieces` and `table_pieces`.
    """
    pieces = _pieces(source, engine) if engine.width > 1 else []
    if not pieces:
        return [[Read(source, *units)] for units in shares(source.sizes, engine.width)]
    sizes = [size for _, _, size in pieces]
    return [
        [Read(piece, unit, unit + 1) for piece, unit, _ in pieces[first:last]]
        for first, last in shares(sizes, engine.width)
    ]


def _pieces(source: Any, engine: Engine) -> list[tuple[Source, int, int]]:
    """Returns the pieces of a source's files, the unit and the size of each; none of a source that is not cut."""
    cuts: list[list[tuple[Any, int]]] = []
    if hasattr(source, "layouts"):
        from crossnet.components.sources.csv_pieces import cut_files, piece_size

        cuts = [
            [(piece, piece_size(piece, unit)) for piece in cut] for unit, cut in enumerate(cut_files(source, engine))
        ]
    elif hasattr(source, "ranges"):
        from crossnet.components.sources.table_pieces import cut_tables

        cuts = [*cut_tables(source, engine)]
    return [(piece, unit, size) for unit, cut in enumerate(cuts) for piece, size in cut]


def whole(source: Source, original: Source) -> Source:
    """Returns a source that was planned again while a piece of it was read, with all that the original has."""
    kept = {name: getattr(original, name) for name in ("layouts", "ranges") if hasattr(original, name)}
    return replace(source, **kept) if kept else source  # type: ignore[type-var]  # these sources are dataclasses


def shares(sizes: Sequence[int], width: int) -> list[tuple[int, int]]:
    """Cuts a list into at most `width` runs of about equal weight, each as its first place and that after its last."""
    ends = np.cumsum(sizes)
    wanted = ends[-1] * np.arange(1, width) / width
    nearest = np.abs(ends[:, None] - wanted).argmin(axis=0) + 1
    return list(itertools.pairwise(sorted({0, *nearest.tolist(), len(sizes)})))
