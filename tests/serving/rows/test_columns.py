"""Rows of each format become the inputs of a signature, or an error that names their place."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.column_rules import ColumnRules
from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.signature import Signature, TensorSpec
from crossnet.serving.rows.base import Row
from crossnet.serving.rows.columns import InputBuilder, match_headers
from crossnet.serving.rows.formats import make_reader
from crossnet.serving.status import InvalidRequestError, RowsError, UsageError
from support.fake_server import FLOAT, INT64, STRING

XS = {"x0": FLOAT, "x1": FLOAT, "x2": FLOAT}
ADVICE = "Use `--ignore-extra` to ignore columns that are not features, such as the label."


def signature(types, name="serving_default"):
    inputs = {feature: TensorSpec(number, (None,)) for feature, number in types.items()}
    return Signature(name, "tensorflow/serving/predict", inputs, {"prediction": TensorSpec(FLOAT, (None,))})


def built(content, kind, types, ignore_extra=False, **rules):
    """Returns the inputs made of a file, as lists."""
    table = make_reader(io.BytesIO(content.encode()), kind, "rows")
    builder = InputBuilder(table, signature(types), "`rides` version 3", ignore_extra, ColumnRules(**rules))
    inputs = builder.build(list(table.rows()))
    return {name: values.tolist() for name, values in inputs.items()}


def test_csv_columns_are_found_by_name_in_any_order():
    assert built("x2,x0,x1\n1,2,3\n4,5,6\n", "csv", XS) == {"x0": [2, 5], "x1": [3, 6], "x2": [1, 4]}


def test_json_keys_are_found_by_name_in_any_order():
    lines = '{"x2": 1, "x0": 2, "x1": 3}\n{"x0": 5, "x1": 6, "x2": 4}\n'
    assert built(lines, "jsonl", XS) == {"x0": [2, 5], "x1": [3, 6], "x2": [1, 4]}


def test_tfrecords_go_to_the_only_input_as_they_are():
    table = make_reader(io.BytesIO(b""), "tfrecord", "rows")
    inputs = InputBuilder(table, signature({"examples": STRING}), "`rides`", False)
    assert inputs.build([Row("rows record 1", b"\n\x00")])["examples"].tolist() == [b"\n\x00"]
    with pytest.raises(UsageError, match="TFRecord needs a signature with one input; `serving_default` has several"):
        InputBuilder(table, signature(XS), "`rides`", False)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_headers_name_their_features_by_the_rule_of_example_gen(kind):
    headers = ["", " trip miles", "2nd", "größe", "$"]
    names = ["column_1", "trip_miles", "_2nd", "gr__e", "column_5"]
    content = (
        ",".join(headers) + "\n0,1,2,3,4\n" if kind == "csv" else json.dumps({h: i for i, h in enumerate(headers)})
    )
    assert built(content, kind, dict.fromkeys(names, FLOAT)) == {name: [i] for i, name in enumerate(names)}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("header", ["Trip Miles", " Trip Miles ", "Trip_Miles", "miles"])
def test_renamed_columns_are_found_by_either_name(kind, header):
    content = f"{header},zone\n1,2\n" if kind == "csv" else json.dumps({header: 1, "zone": 2})
    rename = {"Trip Miles": "miles", "fare": "label"}
    assert built(content, kind, {"miles": FLOAT, "zone": FLOAT}, rename=rename) == {"miles": [1], "zone": [2]}


def test_a_file_with_the_old_and_the_new_name_is_refused():
    with pytest.raises(RowsError, match="columns `Trip Miles`, `miles` become one name, `miles`"):
        built("Trip Miles,miles\n1,2\n", "csv", {"miles": FLOAT}, rename={"Trip Miles": "miles"})


def test_features_of_records_are_renamed_as_the_model_names_them():
    given = messages.Example()
    for name, value in (("Trip Miles", 1.0), ("2nd", 2.0), ("x", 3.0)):
        given.features.feature[name].float_list.value.append(value)
    table = make_reader(io.BytesIO(b""), "tfrecord", "rows")
    one = signature({"examples": STRING}, "serving_examples")
    rules = ColumnRules({"x": "length"})
    builder = InputBuilder(table, one, "`rides`", False, rules, {"Trip_Miles", "_2nd", "length"})
    (record,) = builder.build([Row("rows record 1", given.SerializeToString())])["examples"].tolist()
    found = messages.Example.FromString(record).features.feature
    assert {name: list(found[name].float_list.value) for name in found} == {
        "Trip_Miles": [1],
        "_2nd": [2],
        "length": [3],
    }
    given.features.feature["length"].float_list.value.append(4.0)
    with pytest.raises(RowsError, match="rows record 2: columns `length`, `x` become one name, `length`"):
        builder.build([Row("rows record 2", given.SerializeToString())])


def test_header_that_is_the_name_of_an_input_needs_no_rule():
    assert match_headers(["trip miles", "2nd"], {"trip miles", "_2nd"}) == ["trip miles", "_2nd"]


def test_header_that_is_not_a_feature_stays_as_it_is_unless_it_holds_no_name():
    assert match_headers([" y", "", "$", "a b"], {"x0"}) == [" y", "column_2", "column_3", "a b"]


@pytest.mark.parametrize(
    ("kind", "content"),
    [("csv", "trip miles,trip_miles\n1,2\n"), ("jsonl", '{"trip miles": 1, "trip_miles": 2}\n')],
)
def test_two_spellings_of_one_feature_are_an_error(kind, content):
    with pytest.raises(RowsError) as caught:
        built(content, kind, {"trip_miles": FLOAT})
    assert str(caught.value) == (
        "rows:1: columns `trip miles`, `trip_miles` become one name, `trip_miles`. A name keeps letters (a to z), "
        "digits and `_`; rename all but one of them."
    )


def test_two_spellings_of_a_column_that_is_ignored_are_not_an_error():
    assert built("x0,a b,a_b\n1,2,3\n", "csv", {"x0": FLOAT}, ignore_extra=True) == {"x0": [1]}
    assert built("x0,,column_2\n1,2,3\n", "csv", {"x0": FLOAT}, ignore_extra=True) == {"x0": [1]}


@pytest.mark.parametrize(
    ("kind", "content"),
    [("csv", "y,x0,x1,x2\nq,1,2,3\n"), ("jsonl", '{"y": [1], "x0": 1, "x1": 2, "x2": 3}\n')],
)
def test_columns_that_are_not_features_are_ignored_on_request(kind, content):
    assert built(content, kind, XS, ignore_extra=True) == {"x0": [1], "x1": [2], "x2": [3]}
    with pytest.raises(InvalidRequestError, match="Extra: `y`"):
        built(content, kind, XS)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("header", "named", "rename"),
    [
        (" y", "y", {}),
        ("y", " y", {}),
        ("Trip Miles", "trip", {"Trip Miles": "trip"}),
        ("Trip Miles", "Trip_Miles", {}),
        ("", "column_2", {}),
        ("größe", "größe", {}),
    ],
)
def test_columns_that_the_rules_leave_out_are_ignored(kind, header, named, rename):
    content = f"x0,{header},tip\n1,a,2\n" if kind == "csv" else json.dumps({"x0": 1, header: "a", "tip": 2})
    rules = {"rename": rename, "not_features": {named: "label"}}
    assert built(content, kind, {"x0": FLOAT, "tip": FLOAT}, **rules) == {"x0": [1], "tip": [2]}
    with pytest.raises(InvalidRequestError, match=r"Extra: `tip`\."):
        built(content, kind, {"x0": FLOAT}, **rules)


def test_a_feature_is_read_also_where_the_rules_leave_its_name_out():
    assert built("x0\n1\n", "csv", {"x0": FLOAT}, not_features={"x0": "excluded"}) == {"x0": [1]}


def test_wrong_names_of_json_are_listed_by_line():
    with pytest.raises(InvalidRequestError) as caught:
        built('{"x0": 1, "x1": 2, "x2": 3}\n{"x0": 1, "x1": 2, "x_2": 3}\n', "jsonl", XS)
    assert str(caught.value) == (
        "rows:2 does not fit model `rides` version 3. Missing: `x2`. Extra: `x_2` (did you mean `x2`?). " + ADVICE
    )


def test_wrong_names_of_csv_are_listed_once_for_the_header():
    with pytest.raises(InvalidRequestError) as caught:
        built("x0,x1,y\n" + "1,2,3\n" * 5, "csv", XS)
    assert str(caught.value) == f"rows:1 does not fit model `rides` version 3. Missing: `x2`. Extra: `y`. {ADVICE}"


def test_key_that_is_absent_is_not_a_missing_value():
    with pytest.raises(InvalidRequestError, match="Missing: `x2`"):
        built('{"x0": 1, "x1": 2}', "jsonl", XS)


def test_first_line_without_any_feature_may_not_be_the_header():
    with pytest.raises(InvalidRequestError, match="This line has none of the model's names: is it the header?"):
        built("0.1,0.2,0.3\n", "csv", XS)


def test_column_without_a_name_at_another_position_is_explained():
    with pytest.raises(InvalidRequestError) as caught:
        built("x0,,y\n1,2,3\n", "csv", {"column_1": FLOAT, "x0": FLOAT}, ignore_extra=True)
    assert str(caught.value) == (
        "rows:1 does not fit model `rides` version 3. Missing: `column_1`. A column without a name is named after its "
        "position; keep the positions of the training file."
    )


def test_value_that_does_not_fit_is_named_with_its_line():
    with pytest.raises(InvalidRequestError, match="`x1` holds 'far' at rows:3; expected float32"):
        built("x0,x1,x2\n1,2,3\n1,far,3\n", "csv", XS)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 400 + ".5"])
def test_number_beyond_float64_is_refused_with_its_line_and_not_taken_as_infinity(kind, number):
    content = f"x\n1\n{number}\n" if kind == "csv" else f'{{"x": 1}}\n{{"x": {number}}}\n'
    line = 3 if kind == "csv" else 2
    with pytest.raises(
        InvalidRequestError, match=rf"`x` holds '?{number[:20]}.* at rows:{line}; expected float32"
    ) as caught:
        built(content, kind, {"x": FLOAT})
    assert len(str(caught.value)) < 250
    assert built(content, kind, {"x": STRING} if kind == "csv" else {}, ignore_extra=True) is not None


def test_long_whole_numbers_are_refused_with_their_line():
    for digits in (400, 5000):
        with pytest.raises(
            InvalidRequestError, match=r"`x` holds '?9{50,}\.\.\. at rows:2; expected float32"
        ) as caught:
            built(f"x\n{'9' * digits}\n", "csv", {"x": FLOAT})
        assert len(str(caught.value)) < 250
    with pytest.raises(InvalidRequestError, match=r"`x` holds 9{60}\.\.\. at rows:1; expected float32"):
        built(f'{{"x": {"9" * 400}}}\n', "jsonl", {"x": FLOAT})


def test_number_of_json_is_not_text_however_large():
    with pytest.raises(InvalidRequestError, match=r"`x` holds 1e400 at rows:1; expected text"):
        built('{"x": 1e400}\n', "jsonl", {"x": STRING})


def test_many_or_long_headers_are_not_all_quoted():
    header = ",".join(["x" * 1_000_000, *(f"c{n}" for n in range(50_000))])
    with pytest.raises(InvalidRequestError, match=r"Extra: `x{100}\.\.\.`.*\(50,001 in all\)") as caught:
        built(f"{header}\n", "csv", XS)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    ("kind", "csv_format", "advice"),
    [
        (
            "csv",
            {},
            " Fix the cell, or say how dates, numbers and missing values are written: `--config` with the config "
            "that the model was trained by, or options such as `--date-format`.",
        ),
        ("csv", {"date_format": {"day": "%d.%m.%Y"}}, " Fix the cell."),
        ("parquet", {}, " Fix the value; a date is a date, a time or text such as 2026-11-23."),
        ("jsonl", {}, ""),
    ],
)
def test_text_for_a_number_is_refused_with_what_to_do(kind, csv_format, advice):
    day, sink = "2012/01/31", io.BytesIO()
    pq.write_table(pa.table({"day": [day]}), sink)
    content = {"csv": f"day\n{day}\n".encode(), "jsonl": json.dumps({"day": day}).encode(), "parquet": sink.getvalue()}
    table = make_reader(io.BytesIO(content[kind]), kind, "rows", CsvFormat(**csv_format))
    with pytest.raises(InvalidRequestError, match=f"`day` holds '{day}' at rows") as refused:
        InputBuilder(table, signature({"day": INT64}), "`rides` version 3", False).build(list(table.rows()))
    assert str(refused.value).partition("; expected int64.")[2] == advice


def test_a_number_that_does_not_fit_is_refused_without_advice_on_text():
    with pytest.raises(InvalidRequestError, match=r"expected int64, whole numbers in its range\.$"):
        built("day\n1.5\n", "csv", {"day": INT64})


def test_a_problem_of_values_names_the_columns_of_the_file_and_a_date_where_one_is_expected():
    types = {"trip_miles": FLOAT, "pickup_day": INT64, "age": INT64}
    content = "trip miles,Pickup Day,age\nfar,March 1st,old\n"
    with pytest.raises(InvalidRequestError) as refused:
        built(content, "csv", types, rename={"Pickup Day": "pickup_day"}, time_units={"pickup_day": "s"})
    for problem in (
        "`trip miles` holds 'far' at rows:2; expected float32.",
        "`Pickup Day` holds 'March 1st' at rows:2; expected a date such as 2024-02-01.",
        "`age` holds 'old' at rows:2; expected int64. Fix the cell",
    ):
        assert problem in str(refused.value)
