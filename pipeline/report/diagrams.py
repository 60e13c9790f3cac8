"""Draws a matrix as a heat map, and the graph of steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crossnet.pipeline.report.charts import CHARACTER, shorten
from crossnet.pipeline.report.hover import matrix_points
from crossnet.pipeline.report.svg import Drawing, coordinate
from crossnet.serving.protocol.dtypes import Array

MAX_NUMBERED_ROWS = 12  # of a heat map that writes its values
MAX_MATRIX_ROWS = 40
MAX_NAME = 18

NODE_WIDTH, NODE_HEIGHT = 136, 38
COLUMN, ROW = 146, 62


def heat_map(matrix: Array, rows: Sequence[str], columns: Sequence[str], title: str) -> str:
    """Returns a matrix as coloured cells: one hue above zero, another below, paler near zero.

    Args:
      matrix: float64 (rows, columns); NaN cells stay empty.
      rows, columns: Names.
      title: What the matrix shows, read by screen readers.
    """
    matrix, rows, columns = (
        matrix[:MAX_MATRIX_ROWS, :MAX_MATRIX_ROWS],
        rows[:MAX_MATRIX_ROWS],
        columns[:MAX_MATRIX_ROWS],
    )
    size = 54 if len(columns) <= 6 else 36 if len(columns) <= MAX_NUMBERED_ROWS else 16
    left = max((len(shorten(name, MAX_NAME)) for name in rows), default=0) * CHARACTER + 12
    longest = max((len(shorten(name, MAX_NAME)) for name in columns), default=0) * CHARACTER
    slanted = longest > size - 4
    top = longest * 0.75 + 14 if slanted else 22.0
    overhang = longest * 0.75 if slanted else 0.0
    drawing = Drawing(left + size * len(columns) + 4 + overhang, top + size * len(rows) + 4, title, "matrix")
    largest = float(np.max(np.abs(matrix), initial=0.0, where=np.isfinite(matrix))) or 1.0
    drawing.hover(matrix_points(matrix, rows, columns, lambda i, j: (left + size * (j + 0.5), top + size * (i + 0.5))))
    for j, name in enumerate(columns):
        middle = left + size * (j + 0.5)
        if slanted:
            drawing.slanted_text(middle, top - 6, shorten(name, MAX_NAME), "tick")
        else:
            drawing.text(middle, top - 8, shorten(name, MAX_NAME), "tick", anchor="middle")
    for i, name in enumerate(rows):
        y = top + size * i
        drawing.text(left - 8, y + size / 2 + 4, shorten(name, MAX_NAME), "tick", anchor="end")
        for j in range(len(columns)):
            value, x = float(matrix[i, j]), left + size * j
            if not math.isfinite(value):
                drawing.rect(x, y, size - 1, size - 1, "cell-empty")
                continue
            depth = abs(value) / largest
            drawing.rect(x, y, size - 1, size - 1, "cell-base")
            hue = "cell-above" if value >= 0 else "cell-below"
            drawing.rect(x, y, size - 1, size - 1, hue, style=f"--depth:{depth:.3f}")
            if len(columns) <= MAX_NUMBERED_ROWS:
                drawing.text(x + size / 2 - 0.5, y + size / 2 + 4, _cell(value, size), "cell-number", anchor="middle")
    return str(drawing)


def _cell(value: float, size: float) -> str:
    text = f"{value:.2f}" if size < 50 else f"{value:.3f}"
    text = "0" if float(text) == 0 else text if abs(value) < 100 else f"{value:.0e}"
    return text.replace("-", "−")


@dataclass(frozen=True)
class Node:
    """A step in the graph: its name, its status (of a StepRecord, or not-reached) and a second line of text."""

    name: str
    status: str
    detail: str


def step_graph(nodes: Sequence[Node], needs: Mapping[str, Sequence[str]], title: str) -> str:
    """Returns the steps from top to bottom, each below all that it needs.

    An arrow that other arrows imply is left out.

    Args:
      nodes: The steps, in an order in which each comes after what it needs.
      needs: Step to the steps that must come before it.
      title: What the graph shows, read by screen readers.
    """
    names = [node.name for node in nodes]
    before: dict[str, set[str]] = {}  # all that a step needs, directly or not
    depth: dict[str, int] = {}
    for name in names:
        direct = [other for other in needs.get(name, ()) if other in depth]
        before[name] = set(direct).union(*(before[other] for other in direct))
        depth[name] = max((depth[other] + 1 for other in direct), default=0)
    levels = [[name for name in names if depth[name] == level] for level in range(max(depth.values(), default=-1) + 1)]
    widest = max(map(len, levels), default=1)
    width, height = COLUMN * widest + 2, ROW * len(levels) - (ROW - NODE_HEIGHT) + 4
    drawing = Drawing(width, height, title, "graph")
    places: dict[str, tuple[float, float]] = {}
    for level, members in enumerate(levels):
        for i, name in enumerate(members):
            places[name] = (width / 2 + (i - (len(members) - 1) / 2) * COLUMN, 2.0 + ROW * level)
    for name in names:
        for other in needs.get(name, ()):
            if other in places and not any(other in before[third] for third in needs[name] if third in before):
                _arrow(drawing, places[other], places[name])
    for node in nodes:
        x, y = places[node.name]
        drawing.rect(x - NODE_WIDTH / 2, y, NODE_WIDTH, NODE_HEIGHT, f"node {node.status}", radius=5)
        drawing.text(x, y + 16, shorten(node.name, 20), "node-name", anchor="middle")
        drawing.text(x, y + 30, node.detail, f"node-detail {node.status}", anchor="middle")
    return str(drawing)


def _arrow(drawing: Drawing, start: tuple[float, float], end: tuple[float, float]) -> None:
    (x1, y1), (x2, y2) = (start[0], start[1] + NODE_HEIGHT), (end[0], end[1] - 1)
    bend = (y2 - y1) / 2
    points = [x1, y1, x1, y1 + bend, x2, y2 - bend, x2, y2 - 3]
    c = [coordinate(value) for value in points]
    drawing.path(f"M{c[0]} {c[1]}C{c[2]} {c[3]} {c[4]} {c[5]} {c[6]} {c[7]}", "arrow")
    x, y = coordinate(x2), coordinate(y2)
    drawing.path(f"M{x} {y}l-3.5 -6h7z", "arrow-head")
