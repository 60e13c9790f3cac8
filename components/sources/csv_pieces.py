"""Cuts a large CSV file between rows, for several processes.

A file is cut where every line is a row: without quotes or escapes, comments, blank lines or lone carriage returns, in
UTF-8 and not compressed. Any other file is read by one process. The lines before a cut are counted first, so that each
row keeps the number that it has in its file: splits and messages do not depend on the cuts.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from crossnet.components.engines.base import Engine
from crossnet.components.sources.csv import CsvSource
from crossnet.components.sources.csv_blocks import CsvLayout
from crossnet.components.sources.csv_header import find_header
from crossnet.components.sources.csv_lines import may_be_compressed
from crossnet.components.sources.provenance import ROWS_PER_BYTE

LEAST_BYTES = 16 << 20  # of a piece
_CHUNK_BYTES = 4 << 20
_BLANKS = re.compile(rb"(?:\A|\n)[ \t]+(?:\r?\n|\Z)")


def cut_files(source: CsvSource, engine: Engine, least_bytes: int | None = None) -> list[list[CsvSource]]:
    """Returns for each file the pieces to read in order, each as a source whose file is that piece; one if it is whole.

    Args:
      source: The files.
      engine: Counts the lines; it has as many pieces to read at the same time as it is wide.
      least_bytes: A piece has at least about as many; None: `LEAST_BYTES`.
    """
    least_bytes = least_bytes or LEAST_BYTES
    share = max(sum(source.sizes) // engine.width, least_bytes)
    bounds = {
        unit: _bounds(source.files[unit], max(size // share, min(engine.width, size // least_bytes)))
        for unit, size in enumerate(source.sizes)
        if size >= 2 * least_bytes and engine.width > 1 and _may_cut(source.files[unit], source.layouts[unit])
    }
    jobs = [(source.files[unit], *ends) for unit in bounds for ends in itertools.pairwise(bounds[unit])]
    counts = iter(list(engine.map(_count_lines, jobs)))
    return [
        _pieces(source, unit, bounds[unit], list(itertools.islice(counts, len(bounds[unit]) - 1)))
        if unit in bounds
        else [source]
        for unit in range(len(source.sizes))
    ]


def _may_cut(path: Path, layout: CsvLayout) -> bool:
    csv_format = layout.csv_format
    return csv_format.is_utf8 and not (layout.quoted or csv_format.comment or may_be_compressed(path))


def _bounds(path: Path, number: int) -> list[int]:
    """Returns the places, from 0 to the size, between which a file has about `number` equal parts of whole lines."""
    size = path.stat().st_size
    return sorted({0, size, *(_line_start(path, size * n // number) for n in range(1, number))})


def _pieces(source: CsvSource, unit: int, bounds: list[int], counts: list[int | None]) -> list[CsvSource]:
    """Returns the pieces of a file whose parts have so many lines."""
    path, layout, size = source.files[unit], source.layouts[unit], bounds[-1]
    if None in counts:
        return [source]
    before = layout.skip_lines + (not layout.names)  # lines that are not rows
    starts = [(0, 0)]
    for bound, lines in zip(bounds[1:-1], np.cumsum([n or 0 for n in counts])[:-1].tolist(), strict=True):
        rows = lines - before
        more = -rows % ROWS_PER_BYTE  # the splits of the rows of a piece fill whole bytes
        if rows > 0 and (start := _line_start(path, bound, more)) > starts[-1][0]:
            starts.append((start, rows + more))
    stops = [start for start, _ in starts[1:]] + [size]
    names = layout.names or tuple(find_header(path, layout.csv_format).names)
    return [
        _with_layout(
            source,
            unit,
            replace(layout, start=start, stop=stop, first_row=row)
            if not start
            else replace(layout, start=start, stop=stop, first_row=row, names=names, skip_lines=0),
        )
        for (start, row), stop in zip(starts, stops, strict=True)
        if start < stop
    ]


def _with_layout(source: CsvSource, unit: int, layout: CsvLayout) -> CsvSource:
    layouts: Sequence[CsvLayout] = source.layouts
    return replace(source, layouts=(*layouts[:unit], layout, *layouts[unit + 1 :]))


def _line_start(path: Path, position: int, more: int | None = None) -> int:
    """Returns where the first line after `position` begins or, with `more`, the line that many after the one there."""
    with path.open("rb") as stream:
        stream.seek(position)
        for _ in range(1 if more is None else more):
            stream.readline()
        return stream.tell()


def _count_lines(path: Path, start: int, stop: int) -> int | None:
    """Returns the line ends between two line starts; None where a line is blank or ends in another way."""
    count = 0
    with path.open("rb") as stream:
        stream.seek(start)
        while (left := stop - stream.tell()) > 0:
            data = stream.read(min(left, _CHUNK_BYTES))
            data += stream.readline() if len(data) < left else b""
            if data.startswith((b"\n", b"\r")) or b"\n\n" in data or b"\n\r" in data:
                return None
            if (b"\n " in data or b"\n\t" in data or data[:1] in (b" ", b"\t")) and _BLANKS.search(data):
                return None
            if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
                return None
            count += data.count(b"\n")
    return count


def piece_size(source: CsvSource, unit: int) -> int:
    """Returns the bytes of a piece, or of a whole file."""
    layout = source.layouts[unit]
    return source.sizes[unit] if layout.stop is None else layout.stop - layout.start
