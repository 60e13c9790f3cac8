"""A value that does not fit a model is named with what to do."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.serving.protocol.column_rules import ColumnRules
from crossnet.serving.protocol.signature import Signature, TensorSpec
from crossnet.serving.protocol.train_values import NOTHING, TrainValues
from crossnet.serving.rows.advice import advice_on_values
from crossnet.serving.rows.columns import InputBuilder
from crossnet.serving.rows.formats import make_reader
from crossnet.serving.status import InvalidRequestError
from support.fake_server import FLOAT, INT64

DAY = "2024-01-31"
KNOWN = TrainValues(ranges={"x": (0.0, 9.0), "at": (0.0, 2e9)})
ADVICE = "In training, the column had numbers, and not dates or times. Fix the value, or name the right column."


def builder(data: bytes, kind: str, type: int, known: TrainValues) -> InputBuilder:
    inputs = {name: TensorSpec(type, (None,)) for name in ("x", "at")}
    signature = Signature("serving_default", "tensorflow/serving/predict", inputs, {"p": TensorSpec(FLOAT, (None,))})
    table = make_reader(io.BufferedReader(io.BytesIO(data)), kind, "rows")
    return InputBuilder(table, signature, "`m`", False, ColumnRules(time_units={"at": "ms"}), known=known)


def rows_of(kind: str, x: str) -> bytes:
    return {"csv": f"x,at\n{x},{DAY}\n", "jsonl": f'{{"x": "{x}", "at": "{DAY}"}}\n'}[kind].encode()


@pytest.mark.parametrize("type", [FLOAT, INT64])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_date_where_training_had_numbers_is_an_error_that_says_so(kind: str, type: int) -> None:
    made = builder(rows_of(kind, DAY), kind, type, KNOWN)
    with pytest.raises(InvalidRequestError, match=f"`x` holds '{DAY}' at rows:.; expected (float32|int64). {ADVICE}"):
        made.build(list(made._table.rows()))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_date_is_a_number_where_nothing_is_known_of_training_and_in_a_column_of_times(kind: str) -> None:
    made = builder(rows_of(kind, DAY), kind, INT64, NOTHING)
    arrays = made.build(list(made._table.rows()))
    seconds = 1_706_659_200
    assert {name: array.tolist() for name, array in arrays.items()} == {"x": [seconds], "at": [seconds * 1000]}
    assert made.unstated == {"x"}
    known = builder(rows_of(kind, "3"), kind, INT64, KNOWN)
    if kind == "csv":
        assert known.build(list(known._table.rows()))["at"].tolist() == [seconds * 1000]


@pytest.mark.parametrize("values", [pa.array([0], pa.timestamp("s")), pa.array([DAY])])
def test_a_column_of_times_where_training_had_numbers_is_an_error(values: pa.Array) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": values, "at": pa.array([0], pa.timestamp("s"))}), sink)
    made = builder(sink.getvalue(), "parquet", FLOAT, KNOWN)
    with pytest.raises(InvalidRequestError, match="[Ii]n training, the column had numbers, and not dates or times"):
        made.build(list(made._table.rows()))


def test_nothing_is_said_of_other_problems() -> None:
    assert advice_on_values("`x` holds 3.5 at rows:2; expected int64.", None) == ""
    assert advice_on_values("`x` holds 'far' at rows:2; expected float32.", None) == ""
    assert advice_on_values(f"`x` holds '{DAY}' at rows:2; expected float32.", None) == f" {ADVICE}"


@pytest.mark.parametrize("held", ["'far'", "'\u0661'", '"5\'000"', "'1,5'"])
def test_text_that_is_not_a_plain_number_has_an_advice(held: str) -> None:
    table = make_reader(io.BytesIO(b"x,at\n"), "csv", "rows")
    assert advice_on_values(f"`x` holds {held} at rows:2; expected float32.", table).startswith(
        " Fix the cell, or say how"
    )


@pytest.mark.parametrize("held", ["'1e400'", "'99999999...", "'7'"])
def test_a_number_that_is_too_large_has_none(held: str) -> None:
    table = make_reader(io.BytesIO(b"x,at\n"), "csv", "rows")
    assert advice_on_values(f"`x` holds {held} at rows:2; expected float32.", table) == ""
