"""Writes the values that a chart shows under the pointer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from crossnet.components.formats import counted, number, percent
from crossnet.serving.protocol.dtypes import Array

if TYPE_CHECKING:
    from crossnet.pipeline.report.charts import Bands, Density, Series, Steps
    from crossnet.pipeline.report.svg import Axis

MAX_CURVE_POINTS = 120  # of one curve, so that a page of many curves stays small
MAX_CELLS = 400  # of a density, those with most rows

Point = tuple[float, float, str]  # x and y in the drawing's unit, and what is said there
Text = Callable[[float], str]  # a value of an axis in words


def curve_points(series: Series, x: Axis, y: Axis, text: Text) -> Iterator[Point]:
    """Yields points of a curve with their values; of many, some at equal distances and the last."""
    name = series.said or series.name
    places_x, places_y = x.place(series.x), y.place(series.y)
    seen = np.flatnonzero(np.isfinite(places_x) & np.isfinite(places_y))
    chosen = seen[np.unique(np.linspace(0, len(seen) - 1, min(len(seen), MAX_CURVE_POINTS)).astype(int))]
    for i in chosen.tolist():
        said = f"{name}, {text(float(series.x[i]))}: {number(float(series.y[i]), 4)}"
        yield float(places_x[i]), float(places_y[i]), said


def cell_points(density: Density, x: Axis, y: Axis, x_label: str, y_label: str) -> Iterator[Point]:
    """Yields the cells that hold rows, with their middles and counts."""
    middles_x, middles_y = ((edges[:-1] + edges[1:]) / 2 for edges in (density.x_edges, density.y_edges))
    places_x, places_y = x.place(middles_x), y.place(middles_y)
    order = np.argsort(-density.counts, axis=None, kind="stable")[:MAX_CELLS]
    for i, j in zip(*(index.tolist() for index in np.unravel_index(order, density.counts.shape)), strict=True):
        if rows := int(density.counts[i, j]):
            where = f"{x_label} {number(float(middles_x[i]), 3)}, {y_label} {number(float(middles_y[j]), 3)}"
            yield float(places_x[i]), float(places_y[j]), f"{where}: {counted(rows, 'row')}"


def band_points(bands: Bands, places_x: Sequence[float], places_y: Sequence[float], text: Text) -> Iterator[Point]:
    """Yields the median and the band of each group."""
    names = bands.names or [f"{bands.name} {text(float(value))}" for value in bands.at]
    for i, name in enumerate(names):
        low, middle, high = (float(values[i]) for values in (bands.low, bands.middle, bands.high))
        if math.isfinite(middle):
            said = f"{name}: median {number(middle, 3)}, 5 to 95 % {number(low, 3)} to {number(high, 3)}"
            yield places_x[i], places_y[i], said


def bucket_points(train: Steps | None, eval_: Steps | None, x: Axis, y: Axis, text: Text) -> Iterator[Point]:
    """Yields each bucket of the first histogram with its share of the rows, and that of the second in these bounds."""
    base = train if train is not None and len(train.heights) else eval_
    if base is None:
        return
    edges, heights = base.edges, base.heights
    shares = [(name, _shares(steps, edges)) for name, steps in (("train", train), ("eval", eval_)) if steps is not None]
    for i, height in enumerate(heights.tolist()):
        low, high = float(edges[i]), float(edges[i + 1])
        said = ", ".join(f"{percent(float(values[i]))} of {name}" for name, values in shares)
        yield x.at((low + high) / 2), y.at(height), f"{text(low)} to {text(high)}: {said}"


def _shares(steps: Steps, edges: Array) -> Array:
    """Returns the share of a histogram that lies between each two edges."""
    sums = np.concatenate([[0.0], np.cumsum(steps.heights * np.diff(steps.edges))])
    return np.diff(np.interp(edges, steps.edges, sums))


def matrix_points(matrix: Array, rows: Sequence[str], columns: Sequence[str], place: Callable[[int, int], Any]) -> Any:
    """Yields the value of each pair; `place` gives the middle of a cell, of its row and column."""
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if math.isfinite(value := float(matrix[i, j])):
                yield *place(i, j), f"{row} × {column}: {number(value, 3)}"


def dependence_points(
    curve: Mapping[str, Any], places_x: Sequence[float], places_y: Sequence[float], name: str, text: Callable[..., str]
) -> Iterator[Point]:
    """Yields the mean prediction at each value of a column."""
    for value, mean, x, y in zip(curve["at"], curve["prediction"], places_x, places_y, strict=True):
        yield x, y, f"{name} {text(value)}: mean prediction {number(mean, 4)}"
