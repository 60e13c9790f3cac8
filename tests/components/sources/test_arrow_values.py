from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from crossnet.components.sources.arrow_values import (
    family,
    feature_kind,
    is_text_type,
    rounding,
    stored_array,
    vanishing,
)

LONG = 2**60 + 1


@pytest.mark.parametrize(
    ("array", "kind", "values"),
    [
        (pa.array([Decimal(LONG), None], pa.decimal128(38, 0)), "INT", [LONG, None]),
        (pa.array([Decimal("1.25")], pa.decimal128(9, 2)), "FLOAT", [1.25]),
        (pa.array(["a", None], pa.string_view()), "BYTES", [b"a", None]),
        (pa.array([b"\xff"], pa.binary_view()), "BYTES", [b"\xff"]),
        (pa.array([b"ab"], pa.binary(2)), "BYTES", [b"ab"]),
        (pa.array([[1, 2], None], pa.list_(pa.int8())), "INT", [[1, 2], None]),
        (pa.array([LONG, None]), "INT", [LONG, None]),
        (pa.array([1.5, None], pa.float16()), "FLOAT", [1.5, None]),
        (pa.array([" 1.5", "", None]), "FLOAT", [1.5, None, None]),
    ],
)
def test_every_type_is_stored_without_loss(array: pa.Array, kind: str, values: list[Any]) -> None:
    assert stored_array(array, kind).to_pylist() == values
    assert is_text_type(array.type) == (feature_kind(array.type) == "BYTES")


def test_a_decimal_beyond_int64_is_not_converted() -> None:
    with pytest.raises(pa.ArrowInvalid, match="out of bounds"):
        stored_array(pa.array([Decimal(2**63)], pa.decimal128(38, 0)), "INT")


@pytest.mark.parametrize(
    ("array", "example"),
    [
        (pa.array([2**24, -(2**24), None]), ""),
        (pa.array([1, 2**24 + 1]), "16777217"),
        (pa.array([2**40]), ""),
        (pa.array([LONG]), str(LONG)),
        (pa.array([1, 2], pa.int8()), ""),
        (pa.array([], pa.int64()), ""),
        (pa.array([Decimal("1234.56"), None], pa.decimal128(12, 2)), ""),
        (pa.array([Decimal("1.10"), Decimal("123456789.12")], pa.decimal128(12, 2)), "123456789.12"),
        (pa.array([0.1, 2.0**24, float("nan"), float("inf"), 1e300, None]), ""),
        (pa.array([0.1, 16_777_217.0]), "16777217.0"),  # as pandas writes whole numbers with holes
        (pa.array([float("nan"), -1e9 - 0.25]), "-1000000000.25"),
    ],
)
def test_rounding_names_the_first_number_that_float32_does_not_hold(array: pa.Array, example: str) -> None:
    assert rounding(array) == example


@pytest.mark.parametrize(
    ("array", "example"),
    [
        (pa.array([0.0, 1.5e-45, -1e-44, None, float("nan")]), ""),
        (pa.array([0.0, 1.0, -3e-46, 1e-300]), "-3e-46"),
        (pa.array([1e-300, 1e-300]).dictionary_encode(), "1e-300"),
        (pa.array([0, 1]), ""),
        (pa.array([], pa.float64()), ""),
    ],
)
def test_vanishing_names_the_first_number_that_float32_makes_0(array: pa.Array, example: str) -> None:
    assert vanishing(array) == example


def test_types_of_one_family_can_be_read_as_one() -> None:
    assert family(pa.int8()) == family(pa.float64()) == family(pa.bool_()) == family(pa.decimal128(5, 1)) == "numbers"
    assert family(pa.date32()) == family(pa.timestamp("ns", "UTC")) == "moments"
    assert family(pa.dictionary(pa.int8(), pa.string())) == family(pa.binary()) == "text"
    assert family(pa.list_(pa.int8())) == "lists of numbers"
    assert [family(kind) for kind in (pa.duration("s"), pa.time32("s"), pa.null())] == [
        *("durations", "times of day", "nothing")
    ]
