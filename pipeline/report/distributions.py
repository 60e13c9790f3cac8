"""Draws how the values of a column are distributed, train beside eval."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crossnet.components.formats import number, percent
from crossnet.pipeline.report import hover
from crossnet.pipeline.report.charts import Steps, shorten, text_width
from crossnet.pipeline.report.svg import Axis, Drawing, linear_axis, polyline


def histogram(
    train: Steps | None,
    eval_: Steps | None,
    title: str,
    *,
    axis: Callable[..., Axis] = linear_axis,
    text: hover.Text = number,
) -> str:
    """Returns two histograms of one number, train filled and eval as a line, each of area one, on an axis by `axis`.

    Under the pointer stand a bucket's ends, by `text`, and its shares of the rows.
    """
    drawing = Drawing(300, 116, title)
    given = [steps for steps in (train, eval_) if steps is not None and len(steps.heights)]
    edges = np.concatenate([steps.edges for steps in given]) if given else np.empty(0)
    x = axis(edges, 6, 294, count=6, tight=True)
    tallest = max((float(steps.heights.max()) for steps in given), default=0.0) or 1.0
    y = Axis(0.0, tallest, 82, 6, False, ())
    drawing.hover(hover.bucket_points(train, eval_, x, y, text), "x")
    for steps, css in ((train, "train"), (eval_, "eval")):
        if steps is not None and len(steps.heights):
            drawing.path(_outline(steps, x, y), f"steps {css}")
    drawing.horizontal(x, y.start)
    if x.factor:
        drawing.text(x.end, y.start + 32, x.factor, "label", anchor="end")
    return str(drawing)


def _outline(steps: Steps, x: Axis, y: Axis) -> str:
    places = np.repeat(x.place(steps.edges), 2)
    heights = np.concatenate([[0.0], np.repeat(steps.heights, 2), [0.0]])
    return polyline(places, y.place(heights))


def value_bars(values: Sequence[tuple[str, float, float]], title: str) -> str:
    """Returns shares of a text column's most frequent values: train as bars, eval as strokes.

    Args:
      values: Value, share in train and share in eval, each 0 to 1.
      title: What the chart shows, read by screen readers.
    """
    labels = [shorten(value, 16) or "(empty)" for value, _, _ in values]
    bottom = 4 + 18 * len(values)
    drawing = Drawing(300, bottom + 26, title)
    left = max(map(text_width, labels), default=0.0) + 10
    largest = max((share for _, *shares in values for share in shares), default=0.0) or 1.0
    x = linear_axis(np.array([0.0, 100 * largest]), left, 288, count=3)
    drawing.hover(
        (
            (
                x.at(100 * train),
                13.0 + 18 * i,
                f"{value or '(empty)'}: {percent(train)} of train, {percent(eval_)} of eval",
            )
            for i, (value, train, eval_) in enumerate(values)
        ),
        "y",
    )
    for i, (_, train, eval_) in enumerate(values):
        place = 4.0 + 18 * i
        drawing.text(left - 6, place + 13, labels[i], "tick", anchor="end")
        drawing.rect(left, place + 3, x.at(100 * train) - left, 12, "bar train")
        drawing.line(x.at(100 * eval_), place + 1, x.at(100 * eval_), place + 17, "steps eval")
    for value, label in x.ticks:
        drawing.text(x.at(value), bottom + 16, f"{label} %", "tick", anchor="middle")
    drawing.line(left, 2, left, bottom, "axis")
    return str(drawing)
