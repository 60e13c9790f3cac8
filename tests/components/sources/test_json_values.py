from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from crossnet.components.sources.json_values import TIME, array, joined, plain, types_of_lines

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "kind", "doubt"),
    [
        ([NAN, "a", None], pa.string(), "holds NaN beside texts, where it is a missing value"),
        (["2026-01-02", NAN], TIME, "holds NaN beside texts, where it is a missing value"),
        ([1, NAN], pa.float64(), None),
        ([NAN, 1.5], pa.float64(), None),
        ([NAN], pa.float64(), None),
        ([1, "a"], pa.string(), "holds texts beside values of another type and is read as text"),
        ([True, 2], pa.int64(), "holds true or false beside numbers and is read as numbers, true as 1"),
        ([[1], [2.5]], pa.list_(pa.float64()), None),
    ],
)
def test_the_type_of_a_column_holds_all_its_values(values: list[Any], kind: pa.DataType, doubt: str | None) -> None:
    doubts: dict[str, str] = {}
    assert types_of_lines([{"x": value} for value in values], doubts, {}) == {"x": kind}
    assert doubts.get("x") == doubt


def test_large_whole_numbers_are_remembered() -> None:
    large: dict[str, int] = {}
    types_of_lines([{"x": 1, "y": 2**25}, {"x": 2**26, "y": 3}], {}, large)
    assert large == {"x": 2**26, "y": 2**25}


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["a", NAN, 1.5, True, None], pa.string(), ["a", None, "1.5", "true", None]),
        ([1, None, 10**400, -(10**400)], pa.float64(), [1.0, None, math.inf, -math.inf]),
        ([True, 2], pa.int64(), [1, 2]),
        ([[1], None], pa.list_(pa.float64()), [[1.0], None]),
    ],
)
def test_values_of_several_types_become_one(values: list[Any], kind: pa.DataType, expected: list[Any]) -> None:
    assert array(values, kind).to_pylist() == expected


def test_times_are_read_as_texts() -> None:
    assert plain(TIME) == pa.string()
    assert plain(pa.list_(TIME)) == pa.list_(pa.string())
    assert joined("x", TIME, pa.string(), {}) == pa.string()
