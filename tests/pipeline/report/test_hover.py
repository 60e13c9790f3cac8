import xml.etree.ElementTree as ET

import numpy as np
import pytest

from crossnet.pipeline.report import hover
from crossnet.pipeline.report.charts import Bands, Density, Series, Steps
from crossnet.pipeline.report.svg import Axis, Drawing

X, Y = Axis(0, 10, 0, 100, False, ()), Axis(0, 10, 100, 0, False, ())


def test_a_curve_says_its_name_and_both_values_and_skips_gaps():
    series = Series("dense", "dense", np.array([1.0, 2.0, 3.0]), np.array([5.0, np.nan, 2.5]), said="dense, eval")
    points = list(hover.curve_points(series, X, Y, lambda value: f"epoch {value:.0f}"))
    assert points == [(10, 50, "dense, eval, epoch 1: 5"), (30, 75, "dense, eval, epoch 3: 2.5")]


def test_a_long_curve_has_a_bounded_number_of_points_with_both_ends():
    values = np.linspace(0, 10, 5000)
    points = list(hover.curve_points(Series("a", "a", values, values), X, Y, str))
    assert len(points) == hover.MAX_CURVE_POINTS
    assert (points[0][0], points[-1][0]) == (0, 100)
    assert not list(hover.curve_points(Series("a", "a", values, np.full(5000, np.nan)), X, Y, str))


def test_cells_say_their_middle_and_their_rows(monkeypatch):
    edges = np.array([0.0, 2.0, 4.0])
    density = Density(np.array([[1, 0], [2, 3]]), edges, edges)
    points = list(hover.cell_points(density, X, Y, "actual", "predicted"))
    assert points[0] == (30, 70, "actual 3, predicted 3: 3 rows")
    assert [text.rpartition(": ")[2] for *_, text in points] == ["3 rows", "2 rows", "1 row"]
    monkeypatch.setattr(hover, "MAX_CELLS", 1)
    assert list(hover.cell_points(density, X, Y, "actual", "predicted")) == points[:1]


def test_bands_say_their_group_by_name_or_by_value():
    low, middle, high = np.array([-1.0, np.nan]), np.array([0.0, np.nan]), np.array([2.0, np.nan])
    by_value = Bands("age", np.array([30.0, 40.0]), (), low, middle, high)
    assert list(hover.band_points(by_value, [1, 2], [3, 4], lambda value: f"{value:.0f}")) == [
        (1, 3, "age 30: median 0, 5 to 95 % -1 to 2")
    ]
    by_name = Bands("zone", np.empty(0), ("east", "west"), low, middle, high)
    assert list(hover.band_points(by_name, [1, 2], [3, 4], str)) == [(1, 3, "east: median 0, 5 to 95 % -1 to 2")]


@pytest.mark.parametrize(("train", "shares"), [(True, "40 % of train, 40 % of eval"), (False, "40 % of eval")])
def test_buckets_say_the_share_of_each_split_that_is_there(train, shares):
    steps = Steps(np.array([0.0, 4.0, 10.0]), np.array([0.1, 0.1]))
    points = list(hover.bucket_points(steps if train else None, steps, X, Y, lambda value: f"{value:.0f}"))
    assert points[0] == (20, pytest.approx(99), f"0 to 4: {shares}")
    assert not list(hover.bucket_points(None, None, X, Y, str))


def test_a_matrix_says_both_names_and_leaves_empty_cells_out():
    matrix = np.array([[0.5, np.nan], [-2.0, 1.0]])
    points = list(hover.matrix_points(matrix, ["a", "b"], ["c", "d"], lambda i, j: (j, i)))
    assert points == [(0, 0, "a × c: 0.5"), (0, 1, "b × c: -2"), (1, 1, "b × d: 1")]


def test_dependence_says_the_value_and_the_mean_prediction():
    curve = {"at": ["", "north"], "prediction": [1.5, 2.0]}
    said = list(hover.dependence_points(curve, [1, 2], [3, 4], "zone", lambda value: value or "(missing)"))
    assert said == [(1, 3, "zone (missing): mean prediction 1.5"), (2, 4, "zone north: mean prediction 2")]


def test_a_drawing_keeps_points_in_an_attribute_that_hostile_text_cannot_leave():
    drawing = Drawing(10, 10, "t")
    drawing.hover([(1.25, 2, '"><script>\n&'), (3, 4, "plain")], "y")
    root = ET.fromstring(str(drawing))
    assert root.attrib["data-hover"] == '1.2 2 "><script> &\n3 4 plain'
    assert root.attrib["data-along"] == "y"
    empty = Drawing(10, 10, "t")
    empty.hover([])
    assert "data-hover" not in str(empty)
