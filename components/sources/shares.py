"""Shares out a source among jobs that run together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

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

    A large CSV file is cut where that can be done: see `crossnet.components.sources.csv_pieces`.
    """
    if engine.width == 1 or not hasattr(source, "layouts"):
        return [[Read(source, *units)] for units in shares(source.sizes, engine.width)]
    from crossnet.components.sources.csv_pieces import cut_files, piece_size

    pieces = [(piece, unit) for unit, cut in enumerate(cut_files(source, engine)) for piece in cut]  # type: ignore[arg-type]
    sizes = [piece_size(piece, unit) for piece, unit in pieces]
    return [
        [Read(piece, unit, unit + 1) for piece, unit in pieces[first:last]]
        for first, last in shares(sizes, engine.width)
    ]


def whole(source: Source, original: Source) -> Source:
    """Returns a source that was planned again while a piece of it was read, with all that the original has."""
    layouts = getattr(original, "layouts", None)
    return source if layouts is None else replace(source, layouts=layouts)  # type: ignore[type-var]


def shares(sizes: Sequence[int], width: int) -> list[tuple[int, int]]:
    """Cuts a list into at most `width` runs of about equal weight, each as its first place and that after its last."""
    ends = np.cumsum(sizes)
    wanted = ends[-1] * np.arange(1, width + 1) / width
    stops = sorted({int(stop) + 1 for stop in np.searchsorted(ends, wanted)} - {0})
    stops = [min(stop, len(sizes)) for stop in stops]
    return [(a, b) for a, b in zip([0, *stops], stops, strict=False) if a < b]
