"""Cells mean the same when rows are predicted and when they were learned from."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from crossnet.components.sources.csv_cells import FALSE, TRUE, classify_cells, convert_cells, stored_values
from crossnet.serving.protocol.messages import DATA_TYPES
from crossnet.serving.protocol.signature import TensorSpec
from crossnet.serving.rows.cells import TRUTHS, read_cell, read_json

FLOAT = TensorSpec(DATA_TYPES["DT_FLOAT"], (None,))
INT = TensorSpec(DATA_TYPES["DT_INT64"], (None,))

TIMES = ["2026-11-23", "1969-12-31T23:59:59.5", "2020-02-29 12:00", "2026-11-23T08:45:00.123456"]
ZONED = ["2026-11-23T08:45:00Z", "1969-12-31T23:59:59.5-00:30", "2020-02-29 12:00+0530"]
NUMBERS = ["1", " -2.5", "+1", "1e-3", ".5", "inf", "nan", "007", "1e99"]


def stored(cells: list[str]) -> list[float]:
    array = pa.array([cell.encode() for cell in cells], pa.binary())
    kind = classify_cells(array)
    return stored_values(convert_cells(array, kind), kind).to_pylist()


@pytest.mark.parametrize("cells", [list(TRUE + FALSE), TIMES, ZONED])
def test_truths_and_times_are_what_example_gen_stores(cells: list[str]) -> None:
    expected = stored(cells)
    assert [read_cell(cell, INT) for cell in cells] == expected
    assert [read_cell(cell, FLOAT) for cell in cells] == expected
    assert [read_json(cell, INT) for cell in cells] == expected


def test_numbers_are_what_example_gen_stores() -> None:
    with np.errstate(over="ignore"):
        read = np.array([read_cell(cell, FLOAT) for cell in NUMBERS], np.float32)
    np.testing.assert_array_equal(read, np.array(stored(NUMBERS), np.float32))


def test_words_of_truth_are_example_gens() -> None:
    assert {word for word, truth in TRUTHS.items() if truth} == set(TRUE)
    assert {word for word, truth in TRUTHS.items() if not truth} == set(FALSE)


def test_json_truths_are_numbers_unless_the_model_takes_truths() -> None:
    assert read_json(True, FLOAT) == 1
    assert type(read_json(True, FLOAT)) is int
    assert read_json(True, TensorSpec(DATA_TYPES["DT_BOOL"], (None,))) is True
    assert math.isnan(read_json(None, FLOAT))
    assert read_json("3", FLOAT) == "3", "text is no number in JSON"


@pytest.mark.parametrize(("cell", "read"), [("true", True), ("FALSE", False), ("1", True), ("0", False), ("2", "2")])
def test_truths_of_a_model_that_takes_truths(cell: str, read: object) -> None:
    value = read_cell(cell, TensorSpec(DATA_TYPES["DT_BOOL"], (None,)))
    assert value == read
    assert type(value) is type(read)
