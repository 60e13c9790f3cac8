import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from crossnet.pipeline.report.diagrams import Node, heat_map, step_graph
from crossnet.pipeline.report.pages import TEMPLATES


def of_class(tree, css):
    return [node for node in tree.iter() if css in node.attrib.get("class", "").split()]


def texts(tree):
    return [node.text for node in tree.iter("text")]


def test_heat_map_colours_by_sign_and_size_and_writes_values():
    tree = ET.fromstring(heat_map(np.array([[1.0, -0.5], [0, math.nan]]), ["a", "b"], ["a", "b"], "t"))
    above, below = of_class(tree, "cell-above"), of_class(tree, "cell-below")
    assert [node.attrib["style"] for node in above] == ["--depth:1.000", "--depth:0.000"]
    assert [node.attrib["style"] for node in below] == ["--depth:0.500"]
    assert {"1.000", "−0.500", "0"} <= set(texts(tree))
    assert len(of_class(tree, "cell-empty")) == 1


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
@pytest.mark.parametrize("hue", ["above", "below"])
def test_a_number_on_a_cell_has_the_contrast_that_wcag_asks_for_at_every_depth(theme, hue):
    css = (TEMPLATES / "style.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, re.S)
    colours = dict(re.findall(r"--([\w-]+): ([^;]+);", blocks[theme]))

    def light(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def parts(name):
        digits = colours[name][1:]
        digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
        return np.array([int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)])

    for depth in np.linspace(0, 1, 21):
        share = depth * float(colours["deepest"])
        ground = light(share * parts(hue) + (1 - share) * parts("raised"))
        dark, bright = sorted([ground, light(parts("ink"))])
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, (depth, share)


@pytest.mark.parametrize("matrix", [np.zeros((2, 2)), np.full((2, 2), math.nan), np.zeros((0, 0))])
def test_heat_map_of_nothing_is_drawn(matrix):
    names = ["a", "b"][: len(matrix)]
    ET.fromstring(heat_map(matrix, names, names, "t"))


def test_heat_map_of_many_features_shows_the_first_forty_without_numbers():
    names = [f"a very long feature name {i}" for i in range(100)]
    tree = ET.fromstring(heat_map(np.ones((100, 100)), names, names, "t"))
    assert len(of_class(tree, "cell-above")) == 1600
    assert not of_class(tree, "cell-number")


def test_heat_map_slants_names_that_are_wider_than_a_cell():
    tree = ET.fromstring(heat_map(np.eye(2), ["x", "culmen_length_mm"], ["x", "culmen_length_mm"], "t"))
    assert sum("rotate" in node.attrib.get("transform", "") for node in tree.iter("text")) == 2


def graph(needs, statuses=None):
    nodes = [Node(name, (statuses or {}).get(name, "ran"), "1.0 s") for name in needs]
    return ET.fromstring(step_graph(nodes, needs, "t"))


def place(tree, name):
    text = next(node for node in of_class(tree, "node-name") if node.text == name)
    return float(text.attrib["x"]), float(text.attrib["y"])


def test_step_graph_puts_each_step_below_what_it_needs():
    tree = graph({"rows": [], "one": ["rows"], "two": ["rows"], "judge": ["rows", "one", "two"]})
    assert place(tree, "rows")[1] < place(tree, "one")[1] == place(tree, "two")[1] < place(tree, "judge")[1]
    assert place(tree, "one")[0] < place(tree, "rows")[0] == place(tree, "judge")[0] < place(tree, "two")[0]


def test_step_graph_leaves_out_arrows_that_follow_from_others():
    tree = graph({"rows": [], "schema": ["rows"], "model": ["rows", "schema"]})
    assert len(of_class(tree, "arrow")) == 2


def test_step_graph_tells_the_status_in_words_and_style():
    tree = graph({"rows": [], "model": ["rows"]}, {"rows": "reused", "model": "failed"})
    assert [node.attrib["class"] for node in of_class(tree, "node")] == ["node reused", "node failed"]


def test_step_graph_passes_over_what_is_not_part_of_the_run():
    tree = graph({"model": ["rows"]})
    assert not of_class(tree, "arrow")
    assert ET.fromstring(step_graph([], {}, "t")) is not None
