"""Draws the report's charts from arrays as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from crossnet.components.formats import number
from crossnet.pipeline.report import hover
from crossnet.pipeline.report.svg import Axis, Drawing, coordinate, linear_axis, log_axis, polyline, spread
from crossnet.serving.protocol.dtypes import Array

MAX_POINTS = 600  # of a curve; more than the page has pixels for
LABEL_GAP = 14  # between the labels of two curves
DENSITY_LEVELS = 6
CHARACTER = 6.2  # width of one letter of a label
_WIDE = frozenset("mwMW@%<>&#…—")  # letters half as wide again


@dataclass(frozen=True)
class Series:
    """One curve.

    Attributes:
      name: Written at the curve's end; may be empty.
      css: CSS class of its colour and dashes.
      x, y: float64 (points,); NaN is a gap.
      hollow: bool (points,), whether a point is marked by a ring or a dot; None for a curve without marks.
      said: Its name under the pointer, where that is not `name`.
    """

    name: str
    css: str
    x: Array
    y: Array
    hollow: Array | None = None
    said: str = ""


@dataclass(frozen=True)
class Density:
    """Numbers of pairs in the cells of a grid.

    Attributes:
      counts: int64 (cells in x, cells in y).
      x_edges, y_edges: float64, one more than cells.
      outside: Pairs beyond the edges or not finite.
    """

    counts: Array
    x_edges: Array
    y_edges: Array
    outside: int = 0


@dataclass(frozen=True)
class Bands:
    """The spread of a quantity by groups of another: median, and 5th to 95th percentile.

    Attributes:
      name: Of the other quantity.
      at: float64 (groups,), each group's value on the axis; empty where groups have names.
      names: Names of the groups; empty where they have values.
      low, middle, high: float64 (groups,).
    """

    name: str
    at: Array
    names: tuple[str, ...]
    low: Array
    middle: Array
    high: Array


@dataclass(frozen=True)
class Steps:
    """A histogram as shares per unit: `heights` float64 (buckets,) between `edges` float64 (buckets + 1,)."""

    edges: Array
    heights: Array


def line_chart(
    series: Sequence[Series],
    title: str,
    *,
    x_label: str,
    y_label: str,
    width: float,
    height: float,
    x_ticks: Sequence[tuple[float, str]] | None = None,
    x_text: hover.Text | None = None,
) -> str:
    """Returns curves on a logarithmic axis, each with its name at its end.

    Args:
      series: The curves; values without a logarithm are gaps.
      title: What the chart shows, read by screen readers.
      x_ticks: Value and label of each tick in x; None for round numbers.
      x_text: A value of x in words, for the pointer; None: behind `x_label`.
    """
    drawing = Drawing(width, height, title)
    room = max((len(one.name) for one in series), default=0) * CHARACTER + 14
    ys = np.concatenate([one.y for one in series]) if series else np.empty(0)
    xs = np.concatenate([one.x for one in series]) if series else np.empty(0)
    y = log_axis(ys, height - 40, 24)
    left = max([48.0, *(len(label) * CHARACTER + 12 for _, label in y.ticks)])
    x = linear_axis(xs, left, width - room, count=max(2, int(width / 110)), tight=True, whole=True)
    if x_ticks is not None:
        x = Axis(x.low, x.high, x.start, x.end, False, tuple(x_ticks))
    drawing.axes(x, y, x_label, y_label)
    said = x_text or (lambda value: f"{x_label} {number(value)}")
    drawing.hover(point for one in series for point in hover.curve_points(one, x, y, said))
    ends = []
    for one in series:
        places_x, places_y = x.place(one.x), y.place(one.y)
        drawing.path(polyline(*_thin(places_x, places_y)), f"curve {one.css}")
        if one.hollow is not None:
            for place_x, place_y, hollow in zip(places_x, places_y, one.hollow, strict=True):
                if math.isfinite(place_y):
                    drawing.circle(place_x, place_y, 3.5, f"mark {one.css}{' hollow' if hollow else ''}")
        seen = places_y[np.isfinite(places_y)]
        ends.append(float(seen[-1]) if len(seen) else math.nan)
    shown = [i for i, end in enumerate(ends) if math.isfinite(end) and series[i].name]
    for i, place in zip(shown, spread([ends[i] for i in shown], LABEL_GAP, y.end, y.start), strict=True):
        drawing.text(x.end + 8, place + 4, series[i].name, f"name {series[i].css}")
    return str(drawing)


def _thin(xs: Array, ys: Array) -> tuple[Array, Array]:
    """Returns at most `MAX_POINTS` points that look the same: the lowest and highest of each stretch."""
    if len(xs) <= MAX_POINTS:
        return xs, ys
    keep = {0, len(xs) - 1}
    for stretch in np.array_split(np.arange(len(xs)), MAX_POINTS // 2):
        values = ys[stretch]
        finite = np.isfinite(values)
        if finite.any():
            keep.add(int(stretch[np.argmin(np.where(finite, values, np.inf))]))
            keep.add(int(stretch[np.argmax(np.where(finite, values, -np.inf))]))
        if not finite.all():
            keep.add(int(stretch[np.argmin(finite)]))
    order = np.array(sorted(keep))
    return xs[order], ys[order]


def density_chart(
    density: Density, title: str, *, x_label: str, y_label: str, css: str, deciles: Sequence[tuple[float, float]] = ()
) -> str:
    """Returns a grid whose stronger cells hold more pairs, with a line where x and y are equal.

    All cells of one shade are one path, so that the SVG stays small.

    Args:
      density: The counts.
      title: What the chart shows, read by screen readers.
      css: CSS class of the colour.
      deciles: Means of groups of rows, drawn as rings.
    """
    drawing = Drawing(340, 320, title)
    x = linear_axis(density.x_edges, 52, 332, count=5, tight=True)
    y = linear_axis(density.y_edges, 280, 24, count=5, tight=True)
    drawing.axes(x, y, x_label, y_label)
    drawing.hover(hover.cell_points(density, x, y, x_label, y_label))
    low, high = max(x.low, y.low), min(x.high, y.high)
    drawing.line(x.at(low), y.at(low), x.at(high), y.at(high), "equal")
    highest = float(density.counts.max(initial=0))
    if highest > 0:
        depth = np.log1p(density.counts) / math.log1p(highest)
        levels = np.where(density.counts > 0, np.ceil(depth * DENSITY_LEVELS), 0).astype(int)
        lefts, tops = x.place(density.x_edges), y.place(density.y_edges)
        for level in range(1, DENSITY_LEVELS + 1):
            boxes = [
                f"M{coordinate(lefts[i])} {coordinate(tops[j])}H{coordinate(lefts[i + 1])}"
                f"V{coordinate(tops[j + 1])}H{coordinate(lefts[i])}"
                for i, j in np.argwhere(levels == level).tolist()
            ]
            drawing.path("".join(boxes), f"cell level-{level} {css}")
    for mean_x, mean_y in deciles:
        if x.low <= mean_x <= x.high and y.low <= mean_y <= y.high:
            drawing.circle(x.at(mean_x), y.at(mean_y), 3.2, "decile")
    return str(drawing)


def band_chart(
    bands: Bands,
    limits: tuple[float, float],
    title: str,
    *,
    css: str,
    axis: Callable[..., Axis] = linear_axis,
    text: hover.Text = number,
) -> str:
    """Returns the median and the 5–95 % band of a residual by groups.

    Args:
      bands: The groups.
      limits: Lowest and highest residual shown, the same for all features so that they compare.
      title: What the chart shows, read by screen readers.
      css: CSS class of the colour.
      axis: Makes the axis of the other quantity.
      text: A value of that axis in words, for the pointer.
    """
    if bands.names:
        return _named_bands(bands, limits, title, css)
    drawing = Drawing(320, 200, title)
    y = linear_axis(np.array([*limits, 0.0]), 160, 24, count=4)
    x = axis(bands.at, 46, 312, count=6, tight=True)
    drawing.axes(x, y, bands.name, "")
    drawing.line(x.start, y.at(0.0), x.end, y.at(0.0), "zero")
    places = x.place(bands.at)
    drawing.hover(hover.band_points(bands, places.tolist(), y.place(bands.middle).tolist(), text), "x")
    seen = np.isfinite(bands.middle)
    outline_x = np.concatenate([places[seen], places[seen][::-1]])
    outline_y = np.concatenate([y.place(bands.low)[seen], y.place(bands.high)[seen][::-1]])
    drawing.path(polyline(outline_x, outline_y) and polyline(outline_x, outline_y) + "Z", f"band {css}")
    drawing.path(polyline(places[seen], y.place(bands.middle)[seen]), f"curve {css} solid")
    return str(drawing)


def _named_bands(bands: Bands, limits: tuple[float, float], title: str, css: str) -> str:
    count = len(bands.names)
    labels = [shorten(name, 16) for name in bands.names]
    bottom = 30 + 20 * count
    drawing = Drawing(320, bottom + 40, title)
    left = max(map(text_width, labels)) + 12
    x = roomy_axis(np.array([*limits, 0.0]), left, drawing.width)
    rows = Axis(0, count, bottom, 24, False, ())
    drawing.axes(x, rows, "", bands.name)
    drawing.line(x.at(0.0), bottom, x.at(0.0), 24, "zero")
    rows_at = [38.0 + 20 * i for i in range(count)]
    drawing.hover(hover.band_points(bands, x.place(bands.middle).tolist(), rows_at, number), "y")
    for i, label in enumerate(labels):
        place = rows_at[i]
        drawing.text(left - 8, place + 4, label, "tick", anchor="end")
        if np.isfinite(bands.middle[i]):
            drawing.line(x.at(bands.low[i]), place, x.at(bands.high[i]), place, f"range {css}")
            drawing.circle(x.at(bands.middle[i]), place, 3.5, f"mark {css}")
    return str(drawing)


def roomy_axis(values: Array, start: float, width: float) -> Axis:
    """Returns an axis that ends before `width`, with as many ticks as have room for their labels side by side."""
    end = width - 8
    for count in (4, 3, 2, 1):
        axis = linear_axis(values, start, end, count=count)
        last = text_width(axis.ticks[-1][1]) / 2
        axis = linear_axis(values, start, min(end, width - last), count=count)
        if sum(text_width(label) + 8 for _, label in axis.ticks) <= width - start:
            break
    return axis


def shorten(text: str, length: int) -> str:
    """Returns `text`, cut with an ellipsis to at most `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def text_width(text: str) -> float:
    """Returns about how wide a label is, in the drawing's unit."""
    return CHARACTER * (len(text) + 0.5 * sum(letter in _WIDE for letter in text))
