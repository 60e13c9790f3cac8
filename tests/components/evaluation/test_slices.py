"""Slices: how a key becomes groups of rows, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.errors import SettingsError
from crossnet.components.evaluation.slices import MAX_SLICES, Cut, Slicer, parse_slices
from crossnet.components.features import Feature

COLUMNS = {"species": Feature("species", "BYTES"), "x0": Feature("x0", "FLOAT"), "year": Feature("year", "INT")}


def groups(spec, columns, samples=None, units=None):
    slicer = Slicer(parse_slices(spec, COLUMNS), samples or columns, units)
    return {name: rows.tolist() for name, rows in slicer.groups(columns)}


def text(*values):
    return np.array([value.encode() for value in values], object)


def test_parse_slices_reads_columns_and_cuts():
    assert parse_slices([["species"], ["x0:quartile", "year"]], COLUMNS) == [
        (Cut("species", ""),),
        (Cut("x0", "quartile"), Cut("year", "")),
    ]


def test_slicer_groups_rows_by_value_and_a_missing_value_is_a_group():
    assert groups([["species"]], {"species": text("b", "a", "", "a")}) == {
        "species=(missing)": [2],
        "species=a": [1, 3],
        "species=b": [0],
    }
    assert groups([["x0"]], {"x0": np.array([0.1, np.nan, 0.1], np.float32)}) == {"x0=0.1": [0, 2], "x0=(missing)": [1]}


def test_slicer_cuts_a_number_at_its_quartiles():
    values = np.array([1, 2, 3, 4, 5, 6, 7, 8, np.nan], np.float32)
    assert groups([["x0:quartile"]], {"x0": values}) == {
        "x0:quartile=below 2.75": [0, 1],
        "x0:quartile=2.75 to 4.5": [2, 3],
        "x0:quartile=4.5 to 6.25": [4, 5],
        "x0:quartile=from 6.25": [6, 7],
        "x0:quartile=(missing)": [8],
    }


def test_slicer_cuts_whole_numbers_too():
    found = groups([["year:quartile"]], {"year": np.arange(2000, 2008)})
    assert list(found.values()) == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_slicer_names_times_by_dates():
    days = 1_704_067_200 + 86_400 * np.arange(8)  # from 2024-01-01
    found = groups([["year:quartile"], ["year"]], {"year": days}, units={"year": "s"})
    assert list(found)[:4] == [
        "year:quartile=below 2024-01-02 18:00:00",
        "year:quartile=2024-01-02 18:00:00 to 2024-01-04 12:00:00",
        "year:quartile=2024-01-04 12:00:00 to 2024-01-06 06:00:00",
        "year:quartile=from 2024-01-06 06:00:00",
    ]
    assert list(found)[4] == "year=2024-01-01"
    missing = groups([["x0"]], {"x0": np.array([np.nan, 0.0], np.float32)}, units={"x0": "s"})
    assert missing == {"x0=(missing)": [0], "x0=1970-01-01": [1]}


def test_slices_of_close_large_numbers_have_names_of_their_own():
    found = groups([["year:quartile"]], {"year": 100_001 + np.arange(8)})
    assert list(found.values()) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert next(iter(found)) == "year:quartile=below 100003"
    thousandths = groups([["year:quartile"]], {"year": 1_704_067_200_000 + np.arange(8)}, units={"year": "ms"})
    assert len(thousandths) == 4  # within one second


def test_slicer_crosses_columns_and_leaves_out_what_no_row_has():
    columns = {"species": text("a", "b", "a"), "year": np.array([1, 2, 1])}
    assert groups([["species", "year"]], columns) == {"species=a, year=1": [0, 2], "species=b, year=2": [1]}


def test_slicer_of_a_column_with_one_value_has_one_slice():
    assert groups([["x0:quartile"]], {"x0": np.ones(3, np.float32)}) == {"x0:quartile=from 1": [0, 1, 2]}
    assert groups([["x0:quartile"]], {"x0": np.full(3, np.nan, np.float32)}) == {"x0:quartile=(missing)": [0, 1, 2]}


def test_parse_slices_lists_every_mistake():
    with pytest.raises(SettingsError) as error:
        parse_slices([["specis"], ["species:quartile", "x0:third"], ["q"]], COLUMNS)
    assert str(error.value).splitlines() == [
        "`evaluator.slices` names the unknown column `specis`. Did you mean `species`?",
        "`evaluator.slices` cuts the text column `species`. Name it without `:quartile`.",
        "`evaluator.slices` cuts `x0:third`. Expected `x0:quartile` or `x0:decile`.",
        "`evaluator.slices` names the unknown column `q`. There are: species, x0, year.",
    ]


def test_slicer_refuses_a_key_that_makes_too_many_slices():
    assert len(groups([["year"]], {"year": np.arange(MAX_SLICES)})) == MAX_SLICES
    columns = {"year": np.arange(MAX_SLICES + 1)}
    with pytest.raises(SettingsError, match=r"makes more than 1,000 slices by `year`\. Cut a number at its quantiles"):
        groups([["year"]], columns)


def test_slices_of_parts_count_together():
    slicer = Slicer([(Cut("year", ""),)], {})
    parts = [slicer.part() for _ in range(2)]
    for part, first in zip(parts, (0, 500), strict=True):
        assert len(list(part.groups({"year": np.arange(first, first + 501)}))) == 501
    slicer.merge(parts[0])
    with pytest.raises(SettingsError, match=r"makes more than 1,000 slices by `year`\."):
        slicer.merge(parts[1])


def test_a_slice_that_is_named_twice_counts_its_rows_once():
    assert groups([["species"], ["species"]], {"species": text("a", "a")}) == {"species=a": [0, 1]}
    assert parse_slices([["x0"], ["year"], ["x0"]], COLUMNS) == [(Cut("x0", ""),), (Cut("year", ""),)]
