"""JSON answers: numbers, text and bytes as the real server writes them, by row and by column."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from crossnet.serving.embedded.json_output import write_floats, write_outputs
from crossnet.serving.status import ServingError

F = np.float32


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float32(0.2), "0.2"),
        (np.float32(3), "3.0"),
        (np.float32(9e6), "9e+06"),
        (np.float32(3e-5), "3e-05"),
        (np.float32(0.1234567), "0.123456702"),
        (np.float32(16777216), "16777216.0"),
        (np.float64(0.1), "0.1"),
        (np.float64(1) / 3, "0.33333333333333331"),
        (np.float32("-inf"), "-Infinity"),
        (np.float32("inf"), "Infinity"),
        (np.float64("nan"), "NaN"),
    ],
)
def test_write_floats_takes_six_digits_if_they_round_trip(value, text):
    for count in (2, 20):
        assert write_floats(np.array([value] * count)) == [text] * count


@pytest.mark.parametrize(
    ("name", "array", "text"),
    [
        ("y", np.array([[1, 2.5], [3, 4]], F), "[[1.0, 2.5], [3.0, 4.0]]"),
        ("y", np.array([[], []], F), "[[], []]"),
        ("y", np.array(7, np.int64), "7"),
        ("y", np.array([-1, 2], np.int8), "[-1, 2]"),
        ("y", np.array([True, False]), "[true, false]"),
        ("y", np.array([1.5, -2], np.float16), "[1.5, -2.0]"),
        ("y", np.array([1.5], tf.bfloat16.as_numpy_dtype), "[1.5]"),
        ("y", np.array(["é\"".encode(), b"\xff"], object), '["é\\"", {"b64": "/w=="}]'),
        ("y_bytes", np.array([b"\xff\x00"], object), '[{"b64": "/wA="}]'),
    ],
)  # fmt: skip
def test_a_column_is_written_by_its_type_and_name(name, array, text):
    assert write_outputs({name: array}, rows=False) == '{\n    "outputs": ' + text + "\n}"


def test_several_columns_are_named():
    text = write_outputs({"a": np.array([1.0], F), "b c": np.array([2], np.int32)}, rows=False)
    assert text == '{\n    "outputs": {\n        "a": [1.0],\n        "b c": [2]\n    }\n}'


def test_rows_of_one_output_are_written_bare():
    assert write_outputs({"a": np.array([[1], [2]], F)}, rows=True) == '{\n    "predictions": [[1.0], [2.0]\n    ]\n}'


def test_rows_of_several_outputs_are_written_as_objects():
    text = write_outputs({"a": np.array([1, 2], F), "b": np.array([b"x", b"y"], object)}, rows=True)
    row = '\n        {{\n            "a": {},\n            "b": "{}"\n        }}'
    assert text == '{\n    "predictions": [' + row.format("1.0", "x") + ", " + row.format("2.0", "y") + "\n    ]\n}"


@pytest.mark.parametrize(
    ("outputs", "sentence"),
    [
        ({"a": np.zeros(2), "b": np.zeros(1)}, "Tensor name: b has inconsistent batch size: 1 expecting: 2"),
        ({"a": np.array(1.0)}, "Tensor name: a has no shape information"),
        ({"a": np.zeros((0, 2)), "b": np.zeros(2)}, "Tensor name: a has invalid batch size: 0"),
        ({}, "Cannot convert empty tensor map to JSON"),
        ({"a": np.zeros(1, np.complex64)}, "Failed to write JSON value for tensor type: complex64"),
    ],
)
def test_outputs_that_are_not_rows_of_one_batch_are_refused(outputs, sentence):
    with pytest.raises(ServingError, match=sentence):
        write_outputs(outputs, rows=True)


def test_values_of_all_sizes_are_written_as_one_by_one():
    generator = np.random.default_rng(7)
    for kind, digits in ((np.float32, 9), (np.float64, 17)):
        values = (generator.normal(size=500) * 10.0 ** generator.integers(-30, 30, 500)).astype(kind)
        values[::7] = np.round(values[::7].astype(np.float64), 2).astype(kind)
        for value, text in zip(values, write_floats(values), strict=True):
            short = f"{value:.6g}"
            expected = short if kind(short) == value else f"{value:.{digits}g}"
            assert text == (expected if "." in expected or "e" in expected else expected + ".0")
            assert kind(text) == value
