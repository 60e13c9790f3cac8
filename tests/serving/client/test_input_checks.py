"""Inputs are cast where that is safe, and all that do not fit are named."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.serving.client.input_checks import fit_inputs, fit_values
from crossnet.serving.protocol.signature import Signature, TensorSpec
from crossnet.serving.status import InvalidRequestError

FLOAT, DOUBLE, INT8, TEXT, INT64, BOOL = 1, 2, 6, 7, 9, 10
OUTPUTS = {"prediction": TensorSpec(FLOAT, (None,))}
RIDES = Signature(
    "serving_default",
    "tensorflow/serving/predict",
    {"age": TensorSpec(INT64, (None,)), "miles": TensorSpec(FLOAT, (None,)), "zone": TensorSpec(TEXT, (None,))},
    OUTPUTS,
)
MATRIX = Signature("serving_default", "", {"x": TensorSpec(FLOAT, (None, 3))}, OUTPUTS)
TITLE = "`rides` version 7"

GOOD = {"age": [3, 4], "miles": [0.5, 1.5], "zone": ["north", "söuth"]}

# Twelve ways to be wrong, and more: one line each, with the right answer.
WRONG = {
    "a name is missing": ({"age": [1], "miles": [0.5]}, "Missing: `zone`."),
    "a name is misspelt": (
        {**GOOD, "mile": [1.0, 2.0]} | {"miles": GOOD["miles"]},
        "Extra: `mile` (did you mean `miles`?).",
    ),
    "text for a number": ({**GOOD, "miles": [0.5, "far"]}, "`miles` holds 'far' at row 1; expected float32."),
    "a number for text": ({**GOOD, "zone": np.array([1.0, 2.0])}, "`zone` holds float64; expected text."),
    "numbers among text": ({**GOOD, "zone": ["a", 2]}, "`zone` holds 2 at row 1; expected text."),
    "a fraction for a whole number": (
        {**GOOD, "age": [3, 4.5]},
        "`age` holds 4.5 at row 1; expected int64, whole numbers in its range.",
    ),
    "NaN for a whole number": (
        {**GOOD, "age": [float("nan"), 4]},
        "`age` holds nan at row 0; expected int64, whole numbers in its range.",
    ),
    "a single value": (
        {**GOOD, "miles": 0.5},
        "`miles` is a single value; expected one per row, shape [rows]. Write it as a list.",
    ),
    "a column too many": ({**GOOD, "miles": [[0.5], [1.5]]}, "`miles` has shape [2, 1]; expected [rows]."),
    "columns of different lengths": (
        {**GOOD, "miles": [0.5]},
        "The numbers of rows differ: `age` has 2, `miles` has 1, `zone` has 2.",
    ),
    "ragged rows": (
        {**GOOD, "miles": [[1.0], [1.0, 2.0]]},
        "`miles` has rows of different lengths, such as row 0; expected shape [rows].",
    ),
    "a list among numbers": (
        {**GOOD, "miles": [1.0, [1.0, 2.0]]},
        "`miles` has rows of different lengths, such as row 1; expected shape [rows].",
    ),
    "a text of a million letters": (
        {**GOOD, "miles": [0.5, "x" * 10**6]},
        f"`miles` holds '{'x' * 59}... at row 1; expected float32.",
    ),
    "None for a number": (
        {**GOOD, "miles": [None, 1.0]},
        "`miles` holds None at row 0; expected float32. Write NaN for a missing number.",
    ),
    "None for text": (
        {**GOOD, "zone": ["a", None]},
        '`zone` holds None at row 1; expected text. Write "" for missing text.',
    ),
    "booleans for numbers": (
        {**GOOD, "miles": np.array([True, False])},
        "`miles` holds bool; expected float32. Write 0 and 1.",
    ),
    "beyond float32": (
        {**GOOD, "miles": [1.0, 1e300]},
        "`miles` holds 1e+300 at row 1; expected float32, whose range it exceeds.",
    ),
    "beyond int64": (
        {**GOOD, "age": [1, 2**70]},
        f"`age` holds {2**70} at row 1; expected int64, whose range it exceeds.",
    ),
    "a float that may have been another whole number": (
        {**GOOD, "age": [1.0, 2**53 + 1]},
        "`age` holds 9007199254740992.0 at row 1; expected int64, whole numbers in its range.",
    ),
    "dates": (
        {**GOOD, "miles": np.array(["2026-01-01", "2026-01-02"], "M8[D]")},
        "`miles` holds datetime64[D]; expected float32.",
    ),
    "a masked array": (
        {**GOOD, "miles": np.ma.masked_array([1.0, 2.0], [True, False])},
        "`miles` is a masked array. Fill its missing values: `.filled(np.nan)` for numbers",
    ),
    "half a surrogate pair": ({**GOOD, "zone": ["a", "\ud800"]}, "`zone` holds text that is not Unicode at row 1"),
    "an array for several inputs": (
        np.zeros((2, 3)),
        "given by name, as a mapping or a list of rows. Received ndarray; expected `age`: int64 [rows], "
        "`miles`: float32 [rows], `zone`: text [rows].",
    ),
    "a text for the inputs": ("miles=1", "given by name, as a mapping or a list of rows. Received str"),
    "a row that does not fit": (
        [{"age": 1, "miles": 1, "zone": "n"}, {"age": 1, "milse": 1, "zone": "n"}],
        "Row 1 does not fit model `rides` version 7. Missing: `miles`. Extra: `milse` (did you mean `miles`?).",
    ),
}


@pytest.mark.parametrize(("inputs", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_wrong_inputs_are_told_with_the_right_answer(inputs, sentence):
    with pytest.raises(InvalidRequestError) as caught:
        fit_inputs(inputs, RIDES, TITLE)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.code is None


def test_wrong_last_dimension_is_told():
    with pytest.raises(InvalidRequestError, match=r"`x` has shape \[2, 4\]; expected \[rows, 3\]\."):
        fit_inputs(np.zeros((2, 4), np.float32), MATRIX, TITLE)


@pytest.mark.parametrize(("rows", "odd"), [([[1, 2, 3], [1, 2]], 1), ([[1, 2], [1, 2, 3]], 0), ([[1, 2, 3], 1], 1)])
def test_row_of_another_length_than_the_model_takes_is_named(rows, odd):
    with pytest.raises(InvalidRequestError, match=rf"such as row {odd}; expected shape \[rows, 3\]"):
        fit_inputs({"x": rows}, MATRIX, TITLE)


@pytest.mark.parametrize("inputs", [None, {1.0, 2.0}, iter([1.0]), "1,2"])
def test_what_is_no_list_of_values_is_told(inputs):
    with pytest.raises(InvalidRequestError, match=rf"Received {type(inputs).__name__}; expected `x`: float32"):
        fit_inputs(inputs, MATRIX, TITLE)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(InvalidRequestError) as caught:
        fit_inputs({"age": 1, "miles": ["far"], "zones": ["n"]}, RIDES, TITLE)
    assert str(caught.value) == (
        "The inputs do not fit signature `serving_default` of model `rides` version 7. Missing: `zone`. "
        "Extra: `zones` (did you mean `zone`?). `age` is a single value; expected one per row, shape [rows]. Write it "
        "as a list. `miles` holds 'far' at row 0; expected float32."
    )


def test_only_the_first_rows_that_do_not_fit_are_named():
    with pytest.raises(InvalidRequestError, match=r"Row 4 does not fit .* 15 more rows do not fit\.$") as caught:
        fit_inputs([{"age": 1}] * 20, RIDES, TITLE)
    assert "Row 5" not in str(caught.value)


def test_columns_become_arrays_of_the_signatures_types():
    arrays = fit_inputs(GOOD, RIDES, TITLE)
    assert [(name, array.dtype.name, array.tolist()) for name, array in arrays.items()] == [
        ("age", "int64", [3, 4]),
        ("miles", "float32", [0.5, 1.5]),
        ("zone", "object", [b"north", "söuth".encode()]),
    ]


def test_rows_give_the_same_as_columns():
    rows = [dict(zip(GOOD, values, strict=True)) for values in zip(*GOOD.values(), strict=True)]
    by_rows, by_columns = fit_inputs(rows, RIDES, TITLE), fit_inputs(GOOD, RIDES, TITLE)
    assert {name: array.tolist() for name, array in by_rows.items()} == {
        name: array.tolist() for name, array in by_columns.items()
    }


def test_values_alone_go_to_the_only_input():
    assert fit_inputs([[1, 2, 3]], MATRIX, TITLE)["x"].tolist() == [[1.0, 2.0, 3.0]]


def test_array_of_the_right_type_is_passed_on_as_it_is():
    array = np.zeros((4, 3), np.float32)
    assert fit_inputs(array, MATRIX, TITLE)["x"] is array


def test_empty_batch_fits():
    assert fit_inputs({"age": [], "miles": [], "zone": []}, RIDES, TITLE)["age"].dtype == np.int64


def test_inputs_with_a_default_may_be_left_out():
    signature = Signature("s", "", RIDES.inputs, OUTPUTS, optional=frozenset({"zone", "age"}))
    assert list(fit_inputs({"miles": [1.0]}, signature, TITLE)) == ["miles"]
    assert list(fit_inputs([{"miles": 1.0}], signature, TITLE)) == ["miles"]


@pytest.mark.parametrize("order", [1, -1])
def test_an_input_with_a_default_is_in_all_rows_or_in_none(order):
    signature = Signature("s", "", RIDES.inputs, OUTPUTS, optional=frozenset({"zone", "age"}))
    rows = [{"miles": 1.0}, {"miles": 2.0, "age": 3}][::order]
    row = "Row 0" if order == 1 else "Row 1"
    sentence = f"{row} does not fit .*Missing: `age`; give an input with a default in all rows or in none."
    with pytest.raises(InvalidRequestError, match=sentence):
        fit_inputs(rows, signature, TITLE)


@pytest.mark.parametrize(
    ("values", "number", "expected"),
    [
        (np.array([0.1]), FLOAT, [float(np.float32(0.1))]),
        (np.array([1, 2], np.int32), FLOAT, [1.0, 2.0]),
        (np.array([1.5], np.float16), FLOAT, [1.5]),
        (np.array([2.5], ">f4"), FLOAT, [2.5]),
        (np.array([1.0, np.inf, -np.inf]), FLOAT, [1.0, np.inf, -np.inf]),
        (np.array([0.1], np.float32), DOUBLE, [float(np.float32(0.1))]),
        (np.array([3.0, -4.0]), INT64, [3, -4]),
        (np.array([2**63 - 1], np.uint64), INT64, [2**63 - 1]),
        (np.array([-128, 127]), INT8, [-128, 127]),
        (np.array([True]), BOOL, [True]),
        (np.array(["a", "ü"]), TEXT, [b"a", "ü".encode()]),
        (np.array([b"a"]), TEXT, [b"a"]),
        (np.array(["a"], np.dtypes.StringDType()), TEXT, [b"a"]),
        ([np.float64(1.0), 2], FLOAT, [1.0, 2.0]),
        (np.array([1, 2.5], object), FLOAT, [1.0, 2.5]),
    ],
)
def test_values_are_cast_where_none_changes_its_meaning(values, number, expected):
    spec = TensorSpec(number, (None,))
    fitted = fit_values(values, spec)
    assert fitted.dtype == spec.dtype
    assert fitted.tolist() == expected


def test_nan_stays_nan():
    assert np.isnan(fit_values([float("nan")], TensorSpec(FLOAT, (None,)))).all()


@pytest.mark.parametrize(
    ("values", "number", "sentence"),
    [
        (np.array([128]), INT8, "holds 128 at row 0; expected int8, whole numbers in its range"),
        (np.array([2**63], np.uint64), INT64, f"holds {2**63} at row 0"),
        (np.array([1, 0]), BOOL, "holds int64; expected bool"),
        (np.array([1j]), FLOAT, "holds complex128; expected float32"),
        ([1.0], 14, "is of type DT_BFLOAT16 in the model, which NumPy does not have"),
        ([[1.0, 2.0], [3.0, "x"]], FLOAT, "holds 'x' at row 1; expected float32"),
    ],
)
def test_values_that_would_change_are_refused(values, number, sentence):
    shape = (None, 2) if isinstance(values[0], list) else (None,)
    with pytest.raises(ValueError, match=sentence):
        fit_values(values, TensorSpec(number, shape))


def test_open_rank_takes_any_shape_and_a_scalar_input_takes_a_scalar():
    assert fit_values([[1.0]], TensorSpec(FLOAT, None)).shape == (1, 1)
    assert fit_values(1.0, TensorSpec(FLOAT, ())).shape == ()


@pytest.mark.parametrize("values", [[1.5, 2], np.array([1.5, 2.0]), [[1.5], [2]]], ids=["flat", "array", "nested"])
def test_flat_values_fit_an_input_of_one_value_per_row(values):
    spec = TensorSpec(FLOAT, (None, 1))
    assert fit_values(values, spec).tolist() == [[1.5], [2.0]]
    rows = [{"x": value} for value in values]
    keras = Signature("serving_default", "", {"x": spec}, OUTPUTS)
    assert fit_inputs(rows, keras, TITLE)["x"].tolist() == [[1.5], [2.0]]


def test_flat_texts_fit_an_input_of_one_text_per_row():
    assert fit_values(["a", "b"], TensorSpec(TEXT, (None, 1))).tolist() == [[b"a"], [b"b"]]
    with pytest.raises(ValueError, match=r"has shape \[2\]; expected \[rows, 2\]"):
        fit_values(["a", "b"], TensorSpec(TEXT, (None, 2)))
