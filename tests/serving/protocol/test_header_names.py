"""One rule names a column's feature, for ExampleGen and for `predict`."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossnet.serving.protocol.header_names import (
    feature_name,
    feature_names,
    listed_columns,
    repeated_headers,
    shared_names,
    spellings,
)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("miles", "miles"),
        ("trip miles", "trip_miles"),
        (" fare ", "fare"),
        ("\tfare\u00a0", "fare"),
        ("\ufefffare", "fare"),
        (' "fare"', "fare"),
        ('5"', "_5_"),
        ('"', "column_4"),
        ('""', "column_4"),
        ("2nd", "_2nd"),
        ("größe", "gr__e"),
        ("fare ($)", "fare____"),
        ("_y", "_y"),
        ("", "column_4"),
        ("  ", "column_4"),
        ("$", "column_4"),
        ("é", "column_4"),
        ("_", "column_4"),
    ],
)
def test_feature_name_is_one_that_a_signature_can_have(header, name):
    assert feature_name(header, 4) == name


@given(st.text(), st.integers(1, 10_000))
def test_feature_name_of_any_header_is_a_name_and_names_itself(header, position):
    name = feature_name(header, position)
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
    assert feature_name(name, position + 1) == name


def test_positions_count_from_one_and_include_columns_with_a_name():
    assert feature_names(["x0", " x1", "", "$", "y"]) == ["x0", "x1", "column_3", "column_4", "y"]


def test_a_sentence_names_columns_without_a_name_after_their_position():
    assert listed_columns(["", "trip miles", ' "" ', "$"]) == "`column_1`, `trip miles`, `column_3`, `$`"


def test_settings_may_use_the_header_or_the_name():
    assert spellings(["", " y"]) == {"column_1": "", "": "", "y": " y", " y": " y"}


def test_a_setting_may_name_a_column_without_the_blanks_around_it():
    found = spellings([" Miles per Gallon", ' "fare"'])
    assert found["Miles per Gallon"] == found[" Miles per Gallon"] == found["Miles_per_Gallon"] == " Miles per Gallon"
    assert found["fare"] == ' "fare"'
    assert spellings(["fare", " fare"])["fare"] == "fare"


def test_headers_that_differ_are_not_repeated():
    assert repeated_headers(["a", " a", "A", ""], "rides.csv:1") == ""


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        (["a", "b", "a"], "rides.csv:1 has column `a` more than once. Give each column a name of its own."),
        (["", "b", ""], "rides.csv:1 has several columns without a name. Give each column a name of its own."),
        (
            ["b", "a", "a", "b"],
            "rides.csv:1 has column `b` more than once, column `a` more than once. Give each column a name of its own.",
        ),
    ],
)
def test_headers_that_are_equal_are_a_problem(headers, problem):
    assert repeated_headers(headers, "rides.csv:1") == problem


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        (["a b", "b", "a_b"], "columns `a b`, `a_b` become one name, `a_b`"),
        (["", "column_1"], "columns ``, `column_1` become one name, `column_1`"),
        (
            ["y", " y", "a-b", "a b"],
            "columns `y`, ` y` become one name, `y`; columns `a-b`, `a b` become one name, `a_b`",
        ),
    ],
)
def test_headers_that_become_one_name_are_a_problem(headers, problem):
    assert shared_names(headers, feature_names(headers), "rides.csv:1") == (
        f"rides.csv:1: {problem}. A name keeps letters (a to z), digits and `_`; rename all but one of them."
    )


def test_shared_names_that_are_not_features_are_not_a_problem_where_features_are_given():
    headers = ["a b", "a_b", "c d"]
    assert shared_names(headers, feature_names(headers), "rides.csv:1", {"c_d"}) == ""
    assert "`a_b`" in shared_names(headers, feature_names(headers), "rides.csv:1", {"a_b"})
