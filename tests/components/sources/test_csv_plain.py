from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from crossnet.components.sources.csv_plain import (
    NUMBER_BYTES,
    cells_where,
    decimals,
    first_bytes,
    num_points,
    plain_cells,
)
from crossnet.serving.protocol.cell_values import is_hole, plain_number, read_number, read_time, read_truth
from crossnet.serving.protocol.csv_format import CsvFormat

FORMATS: list[dict[str, Any]] = [
    {},
    {"null_values": ("NA", "-")},
    {"nan": "missing"},
    {"decimal": ","},
    {"thousands": ","},
    {"decimal": ",", "thousands": ".", "null_values": ("", "NA")},
    {"thousands": " "},
]
CELLS = ["1", " 2.5", "1,5", "1.234,5", "1,234", "1,23", "12,34,567", "1 234", "NA", " NA ", "-", "-5", "NaN", "inf"]
CELLS += ["-Infinity", "1e5", "1,5e-3", "word", "1.2.3", "", ",5", ".5", "+7", "1,,234", "0,001,234"]


@pytest.mark.parametrize("settings", FORMATS)
@pytest.mark.parametrize("times", [1, 50])  # many equal cells take another way
def test_columns_become_plain_as_the_rule_for_single_cells_says(settings: dict[str, Any], times: int) -> None:
    csv_format = CsvFormat(**settings)
    cells = CELLS * times
    array = pa.array([cell.encode() or None for cell in cells], pa.binary())
    for cell, plain in zip(cells, plain_cells(array, csv_format, numbers=True).to_pylist(), strict=True):
        if is_hole(cell, csv_format):
            assert plain is None, cell
        elif (number := plain_number(cell, csv_format)) is not None:
            assert plain.decode().strip() == number, cell
        else:
            assert plain == b"?" + cell.encode()


def test_other_columns_keep_their_marks_and_lose_their_holes() -> None:
    array = pa.array([b"2026-01-01", b"NA", b"1,5", None], pa.binary())
    csv_format = CsvFormat(null_values=("NA",), decimal=",")
    assert plain_cells(array, csv_format, numbers=False).to_pylist() == [b"2026-01-01", None, b"1,5", None]


RULES: list[tuple[Callable[[str], bool], bytes]] = [
    (lambda cell: read_number(cell) is not None, NUMBER_BYTES),
    (lambda cell: read_time(cell) is not None, b"0123456789"),
    (lambda cell: read_truth(cell) is not None, b"tTfF"),
    (lambda cell: not cell.strip(), b""),
]
ODD = ["infinity", "NAN", "i", "\u00a07", "\u20282026-01-01", "2026-01-01T08Z", "true", "False", "\t", "\x1f", "\u3000"]
ODD += ["\ufffd", "\0", "\x007", "-", "+", ".", "é", "7é", " true ", "\x85"]


@pytest.mark.parametrize(("rule", "begins"), RULES)
@pytest.mark.parametrize("first", [0, 3])
def test_a_rule_holds_where_it_holds_of_the_single_cell(rule: Callable[[str], bool], begins: bytes, first: int) -> None:
    cells = [*CELLS, *ODD, "\udcff7", *CELLS[:5]]
    array = pa.array([cell.encode(errors="surrogateescape") or None for cell in cells], pa.binary())[first:]
    expected = [cell is not None and rule(cell.decode(errors="replace")) for cell in array.to_pylist()]
    assert cells_where(array, rule, begins).tolist() == expected
    assert any(expected)


def test_a_rule_is_asked_once_of_each_cell_that_may_fulfil_it() -> None:
    asked: list[str] = []
    array = pa.array([b"7", b"7", b"north", None, b" 8"], pa.binary())
    assert not cells_where(array, lambda cell: bool(asked.append(cell)), b"7").any()
    assert asked == ["7", " 8"]


def test_first_bytes_are_those_of_a_slice() -> None:
    array = pa.array([b"a", b"", b"bc", None, b"d"], pa.binary())
    assert first_bytes(array[1:]).tolist() == [0, ord("b"), 0, ord("d")]
    assert first_bytes(array[:0]).tolist() == []
    assert first_bytes(pa.array([b"", None], pa.binary())).tolist() == [0, 0]


def test_cells_of_digits_points_and_minus_are_numbers_and_others_are_left_to_the_rules_of_single_cells() -> None:
    array = pa.array([b"no", b"-1.5", b"007", b".5", b"2.", b"no"], pa.binary())[1:5]
    found = decimals(array)
    assert found is not None
    assert found.tolist() == [-1.5, 7, 0.5, 2]
    assert num_points(array) == 3
    for other in (b"1e5", b"+1", b" 1", b"nan", b"1-2", b"1.2.3", b".", b"-", b"", None, "٣".encode()):
        assert decimals(pa.array([b"1", other], pa.binary())) is None
    assert decimals(array[:0]) is None
    assert num_points(array[:0]) == 0
