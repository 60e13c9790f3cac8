import xml.etree.ElementTree as ET

import numpy as np

from crossnet.pipeline.report.charts import Steps
from crossnet.pipeline.report.distributions import histogram, value_bars


def parse(picture):
    return ET.fromstring(picture)


def of_class(tree, css):
    return [node for node in tree.iter() if css in node.attrib.get("class", "").split()]


def texts(tree):
    return [node.text for node in tree.iter("text")]


def test_histogram_fills_train_and_outlines_eval():
    train, eval_ = Steps(np.array([0, 1, 2.0]), np.array([0.25, 0.75])), Steps(np.array([0, 2.0]), np.array([0.5]))
    tree = parse(histogram(train, eval_, "t"))
    assert [node.attrib["class"] for node in of_class(tree, "steps")] == ["steps train", "steps eval"]
    data = of_class(tree, "train")[0].attrib["d"]
    assert data == "M6 82L6 56.7L150 56.7L150 6L294 6L294 82"


def test_histogram_names_the_power_of_ten_of_its_ticks():
    steps = Steps(np.array([0.0, 2e5, 4e5]), np.array([1.0, 2.0]))
    assert "×10⁵" in histogram(steps, None, "fare")
    assert "×10" not in histogram(Steps(np.array([0.0, 0.5, 1.0]), np.array([1.0, 2.0])), None, "x0")


def test_histogram_of_one_split_or_none():
    steps = Steps(np.array([-0.5, 0.5]), np.ones(1))
    assert len(of_class(parse(histogram(None, steps, "t")), "steps")) == 1
    assert not of_class(parse(histogram(None, None, "t")), "steps")
    assert not of_class(parse(histogram(Steps(np.zeros(1), np.empty(0)), None, "t")), "steps")


def test_value_bars_compare_shares():
    tree = parse(value_bars([("east", 0.5, 0.25), ("", 0.5, 0.75), ("<b>", 0, 0)], "t"))
    assert {"east", "(empty)", "<b>", "0 %", "50 %"} <= set(texts(tree))
    widths = [float(node.attrib["width"]) for node in of_class(tree, "bar")]
    assert widths[0] == widths[1] > widths[2] == 0
    assert parse(value_bars([], "t")) is not None


def test_under_the_pointer_stand_a_buckets_shares_of_both_splits():
    train, eval_ = Steps(np.array([0, 1, 2.0]), np.array([0.25, 0.75])), Steps(np.array([0, 2.0]), np.array([0.5]))
    root = parse(histogram(train, eval_, "t", text=lambda value: f"<{value:.0f}>"))
    said = [line.split(" ", 2)[2] for line in root.attrib["data-hover"].split("\n")]
    assert said == ["<0> to <1>: 25 % of train, 50 % of eval", "<1> to <2>: 75 % of train, 50 % of eval"]
    assert root.attrib["data-along"] == "x"


def test_under_the_pointer_a_value_has_its_whole_name():
    root = parse(value_bars([("Universität & Klinikum", 0.5, 0.25)], "t"))
    assert root.attrib["data-hover"].split(" ", 2)[2] == "Universität & Klinikum: 50 % of train, 25 % of eval"
