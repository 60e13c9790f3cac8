"""Draws what each column does to the predictions of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crossnet.components.evaluation.slices import MISSING
from crossnet.components.formats import number
from crossnet.pipeline.report.charts import roomy_axis, shorten, text_width
from crossnet.pipeline.report.column_axis import axis_of
from crossnet.pipeline.report.column_texts import ColumnTexts
from crossnet.pipeline.report.hover import dependence_points
from crossnet.pipeline.report.svg import Axis, Drawing, linear_axis, polyline

MAX_BARS = 30
MAX_NAME = 28


def effects(details: Mapping[str, Any], css: str, texts: ColumnTexts) -> dict[str, Any]:
    """Returns what the report shows of a model's `importance` and `dependence`; {} where these were not measured.

    Args:
      details: What details.json says of the model.
      css: CSS class of its colour.
      texts: Names and values of columns.
    """
    importance = details.get("importance")
    if not importance:
        return {}
    columns, curves = importance["columns"], details.get("dependence", ())
    means = [value for curve in curves for value in curve["prediction"]]
    return {
        "bars": importance_bars(columns[:MAX_BARS], css, texts),
        "rows": importance["rows"],
        "more": max(0, len(columns) - MAX_BARS),
        "curves": [dependence_chart(curve, means, css, texts) for curve in curves],
    }


def importance_bars(columns: Sequence[Mapping[str, Any]], css: str, texts: ColumnTexts) -> str:
    """Returns one bar for each column, with the interval as a line, and the number at its end."""
    labels = [shorten(texts.name(column["name"]), MAX_NAME) for column in columns]
    numbers = [number(column["increase"], 3) for column in columns]
    bottom = 6.0 + 20 * len(columns)
    words = ", ".join(f"{label} {text}" for label, text in list(zip(labels, numbers, strict=True))[:5])
    drawing = Drawing(360, bottom + 40, f"Growth of the RMSE where a column is shuffled: {words}")
    left = max(map(text_width, labels)) + 12
    right = 360 - max(map(text_width, numbers)) - 10
    ends = [end for column in columns for end in (0.0, column["increase"], *column["interval"])]
    x = linear_axis(np.array(ends), left, right, count=3, tight=True)
    rows = Axis(0, len(columns), bottom, 6, False, ())
    drawing.axes(x, rows, "growth of the RMSE", "")
    drawing.hover(
        (
            (
                x.at(column["increase"]),
                16.0 + 20 * i,
                f"{texts.name(column['name'])}: {numbers[i]}, "
                f"interval {' to '.join(number(end, 3) for end in column['interval'])}",
            )
            for i, column in enumerate(columns)
        ),
        "y",
    )
    for i, column in enumerate(columns):
        place, zero = 16.0 + 20 * i, x.at(0.0)
        end = x.at(column["increase"])
        low, high = (x.at(value) for value in column["interval"])
        drawing.text(left - 8, place + 4, labels[i], "tick", anchor="end")
        drawing.rect(min(zero, end), place - 6, abs(end - zero), 12, f"bar-of {css}")
        drawing.line(low, place, high, place, f"whisker {css}")
        drawing.text(360, place + 4, numbers[i], "tick", anchor="end")
    drawing.line(x.at(0.0), 6, x.at(0.0), bottom, "axis")
    return str(drawing)


def dependence_chart(curve: Mapping[str, Any], means: Sequence[float], css: str, texts: ColumnTexts) -> str:
    """Returns the mean prediction by value of one column; `means` are those of all, so that the charts compare."""
    name, values = curve["name"], np.array(curve["prediction"], np.float64)
    shown = texts.name(name)
    title = f"Mean prediction by {shown}: {number(float(values.min()), 3)} to {number(float(values.max()), 3)}"
    if any(isinstance(value, str) for value in curve["at"]):
        return _named_values(curve, means, title, css, texts)
    drawing = Drawing(320, 200, title)
    y = linear_axis(np.array(means), 160, 24, count=4)
    x = axis_of(texts, name)(np.array(curve["at"], np.float64), 52, 312, count=6, tight=True)
    drawing.axes(x, y, shorten(shown, 40), "")
    places = x.place(np.array(curve["at"], np.float64)), y.place(values)
    along, up = (at.tolist() for at in places)
    said = dependence_points(curve, along, up, shown, lambda value: texts.value(name, value))
    drawing.hover(said, "x")
    drawing.path(polyline(*places), f"curve {css} solid")
    for place_x, place_y in zip(*places, strict=True):
        drawing.circle(place_x, place_y, 2.5, f"mark {css}")
    return str(drawing)


def _named_values(curve: Mapping[str, Any], means: Sequence[float], title: str, css: str, texts: ColumnTexts) -> str:
    labels = [shorten(value, 16) or MISSING for value in curve["at"]]
    bottom = 30 + 20 * len(labels)
    drawing = Drawing(320, bottom + 40, title)
    left = max(map(text_width, labels)) + 12
    x = roomy_axis(np.array(means), left, drawing.width)
    rows = Axis(0, len(labels), bottom, 24, False, ())
    drawing.axes(x, rows, "", shorten(texts.name(curve["name"]), 40))
    name, rows_at = texts.name(curve["name"]), [38.0 + 20 * i for i in range(len(labels))]
    means_at = [x.at(value) for value in curve["prediction"]]
    drawing.hover(dependence_points(curve, means_at, rows_at, name, lambda value: value or MISSING), "y")
    for place, label, value in zip(rows_at, labels, curve["prediction"], strict=True):
        drawing.text(left - 8, place + 4, label, "tick", anchor="end")
        drawing.circle(x.at(value), place, 3.5, f"mark {css}")
    return str(drawing)
