"""Cells and values of JSON are read as the types of a model's features."""

from __future__ import annotations

import math

import pytest

from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.messages import DATA_TYPES
from crossnet.serving.protocol.signature import TensorSpec
from crossnet.serving.rows.cells import missing, read_cell, read_json

FLOAT = TensorSpec(DATA_TYPES["DT_FLOAT"], (None,))
INT = TensorSpec(DATA_TYPES["DT_INT64"], (None,))
UNSIGNED = TensorSpec(DATA_TYPES["DT_UINT64"], (None,))
BOOL = TensorSpec(DATA_TYPES["DT_BOOL"], (None,))
TEXT = TensorSpec(DATA_TYPES["DT_STRING"], (None,))


@pytest.mark.parametrize(
    ("cell", "spec", "read"),
    [
        ("1.5", FLOAT, 1.5),
        (" 7 ", FLOAT, 7.0),
        ("99999999999999999999", FLOAT, 1e20),
        ("true", FLOAT, 1),
        ("1970-01-02", FLOAT, 86_400),
        ("7", INT, 7),
        ("9007199254740993", INT, 9_007_199_254_740_993),
        ("9007199254740993\x1c", INT, 9_007_199_254_740_993),
        ("3.0", INT, 3),
        ("3.0", UNSIGNED, 3),
        ("3.5", INT, 3.5),
        ("inf", INT, math.inf),
        (" FALSE", INT, 0),
        (" 1970-01-01T00:01Z", INT, 60),
        ("true", BOOL, True),
        ("FALSE", BOOL, False),
        ("1", BOOL, True),
        (" 0", BOOL, False),
        ("2", BOOL, "2"),
        ("true", TEXT, "true"),
        (" 1.5", TEXT, " 1.5"),
        ("", TEXT, ""),
        ("north", FLOAT, "north"),
        ("1_000", INT, "1_000"),
        ("\u0661", INT, "\u0661"),
    ],
)
def test_cell_becomes_the_type_of_its_feature_or_stays_text(cell, spec, read):
    value = read_cell(cell, spec)
    assert value == read
    assert type(value) is type(read)


def test_empty_cell_is_missing():
    assert math.isnan(read_cell("", FLOAT))
    assert read_cell("", INT) is None


def test_json_values_are_taken_as_they_are():
    assert [read_json(value, FLOAT) for value in (1, 2.5, [1], {})] == [1, 2.5, [1], {}]
    assert read_json("3", FLOAT) == "3", "text is not a number in JSON"
    assert read_json("true", TEXT) == "true"


def test_json_has_truth_values_of_its_own_and_the_words_of_csv():
    assert [read_json(value, FLOAT) for value in (True, False, "TRUE", "False")] == [1, 0, 1, 0]
    assert type(read_json(True, FLOAT)) is int
    assert read_json(True, BOOL) is True


def test_json_times_are_unix_seconds():
    assert read_json("1970-01-01T00:00:01.9+00:00", INT) == 1


def test_json_nan_is_a_missing_text():
    assert read_json(float("nan"), TEXT) == missing(TEXT) == ""
    assert read_json(1.5, TEXT) == "1.5"


def test_json_null_is_missing():
    assert math.isnan(read_json(None, FLOAT))
    assert read_json(None, TEXT) == ""
    assert read_json(None, INT) is None


def test_missing_has_no_value_in_types_without_one():
    assert [missing(spec) for spec in (TEXT, INT, BOOL)] == ["", None, None]


@pytest.mark.parametrize(
    ("cell", "spec", "settings", "read"),
    [
        ("1.234,5", FLOAT, {"decimal": ",", "thousands": "."}, 1234.5),
        ("1,5", FLOAT, {"decimal": ","}, 1.5),
        ("1.5", FLOAT, {"decimal": ","}, 1.5),
        ("1.500", FLOAT, {"decimal": ","}, "1.500"),
        ("1,5", FLOAT, {"thousands": ","}, "1,5"),
        ("12,34,567", INT, {"thousands": ","}, 1_234_567),
        ("9,007,199,254,740,993", INT, {"thousands": ","}, 9_007_199_254_740_993),
        ("NA", INT, {"null_values": ("NA",)}, None),
        ("NA", TEXT, {"null_values": ("NA",)}, "NA"),
        ("NA ", TEXT, {"null_values": ("NA",), "null_text": ("day",)}, ""),
        ("NB", TEXT, {"null_values": ("NA",), "null_text": ("day",)}, "NB"),
        ("NA", TEXT, {"null_values": ("NA",), "null_text": ("other",)}, "NA"),
        ("nan", INT, {"nan": "missing"}, None),
        ("2/1/1970", INT, {"date_format": {"day": "%d/%m/%Y"}}, 86_400),
        ("1970-01-02", INT, {"date_format": {"day": "%d/%m/%Y"}}, "1970-01-02"),
        ("Yes", INT, {"boolean": ("day",)}, 1),
        ("n", BOOL, {"boolean": ("day",)}, False),
        ("yes", INT, {"boolean": ("other",)}, "yes"),
        ("true", INT, {"decimal": ","}, 1),
    ],
)
def test_cell_is_read_as_the_settings_of_its_file_say(cell, spec, settings, read):
    value = read_cell(cell, spec, CsvFormat(**settings), "day")
    assert value == read
    assert type(value) is type(read)


def test_json_is_read_as_the_training_of_json_lines_reads_it():
    read = [read_json(value, TEXT) for value in (5, 1.50, True, "5", None, ["a"])]
    assert read == ["5", "1.5", "true", "5", "", ["a"]]  # texts stood beside other values
    large = read_json(10**25, FLOAT)
    assert (large, type(large)) == (1e25, float)
    assert read_json(10**25, INT) == 10**25  # refused with its value
    assert read_json(10**39, FLOAT) == 10**39  # beyond float32
