import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from crossnet.pipeline.report.diagrams import Node, heat_map, step_graph


def of_class(tree, css):
    return [node for node in tree.iter() if css in node.attrib.get("class", "").split()]


def texts(tree):
    return [node.text for node in tree.iter("text")]


def test_heat_map_colours_by_sign_and_size_and_writes_values():
    tree = ET.fromstring(heat_map(np.array([[1.0, -0.5], [0, math.nan]]), ["a", "b"], ["a", "b"], "t"))
    above, below = of_class(tree, "cell-above"), of_class(tree, "cell-below")
    assert [node.attrib["style"] for node in above] == ["opacity:1.000", "opacity:0.000"]
    assert [node.attrib["style"] for node in below] == ["opacity:0.500"]
    assert {"1.000", "−0.500", "0"} <= set(texts(tree))
    assert len(of_class(tree, "strong")) == len(of_class(tree, "cell-empty")) == 1


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
