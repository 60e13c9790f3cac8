"""The rules for single cells, which ExampleGen and `predict` share."""

from __future__ import annotations

import math
import re

import pytest

from crossnet.serving.protocol.cell_values import (
    FALSE,
    TRUE,
    ZONED_REGEX,
    plain_number,
    read_date,
    read_number,
    read_time,
    read_truth,
)
from crossnet.serving.protocol.csv_format import CsvFormat


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1", 1.0),
        (" -2.5\t", -2.5),
        ("\u00a07", 7.0),
        ("+1e-3", 0.001),
        (".5", 0.5),
        ("1.", 1.0),
        ("007", 7.0),
        ("-inf", -math.inf),
        ("Infinity", math.inf),
        ("1e999", math.inf),
        ("99999999999999999999", 1e20),
    ],
)
def test_number_is_read_in_every_usual_form(cell, number):
    assert read_number(cell) == number


def test_nan_is_a_number():
    assert math.isnan(read_number("NaN"))


@pytest.mark.parametrize(
    "cell", ["", " ", "1_000", "1,5", "0x10", "1e", "--1", "one", "true", "\u0661", "\uff11", "1 2"]
)
def test_other_text_is_not_a_number(cell):
    assert read_number(cell) is None


def test_truth_values_are_three_spellings_each():
    assert [read_truth(f" {word}") for word in TRUE] == [True] * 3
    assert [read_truth(f"{word} ") for word in FALSE] == [False] * 3
    assert [read_truth(word) for word in ("", "1", "0", "yes", "tRUE", "t")] == [None] * 6


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("1970-01-02", 86_400),
        (" 1970-01-02 ", 86_400),
        ("1970-01-01T01", 3600),
        ("1970-01-01 01:02", 3720),
        ("1970-01-01T00:00:01.9", 1),
        ("1970-01-01T00:00:01.1234567891", 1),
        ("1969-12-31T23:59:59.5", -1),
        ("1970-01-01T00:00Z", 0),
        ("1970-01-01T01:00+01", 0),
        ("1970-01-01T00:00:00-0030", 1800),
        ("1970-01-01T00:00:00-00:01", 60),
        ("0001-01-01", -62_135_596_800),
        ("9999-12-31T23:59:59", 253_402_300_799),
        ("2000-02-29", 951_782_400),
    ],
)
def test_time_is_its_whole_unix_seconds(cell, seconds):
    assert read_time(cell) == seconds


@pytest.mark.parametrize(
    ("cell", "unit", "number"),
    [
        ("1970-01-01T00:00:01.9876543219", "ms", 1987),
        ("1970-01-01T00:00:01.9876543219", "us", 1_987_654),
        ("1970-01-01T00:00:01.9876543219", "ns", 1_987_654_321),
        ("1969-12-31T23:59:59.9999999", "ms", -1),
        ("1969-12-31T23:59:59.9999999", "ns", -100),
        ("1970-01-01T01:00:00.5+01:00", "ms", 500),
        ("9999-12-31", "ns", 253_402_214_400_000_000_000),
    ],
)
def test_time_is_counted_in_its_unit(cell, unit, number):
    assert read_time(cell, unit) == number


def test_date_in_a_form_is_counted_in_its_unit():
    assert read_date("01.01.1970 00:00:01.25", "%d.%m.%Y %H:%M:%S.%f", "ms") == 1250
    assert read_date("31.12.1969 23:59:59.999999", "%d.%m.%Y %H:%M:%S.%f") == -1


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "1970",
        "1970-01",
        "19700101",
        "1970-1-1",
        "1970-02-30",
        "0000-01-01",
        "1970-W01-1",
        "1970-01-01T24:00",
        "1970-01-01T23:60",
        "1970-01-01T23:59:60",
        "1970-01-01T0102",
        "1970-01-01t01:02",
        "1970-01-01T01:02:03,5",
        "1970-01-01T01:02:03.",
        "1970-01-01Z",
        "1970-01-01T01:02+24:00",
        "1970-01-01T01:02+01:60",
        "1970-01-01T01:02+01:00:30",
        "\u0661\u0669\u0667\u0660-01-01",
        "01.02.1970",
    ],
)
def test_other_text_is_not_a_time(cell):
    assert read_time(cell) is None


@pytest.mark.parametrize(
    ("cell", "zoned"),
    [
        ("1970-01-01", False),
        ("1970-01-01T01:02:03.5", False),
        ("1970-01-01T01:02Z", True),
        (" 1970-01-01T01-01", True),
        ("1970-01-01T01:02:03+0100", True),
    ],
)
def test_zone_is_found_in_times_that_name_one(cell, zoned):
    assert bool(re.search(ZONED_REGEX, cell.strip())) == zoned


@pytest.mark.parametrize(
    ("cell", "thousands", "number"),
    [
        ("0.5", "", "0.5"),
        ("0.125", "", "0.125"),
        (".125", "", ".125"),
        ("1234.125", "", "1234.125"),
        ("1.2345", "", "1.2345"),
        ("1.250", "", None),  # thousands in many countries that write 0,5
        ("0.5", ".", None),
        ("0.5", " ", "0.5"),
    ],
)
def test_a_point_is_read_beside_decimal_commas_where_it_cannot_be_thousands(cell, thousands, number):
    assert plain_number(cell, CsvFormat(delimiter=";", decimal=",", thousands=thousands)) == number


def test_either_mark_is_before_fractions_where_the_format_says_so():
    form = CsvFormat(delimiter=";", decimal=",.", thousands=" ")
    read = {
        cell: plain_number(cell, form)
        for cell in ("1,250", "1.250", "1 234,5", "1 234.5", "1.234,5", "1,2.3", ",5", "7")
    }
    assert read == {
        "1,250": "1.250", "1.250": "1.250", "1 234,5": "1234.5", "1 234.5": "1234.5", "1.234,5": None, "1,2.3": None,
        ",5": ".5", "7": "7",
    }  # fmt: skip
    assert CsvFormat(decimal=",.", thousands=".").problems() == [
        "`thousands` and `decimal` are the same. Received ',.' for both."
    ]
