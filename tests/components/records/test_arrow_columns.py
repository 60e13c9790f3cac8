from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from crossnet.components.records.arrow_columns import as_array, as_column, presence, stored_type
from crossnet.components.records.texts import as_texts
from crossnet.components.records.uniform_reader import Column


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("FLOAT", [1.5, None, float("inf"), -0.0]),
        ("INT", [-(2**63), None, 2**63 - 1]),
        ("BYTES", [b"\xff\x00", None, b"", b"text"]),
        ("FLOAT", [[1.0, 2.0], [], [3.0]]),
        ("BYTES", [[b"a", b""], [], [b"c"]]),
    ],
)
def test_a_column_comes_back_as_it_was_in_whole_and_in_part(kind: str, values: list[Any]) -> None:
    several = isinstance(values[0], list)
    array = pa.array([None, *values, None], stored_type(kind, several)).slice(1, len(values))
    again = as_array(as_column(array), stored_type(kind, several))
    assert again.to_pylist() == values
    again.validate(full=True)


@pytest.mark.parametrize("start", [0, 1, 8, 13])
@pytest.mark.parametrize("rows", [3, 8, 21])
def test_where_an_array_has_a_value_is_read_from_its_bits(start: int, rows: int) -> None:
    mask = np.random.default_rng(start).random(40) < 0.5
    array = pa.array(np.arange(40), mask=mask).slice(start, rows)
    assert presence(array).tolist() == (~mask)[start : start + rows].tolist()


def test_nan_is_a_value_and_not_missing() -> None:
    array = as_array(Column(np.array([np.nan, 0], np.float32), np.array([True, False])), pa.float32())
    assert (np.isnan(array[0].as_py()), array[1].as_py()) == (True, None)


def test_nothing_is_left_of_what_stands_where_a_value_is_missing() -> None:
    numbers = pa.Array.from_buffers(
        pa.int64(), 2, [pa.array([True, False]).buffers()[1], pa.py_buffer(np.array([5, 9]))]
    )
    assert as_column(numbers).values.tolist() == [5, 0]
    texts = pa.Array.from_buffers(
        pa.binary(),
        2,
        [pa.array([True, False]).buffers()[1], pa.py_buffer(np.array([0, 1, 3], np.int32)), pa.py_buffer(b"abc")],
    )
    assert as_column(texts).values.to_pylist() == [b"a", b""]


def test_an_array_has_the_bytes_of_its_own_texts_alone() -> None:
    texts = as_texts([b"before", b"ab", b"", b"cde", b"behind"]).slice(1, 3)
    _, offsets, data = as_array(as_column(texts), stored_type("BYTES", False)).buffers()
    assert np.frombuffer(offsets, np.int64).tolist() == [0, 2, 2, 5]
    assert data.to_pybytes() == b"abcde"


@pytest.mark.parametrize(("kind", "value", "nothing"), [("INT", 7, 0), ("BYTES", b"ab", b"")])
def test_lists_of_at_most_one_value_are_read_as_single_values(kind: str, value: Any, nothing: Any) -> None:
    column = as_column(pa.array([[value], [], [value]], stored_type(kind, True)))
    assert column.lengths is None
    assert column.present is not None
    assert (column.values.tolist(), column.present.tolist()) == ([value, nothing, value], [True, False, True])
    assert as_column(pa.array([[value]], stored_type(kind, True))).present is None


def test_single_values_become_lists_where_others_are_lists() -> None:
    column = Column(as_texts([b"a", b""]), np.array([True, False]))
    assert as_array(column, stored_type("BYTES", True)).to_pylist() == [[b"a"], []]
