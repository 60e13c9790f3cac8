"""Arrow columns become a feature's values, JSON values and cells; the rest is in the walk of `predict`."""

from __future__ import annotations

import datetime
import math
import uuid
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from crossnet.serving.protocol.signature import TensorSpec
from crossnet.serving.rows.table_values import cell_texts, feature_values, is_moment, json_values
from support.fake_server import FLOAT, INT64, STRING

NUMBER, WHOLE, TEXT = (TensorSpec(kind, (None,)) for kind in (FLOAT, INT64, STRING))
AT = datetime.datetime(2024, 2, 29, 1, 2, 3, 500_000)


@pytest.mark.parametrize(
    ("column", "spec", "unit", "values"),
    [
        (pa.array([1, None], pa.int64()), WHOLE, "s", [1, None]),
        (pa.array([True, None]), WHOLE, "s", [1, None]),
        (pa.array([AT], pa.timestamp("us")), WHOLE, "ms", [1709168523500]),
        (pa.array([-1], pa.timestamp("ns")), WHOLE, "s", [-1]),
        (pa.array([datetime.date(1969, 12, 31)]), WHOLE, "us", [-86_400_000_000]),
        (pa.array([datetime.timedelta(seconds=-1.5)], pa.duration("ms")), WHOLE, "s", [-2]),
        (pa.array(["2024-01-01", "true", " 7 ", "", None, "zone"]), WHOLE, "s",
         [1704067200, 1, 7, None, None, "zone"]),
        (pa.array(["a", None]).dictionary_encode(), TEXT, "s", ["a", ""]),
        (pa.array([AT, None]).dictionary_encode(), WHOLE, "ms", [1709168523500, None]),
        (pa.array([uuid.UUID(int=7).bytes, None], pa.uuid()), TEXT, "s", [str(uuid.UUID(int=7)), ""]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], [1.5, 2]), NUMBER, "s", [1.5, 1.5, 2]),
        (pa.array([1.5, None]), TEXT, "s", ["1.5", ""]),
        (pa.array([AT.date()]), TEXT, "s", ["2024-02-29"]),
        (pa.array([Decimal("1.10"), None]), TEXT, "s", ["1.10", ""]),
        (pa.array([[1, 2], None]), NUMBER, "s", [[1, 2], None]),
    ],
)  # fmt: skip
def test_values_are_those_of_the_feature(column, spec, unit, values):
    assert list(feature_values(column, spec, unit)) == values


@pytest.mark.parametrize(
    "column", [pa.array([None, 2.5]), pa.array([None, np.float16(2.5)], pa.float16()), pa.array(["", "2.5"])]
)
def test_a_hole_is_not_a_number(column):
    hole, number = feature_values(column, NUMBER)
    assert math.isnan(hole)
    assert number == 2.5
    assert math.isnan(feature_values(pa.nulls(1), NUMBER)[0])


def test_a_value_that_does_not_convert_is_an_error_of_arrow():
    with pytest.raises(pa.ArrowInvalid):
        feature_values(pa.array([b"\xff"]), NUMBER)
    with pytest.raises(pa.ArrowInvalid):
        feature_values(pa.array([Decimal(10**30)], pa.decimal128(38, 0)), NUMBER)


def test_moments_are_times_and_texts_of_times():
    assert is_moment(pa.array([AT]))
    assert is_moment(pa.array(["2024-01-01", "x"]))
    assert not any(map(is_moment, (pa.array([1]), pa.array(["x"]), pa.array([b"x"]), pa.array([], pa.string()))))


@pytest.mark.parametrize(
    ("column", "values", "cells"),
    [
        (pa.array([1, None]), [1, None], ["1", ""]),
        (pa.array([0.1, math.nan, math.inf]), [0.1, None, None], ["0.1", "nan", "inf"]),
        (pa.array([1], pa.timestamp("ns")), ["1970-01-01 00:00:00.000000001"], ["1970-01-01 00:00:00.000000001"]),
        (pa.array([1, 2_000_000_000], pa.duration("ns")), [1e-9, 2], ["1e-09", "2"]),
        (pa.array([Decimal("0.10"), Decimal("12345678901234567890.12")]),
         [0.1, "12345678901234567890.12"], ["0.10", "12345678901234567890.12"]),
        (pa.array([b"ab", b"\xff"]), ["ab", "/w=="], ["ab", "/w=="]),
        (pa.array(["é", None]).dictionary_encode(), ["é", None], ["é", ""]),
        (pa.array([[1.5, math.nan], None]), [[1.5, None], None], ["[1.5, null]", ""]),
        (pa.array([{"a": AT.date()}]), [{"a": "2024-02-29"}], ['{"a": "2024-02-29"}']),
        (pa.array([True, None]), [True, None], ["true", ""]),
    ],
)  # fmt: skip
def test_values_are_written_as_text(column, values, cells):
    assert (json_values(column), cell_texts(column)) == (values, cells)
