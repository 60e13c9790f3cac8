import math

import pytest

from crossnet.components.formats import aligned, counted, duration, moment, number, percent, product, superscript


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.68889, "0.6889"),
        (7.28e-6, "7.28e-6"),
        (-1.5e-07, "-1.5e-7"),
        (90_000, "90,000"),
        (12345.678, "12,346"),
        (9999.7, "10,000"),
        (1234.5, "1,234"),
        (999_999_999.4, "999,999,999"),
        (1_000_000_000.5, "1e9"),
        (3e14, "300,000,000,000,000"),
        (1e15, "1e15"),
        (0.0, "0"),
        (None, "-"),
        (math.nan, "NaN"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (1e300, "1e300"),
    ],
)
def test_number_shows_four_digits_and_no_exponent_where_people_count(value, text):
    assert number(value, 4) == text


def test_number_shows_three_digits_if_not_told_otherwise():
    assert number(0.123456) == "0.123"
    assert number(45231.2) == "45,231"


@pytest.mark.parametrize(
    ("value", "unlike", "text"),
    [
        (0.0100001, 0.01, "0.0100001"),
        (0.01, 0.0100001, "0.01"),
        (0.5, 0.5, "0.5"),
        (0.5, math.nan, "0.5"),
        (45231.2, 45231.4, "45,231.2"),
        (0.1 + 0.2, 0.3, "0.30000000000000004"),
        (math.nan, math.nan, "NaN"),
    ],
)
def test_number_shows_as_many_digits_as_tell_it_from_another(value, unlike, text):
    assert number(value, unlike=unlike) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.05, "5 %"), (0.12345, "12.3 %"), (1, "100 %"), (0.0000012, "0.00012 %"), (123.456, "12,346 %")],
)
def test_percent_is_of_a_hundred(share, text):
    assert percent(share) == text


def test_duration_has_a_tenth():
    assert (duration(0.04), duration(1.26), duration(1234)) == ("0.0 s", "1.3 s", "1,234.0 s")


@pytest.mark.parametrize(
    ("count", "nouns", "text"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (2000, ("row",), "2,000 rows"),
        (1, ("anomaly", "anomalies"), "1 anomaly"),
        (2, ("anomaly", "anomalies"), "2 anomalies"),
    ],
)
def test_counted_names_one_and_many(count, nouns, text):
    assert counted(count, *nouns) == text


def test_superscript_is_written_as_in_print():
    assert (superscript(-6), superscript(12)) == ("⁻⁶", "¹²")


@pytest.mark.parametrize(
    ("factors", "text"), [([], ""), (["x0"], "x0"), (["x0", "x0"], "x0²"), (["b", "a", "b", "b"], "b³·a")]
)
def test_product_writes_equal_factors_as_a_power(factors, text):
    assert product(factors) == text


def test_aligned_has_names_to_the_left_and_numbers_to_the_right():
    rows = [("model", "rmse", ""), ("cross_layer", "0.5", "champion"), ("dense", "12,346", "")]
    assert aligned(rows, left=(0, 2)) == [
        "  model          rmse",
        "  cross_layer     0.5  champion",
        "  dense        12,346",
    ]
    assert aligned(rows[1:], left=()) == ["  cross_layer     0.5  champion", "        dense  12,346"]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_moments_of_all_units(unit, factor):
    assert moment(86_400 * factor, unit) == "1970-01-02"
