import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from crossnet.pipeline.report.svg import Drawing, linear_axis, log_axis, polyline, power, spread


def labels(axis):
    return [label for _, label in axis.ticks]


def test_power_is_written_as_in_print():
    assert power(-6) == "10⁻⁶"
    assert power(12) == "10¹²"


def test_linear_axis_has_round_ticks_that_hold_the_data():
    axis = linear_axis([0.3, 9.2], 0, 100)
    assert labels(axis) == ["0", "2", "4", "6", "8", "10"]
    assert (axis.low, axis.high) == (0, 10)
    assert axis.at(5) == 50


def test_linear_axis_ends_at_the_data_when_tight():
    axis = linear_axis([0.0, 0.995], 0, 995, tight=True)
    assert labels(axis) == ["0", "0.2", "0.4", "0.6", "0.8"]
    assert axis.at(0.995) == 995


def test_linear_axis_has_whole_ticks_for_what_is_counted():
    assert labels(linear_axis([1, 3], 0, 1, tight=True, whole=True)) == ["1", "2", "3"]
    assert labels(linear_axis([1, 1], 0, 1, tight=True, whole=True)) == ["1"]
    assert labels(linear_axis([1, 100], 0, 1, tight=True, whole=True)) == ["20", "40", "60", "80", "100"]


@pytest.mark.parametrize(
    ("values", "wanted", "factor"),
    [
        ([-2e-7, 3e-7], ["−2", "−1", "0", "1", "2", "3"], "×10⁻⁷"),
        ([0, 8e6], ["0", "2", "4", "6", "8"], "×10⁶"),
        ([1000, 3000], ["1,000", "1,500", "2,000", "2,500", "3,000"], ""),
    ],
)
def test_linear_axis_takes_a_factor_out_of_very_small_and_large_numbers(values, wanted, factor):
    axis = linear_axis(values, 0, 100)
    assert labels(axis) == wanted
    assert axis.factor == factor


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, math.nan]])
def test_linear_axis_without_a_finite_value_goes_from_zero_to_one(values):
    axis = linear_axis(values, 0, 100)
    assert (axis.low, axis.high) == (0, 1)


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e-300, 1e300, 0.1 + 0.2])
def test_linear_axis_of_one_value_has_room_on_both_sides(value):
    axis = linear_axis([value, value], 0, 100)
    assert axis.low < value < axis.high
    assert 2 <= len(axis.ticks) <= 7


def test_linear_axis_never_has_two_equal_labels():
    for low, high in [(1.0, 1.0001), (99_999.5, 100_000.5), (1e-9, 2e-9), (-1e6, 1e-6)]:
        found = labels(linear_axis([low, high], 0, 100))
        assert len(set(found)) == len(found) >= 2


def test_log_axis_goes_from_power_to_power_with_few_ticks():
    axis = log_axis([3e-8, 0.4], 100, 0)
    assert (axis.low, axis.high) == (1e-8, 1.0)
    assert labels(axis) == ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]
    assert axis.at(1e-4) == pytest.approx(50)


def test_log_axis_over_a_short_range_is_finer():
    assert labels(log_axis([0.09, 0.38], 0, 1)) == ["0.05", "0.1", "0.2", "0.5"]
    assert labels(log_axis([0.1, 0.1], 0, 1)) == ["0.1", "0.2"]
    assert labels(log_axis([1, 1000], 0, 1)) == ["10⁰", "10¹", "10²", "10³"]


def test_log_axis_leaves_out_what_has_no_logarithm():
    axis = log_axis([-1, 0, math.nan, math.inf, 1e-3, 1.0], 0, 3)
    assert (axis.low, axis.high) == (1e-3, 1.0)
    assert np.isnan(axis.place([0, -1, math.nan])).all()
    assert labels(log_axis([], 0, 1)) == ["1", "2", "5", "10"]


def test_polyline_breaks_at_gaps():
    assert polyline(np.array([0, 1, 2, 3.0]), np.array([0, math.nan, 2, 3.25])) == "M0 0M2 2L3 3.2"
    assert polyline(np.empty(0), np.empty(0)) == ""


def test_spread_keeps_labels_apart_in_their_order_and_inside():
    assert spread([50, 50, 52], 10, 0, 100) == [50, 60, 70]
    assert spread([98, 99], 10, 0, 100) == [90, 100]
    assert spread([], 10, 0, 100) == []


def test_drawing_is_well_formed_and_escapes_text():
    drawing = Drawing(100, 50, '"><script>', "wide")
    drawing.text(1, 2, "<b>&", "name")
    drawing.slanted_text(1, 2, "</text>", "name")
    drawing.axes(linear_axis([0, 1], 0, 100), log_axis([1, 10], 50, 0), "<x>", "y & z")
    root = ET.fromstring(str(drawing))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == '"><script>'
    texts = [node.text for node in root.iter("text")]
    assert {"<b>&", "</text>", "<x>", "y & z"} <= set(texts)
