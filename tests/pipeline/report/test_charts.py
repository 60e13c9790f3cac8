import itertools
import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from crossnet.pipeline.report.charts import (
    Bands,
    Density,
    Series,
    band_chart,
    density_chart,
    line_chart,
    roomy_axis,
    shorten,
    text_width,
)


def parse(picture):
    """Returns an SVG picture as a tree; every place in it must be a number."""
    assert "nan" not in re.sub(r">[^<]*<|aria-label=\"[^\"]*\"", "", picture)
    assert "inf" not in re.sub(r">[^<]*<|aria-label=\"[^\"]*\"", "", picture)
    return ET.fromstring(picture)


def of_class(tree, css):
    return [node for node in tree.iter() if css in node.attrib.get("class", "").split()]


def texts(tree):
    return [node.text for node in tree.iter("text")]


def chart(*series, **options):
    wanted = {"x_label": "epoch", "y_label": "RMSE", "width": 600, "height": 300, **options}
    return parse(line_chart(series, "title", **wanted))


def curve(name, values, **options):
    return Series(name, name, np.arange(1, len(values) + 1, dtype=float), np.array(values, dtype=float), **options)


def test_line_chart_names_each_curve_at_its_end_without_overlap():
    tree = chart(curve("one", [1, 1e-3]), curve("two", [1, 1.01e-3]), curve("three", [1, 0.5]))
    names = of_class(tree, "name")
    assert [node.text for node in names] == ["one", "two", "three"]
    heights = sorted(float(node.attrib["y"]) for node in names)
    assert min(np.diff(heights)) >= 14
    assert {"epoch", "RMSE", "10⁰", "10⁻³"} <= set(texts(tree))


def test_line_chart_leaves_a_curve_without_a_name_unlabelled():
    tree = chart(curve("", [1, 0.1]), curve("two", [1, 0.1]))
    assert [node.text for node in of_class(tree, "name")] == ["two"]
    assert len(of_class(tree, "curve")) == 2


def test_line_chart_has_gaps_where_there_is_no_logarithm():
    tree = chart(curve("one", [1, math.nan, 0, -1, 0.1, 0.01]))
    assert of_class(tree, "curve")[0].attrib["d"].count("M") == 2


@pytest.mark.parametrize("values", [[], [math.nan, math.nan], [0.0], [math.inf]])
def test_line_chart_without_a_value_to_show_has_axes_only(values):
    tree = chart(curve("one", values))
    assert not of_class(tree, "curve")
    assert not of_class(tree, "name")
    assert len(of_class(tree, "axis")) > 2
    assert chart() is not None


def test_line_chart_of_a_constant_and_of_one_point():
    assert of_class(chart(curve("one", [0.3, 0.3, 0.3])), "curve")
    assert [node.tag for node in of_class(chart(curve("one", [0.3], hollow=np.array([True]))), "hollow")] == ["circle"]


def test_line_chart_keeps_spikes_of_a_long_curve_in_few_points():
    values = np.full(100_000, 1e-3)
    values[54_321], values[77_777] = 1.0, math.nan
    data = of_class(chart(curve("one", values)), "curve")[0].attrib["d"]
    assert len(data) < 15_000
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", data)]
    assert min(heights) == 24  # the top of the picture
    assert data.count("M") == 2


def test_line_chart_takes_given_ticks():
    tree = chart(curve("one", [1, 2]), x_ticks=[(1.0, "01-01"), (2.0, "01-02")])
    assert {"01-01", "01-02"} <= set(texts(tree))


def density(counts):
    edges = np.linspace(0, 1, len(counts) + 1)
    return Density(np.array(counts), edges, edges)


def test_density_chart_has_one_path_per_shade_and_a_line_of_equality():
    counts = np.random.default_rng(0).integers(0, 1000, (60, 60))
    picture = density_chart(density(counts), "title", x_label="actual", y_label="predicted", css="dense")
    tree = parse(picture)
    assert len(of_class(tree, "cell")) <= 6
    assert len(of_class(tree, "equal")) == 1
    assert len(picture) < 125_000
    boxes = sum(node.attrib["d"].count("M") for node in of_class(tree, "cell"))
    assert boxes == np.count_nonzero(counts)


def test_density_chart_puts_a_pair_where_it_belongs():
    tree = parse(density_chart(density([[0, 0], [7, 0]]), "t", x_label="", y_label="", css="c", deciles=[(0.5, 0.5)]))
    x, y = map(float, re.match(r"M([\d.]+) ([\d.]+)H", of_class(tree, "cell")[0].attrib["d"]).groups())
    assert (x, y) == (192, 280)  # x in the upper half, y in the lower, which starts at the bottom
    assert "level-6" in of_class(tree, "cell")[0].attrib["class"]
    assert [(c.attrib["cx"], c.attrib["cy"]) for c in of_class(tree, "decile")] == [("192", "152")]


def test_density_chart_without_pairs_is_empty():
    tree = parse(density_chart(density(np.zeros((3, 3), int)), "t", x_label="", y_label="", css="c"))
    assert not of_class(tree, "cell")


def bands(middle, names=(), at=None):
    middle = np.array(middle, dtype=float)
    at = np.arange(len(middle), dtype=float) if at is None else np.array(at)
    return Bands("zone <b>", np.empty(0) if names else at, names, middle - 1, middle, middle + 1)


def test_band_chart_draws_median_and_band():
    tree = parse(band_chart(bands([0, 1, math.nan, 0]), (-2, 2), "t", css="dense"))
    assert of_class(tree, "band")[0].attrib["d"].endswith("Z")
    assert of_class(tree, "curve")[0].attrib["d"].count("L") == 2
    assert "zone <b>" in texts(tree)


def test_band_chart_of_names_draws_a_row_for_each():
    tree = parse(band_chart(bands([0, math.nan], ("a" * 40, "</svg>")), (-2, 2), "t", css="dense"))
    assert {"a" * 15 + "…", "</svg>"} <= set(texts(tree))
    assert len(of_class(tree, "range")) == len(of_class(tree, "mark")) == 1


@pytest.mark.parametrize("values", [[], [math.nan], [0.0]])
def test_band_chart_of_nothing_or_little_draws_no_band(values):
    parse(band_chart(bands(values), (0, 0), "t", css="dense"))


def test_shorten_keeps_short_text():
    assert shorten("abc", 3) == "abc"
    assert shorten("abcd", 3) == "ab…"


def test_a_narrow_axis_has_ticks_whose_labels_stand_apart_and_end_before_the_edge():
    axis = roomy_axis(np.array([-40_000.0, 40_000.0]), 110, 320)
    middles = [(axis.at(value), text_width(label)) for value, label in axis.ticks]
    assert all(b - a > (w1 + w2) / 2 for (a, w1), (b, w2) in itertools.pairwise(middles))
    assert middles[-1][0] + middles[-1][1] / 2 <= 320
    assert len(roomy_axis(np.array([-40_000.0, 40_000.0]), 220, 320).ticks) < len(axis.ticks)  # less room, fewer
