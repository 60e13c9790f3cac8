"""Draws axes, lines and text as SVG.

Colours and line styles are CSS classes, so that one drawing is right on light and dark screens and in print.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossnet.components.formats import number, superscript
from crossnet.serving.protocol.dtypes import Array

MAX_DECADES = 6  # labels on a logarithmic axis
TICK, GAP = 4, 6  # length of a tick, and space between tick and label, in the drawing's unit


def power(exponent: int) -> str:
    """Returns a power of ten as print has it: 10⁻⁶."""
    return f"10{superscript(exponent)}"


@dataclass(frozen=True)
class Axis:
    """One axis of a chart.

    Attributes:
      low, high: The ends in the data's unit.
      start, end: The ends in the drawing's unit; on a vertical axis `end` is above `start`.
      log: Whether the axis is logarithmic.
      ticks: Value and label of each tick.
      factor: The labels' common factor, such as ×10⁻⁷; empty for 1.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool
    ticks: tuple[tuple[float, str], ...]
    factor: str = ""

    def place(self, values: Any) -> Array:
        """Returns the positions of `values`, float64 of their shape; NaN where a logarithm does not exist."""
        array = np.asarray(values, np.float64)
        low, high = self.low, self.high
        if self.log:
            array = np.log10(array, out=np.full(array.shape, np.nan), where=array > 0)
            low, high = math.log10(low), math.log10(high)
        return self.start + (array - low) / (high - low) * (self.end - self.start)

    def at(self, value: float) -> float:
        """Returns the position of one value."""
        return float(self.place(value))


def linear_axis(
    values: Any, start: float, end: float, *, count: int = 5, tight: bool = False, whole: bool = False
) -> Axis:
    """Returns an axis for all finite `values`, with about `count` round ticks.

    Args:
      values: Any shape; without a finite value the axis goes from 0 to 1.
      start, end: Its ends in the drawing.
      count: How many ticks are wanted.
      tight: Whether the axis ends at the data, not at a tick.
      whole: Whether ticks are at whole numbers only.
    """
    low, high = _extent(values)
    step = 10.0 ** math.floor(math.log10((high - low) / count))
    step *= next((factor for factor in (1, 2, 5) if (high - low) / (step * factor) <= count), 10)
    step = max(step, 1.0) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if tight:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    else:
        low, high = first * step, last * step
    largest = max(abs(low), abs(high))
    exponent = math.floor(math.log10(largest))
    exponent = exponent if not -3 <= exponent <= 4 else 0
    decimals = max(0, exponent - math.floor(math.log10(step) + 1e-9))
    ticks = []
    for index in range(first, last + 1):
        text = f"{index * step / 10.0**exponent:,.{decimals}f}".replace("-", "−")
        ticks.append((index * step, "0" if index == 0 else text))
    return Axis(low, high, start, end, False, tuple(ticks), f"×{power(exponent)}" if exponent else "")


def log_axis(values: Any, start: float, end: float) -> Axis:
    """Returns a logarithmic axis for all positive finite `values`.

    Its ends are powers of ten; where the values span less than two of these, numbers of 1, 2, 5, 10, 20 ...
    """
    array = np.asarray(values, np.float64).ravel()
    array = array[np.isfinite(array) & (array > 0)]
    low, high = (float(array.min()), float(array.max())) if len(array) else (1.0, 10.0)
    first, last = math.floor(math.log10(low) + 1e-12), math.ceil(math.log10(high) - 1e-12)
    if high < 100 * low:
        marks = [factor * 10.0**e for e in range(first - 1, last + 2) for factor in (1, 2, 5)]
        below = [mark for mark in marks if mark <= low * (1 + 1e-12)]
        marks = [mark for mark in marks if mark >= below[-1]]
        above = [mark for mark in marks if mark >= high * (1 - 1e-12) and mark > below[-1]]
        marks = [mark for mark in marks if mark <= above[0]]
        return Axis(marks[0], marks[-1], start, end, True, tuple((mark, number(mark, 1)) for mark in marks))
    stride = -(-(last - first) // MAX_DECADES)
    ticks = tuple((10.0**e, power(e)) for e in range(first, last + 1, stride))
    return Axis(10.0**first, 10.0**last, start, end, True, ticks)


def _extent(values: Any) -> tuple[float, float]:
    """Returns the lowest and the highest finite value, moved apart where they are equal."""
    array = np.asarray(values, np.float64).ravel()
    array = array[np.isfinite(array)]
    if not len(array):
        return 0.0, 1.0
    low, high = float(array.min()), float(array.max())
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        room = abs(low) / 2 or 1.0
        return low - room, high + room
    return low, high


def coordinate(value: float) -> str:
    """Returns a coordinate with at most one decimal."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def polyline(xs: Array, ys: Array) -> str:
    """Returns the path through the points, with a gap where one is not finite."""
    parts = []
    command = "M"
    for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
        if math.isfinite(x) and math.isfinite(y):
            parts.append(f"{command}{coordinate(x)} {coordinate(y)}")
            command = "L"
        else:
            command = "M"
    return "".join(parts)


class Drawing:
    """An SVG drawing; str() returns its source.

    Args:
      width, height: Size in CSS pixels; the page may scale it.
      title: What the drawing shows, read by screen readers.
      css: CSS class of the whole drawing.
    """

    def __init__(self, width: float, height: float, title: str, css: str = ""):
        self.width, self.height, self.title, self.css = width, height, title, css
        self._parts: list[str] = []
        self._hover = ""

    def __str__(self) -> str:
        return (
            f'<svg viewBox="0 0 {coordinate(self.width)} {coordinate(self.height)}" width="{coordinate(self.width)}" '
            f'height="{coordinate(self.height)}" class="figure {self.css}" role="img" '
            f'aria-label="{html.escape(self.title)}"{self._hover}>{"".join(self._parts)}</svg>'
        )

    def hover(self, points: Iterable[tuple[float, float, str]], along: str = "") -> None:
        """Adds what the page's script shows under the pointer: x, y and words of each point.

        Args:
          points: Of which the nearest is shown.
          along: "x" or "y" where the nearest in that direction is meant, whatever the other.
        """
        lines = [f"{coordinate(x)} {coordinate(y)} {' '.join(text.split())}" for x, y, text in points]
        if lines:
            # XML would read a line break in an attribute as a blank.
            self._hover = f' data-along="{along}" data-hover="{"&#10;".join(map(html.escape, lines))}"'

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """Adds a straight line."""
        self.path(f"M{coordinate(x1)} {coordinate(y1)}L{coordinate(x2)} {coordinate(y2)}", css)

    def path(self, data: str, css: str) -> None:
        """Adds a path, unless it is empty."""
        if data:
            self._parts.append(f'<path class="{css}" d="{data}"/>')

    def rect(
        self, x: float, y: float, width: float, height: float, css: str, *, radius: float = 0, style: str = ""
    ) -> None:
        """Adds a rectangle."""
        place = f'x="{coordinate(x)}" y="{coordinate(y)}" width="{coordinate(width)}" height="{coordinate(height)}"'
        corner = f' rx="{coordinate(radius)}"' if radius else ""
        paint = f' style="{style}"' if style else ""
        self._parts.append(f'<rect class="{css}" {place}{corner}{paint}/>')

    def circle(self, x: float, y: float, radius: float, css: str) -> None:
        """Adds a circle."""
        self._parts.append(
            f'<circle class="{css}" cx="{coordinate(x)}" cy="{coordinate(y)}" r="{coordinate(radius)}"/>'
        )

    def text(self, x: float, y: float, text: str, css: str, *, anchor: str = "start") -> None:
        """Adds text, escaped. `anchor` is start, middle or end."""
        place = f'x="{coordinate(x)}" y="{coordinate(y)}"'
        self._parts.append(f'<text class="{css}" {place} text-anchor="{anchor}">{html.escape(text)}</text>')

    def slanted_text(self, x: float, y: float, text: str, css: str) -> None:
        """Adds text that rises from (x, y) to the right, escaped."""
        place = f'transform="translate({coordinate(x)} {coordinate(y)}) rotate(-45)"'
        self._parts.append(f'<text class="{css}" {place}>{html.escape(text)}</text>')

    def axes(self, x: Axis, y: Axis, x_label: str, y_label: str) -> None:
        """Adds both axes: lines, ticks outside, a faint grid across, and labels."""
        for value, label in y.ticks:
            place = y.at(value)
            self.line(x.start, place, x.end, place, "grid")
            self.line(x.start - TICK, place, x.start, place, "axis")
            self.text(x.start - GAP, place + 4, label, "tick", anchor="end")
        self.line(x.start, y.start, x.start, y.end, "axis")
        self.horizontal(x, y.start)
        if y_label or y.factor:
            self.text(0, 11, f"{y_label}{', ' if y_label and y.factor else ''}{y.factor}", "label")
        if x_label or x.factor:
            label = f"{x_label}{', ' if x_label and x.factor else ''}{x.factor}"
            self.text(x.end, y.start + 32, label, "label", anchor="end")

    def horizontal(self, x: Axis, at: float) -> None:
        """Adds a horizontal axis alone, at height `at`: a line, and ticks below it."""
        for value, label in x.ticks:
            place = x.at(value)
            self.line(place, at, place, at + TICK, "axis")
            self.text(place, at + TICK + GAP + 8, label, "tick", anchor="middle")
        self.line(x.start, at, x.end, at, "axis")


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Returns the places moved apart by at least `gap`, in their order, inside [low, high] where they fit."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    floor = low
    for index in order:
        moved[index] = floor = max(places[index], floor)
        floor += gap
    ceiling = high
    for index in reversed(order):
        moved[index] = ceiling = min(moved[index], ceiling)
        ceiling -= gap
    return moved
