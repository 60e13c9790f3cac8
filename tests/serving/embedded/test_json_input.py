"""JSON requests: values of each type, rows and columns, and the real server's words for what does not fit."""

from __future__ import annotations

import json
import tracemalloc

import grpc
import numpy as np
import pytest

from crossnet.serving.embedded.json_input import read_body, read_inputs
from crossnet.serving.protocol.dtypes import NUMBERS, tensorflow_numpy_type
from crossnet.serving.protocol.session import GraphSignature
from crossnet.serving.status import ServingError


def signature(**inputs):
    """A signature with inputs of NumPy's types, or of DataType numbers where NumPy has none."""
    numbers = {name: kind if isinstance(kind, int) else NUMBERS[np.dtype(kind)] for name, kind in inputs.items()}
    specs = {name: (f"{name}:0", number) for name, number in numbers.items()}
    return GraphSignature("serving_default", specs, tuple(map(tensorflow_numpy_type, numbers.values())), {}, None)


ONE = signature(x=np.float32)
TWO = signature(x0=np.float32, x1=np.float32)


def read(body, called):
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return read_inputs(read_body(text.encode() if isinstance(text, str) else text), called)


def failure(body, called):
    with pytest.raises(ServingError) as error:
        read(body, called)
    return error.value.code, str(error.value)


# ---- Keys that occur twice ----


@pytest.mark.parametrize("rows", ['{"x0": 1, "x1": 2, "x0": 3}', '{"x0": 1, "x1": 2}, {"x0": 3, "x1": 4, "x0": 5}'])
def test_a_row_with_a_key_twice_is_refused(rows):
    code, message = failure(f'{{"instances": [{rows}]}}', TWO)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert message == (
        f"Failed to process element: {rows.count('}, {')} key: x0 of 'instances' list. Error: INVALID_ARGUMENT: JSON "
        "object: has this key twice"
    )


def test_of_columns_and_of_the_request_the_first_of_two_keys_counts_as_in_the_real_server():
    arrays, by_row = read('{"inputs": {"x0": [1], "x1": [2], "x0": [3]}, "inputs": 7, "signature_name": "a"}', TWO)
    assert ([array.tolist() for array in arrays], by_row) == ([[1.0], [2.0]], False)
    assert read_body(b'{"signature_name": "a", "signature_name": "b"}') == {"signature_name": "a"}


def test_two_keys_b64_are_not_bytes():
    code, message = failure('{"inputs": {"b64": "YQ==", "b64": "Yg=="}}', signature(x=np.object_))
    assert (code, message) == (grpc.StatusCode.INVALID_ARGUMENT, "Missing named input: x in 'inputs' object.")
    _, message = failure('{"inputs": [{"b64": "YQ==", "b64": "Yg=="}]}', signature(x=np.object_))
    assert message.endswith("not formatted correctly for base64 data")
    _, message = failure('{"inputs": [{"b64": "YQ==", "b64": "Yg=="}]}', ONE)
    assert message.endswith("Type: Object is not of expected type: float")


# ---- What fits ----


def test_rows_come_in_the_order_of_the_signature():
    arrays, by_row = read({"instances": [{"x1": 2.5, "x0": 1}, {"x0": 2, "x1": 0}]}, TWO)
    assert ([array.tolist() for array in arrays], by_row) == ([[1.0, 2.0], [2.5, 0.0]], True)
    arrays, by_row = read({"instances": [[1.0, 2.0], [3.0, 4.0]]}, ONE)
    assert ([array.tolist() for array in arrays], by_row) == ([[[1.0, 2.0], [3.0, 4.0]]], True)


def test_columns_come_in_the_order_of_the_signature_and_others_are_left_out():
    arrays, by_row = read({"inputs": {"x1": [0.5, 0.5], "x0": [1, 2], "more": 1}}, TWO)
    assert ([array.tolist() for array in arrays], by_row) == ([[1.0, 2.0], [0.5, 0.5]], False)
    arrays, by_row = read({"inputs": [1.0, 2.0]}, ONE)
    assert ([array.tolist() for array in arrays], by_row) == ([[1.0, 2.0]], False)


@pytest.mark.parametrize(
    ("kind", "given", "values"),
    [
        (np.float32, [1, 0.5], [1.0, 0.5]),
        (np.float32, [], []),
        (np.float32, [[1], [2]], [[1.0], [2.0]]),
        (np.float64, 1e300, 1e300),
        (np.float64, 2**53 + 1, 2.0**53),
        (np.float32, [1435774380, 1e39, -(2**70)], [1435774336.0, np.inf, -(2.0**70)]),
        (np.int64, [-(2**63), 2**63 - 1], [-(2**63), 2**63 - 1]),
        (np.uint64, 2**64 - 1, 2**64 - 1),
        (np.uint32, 2**32 - 1, 2**32 - 1),
        (np.int8, [127, 128, -129], [127, -128, 127]),
        (np.uint8, [255, 256, -1], [255, 0, 255]),
        (np.int16, 2**15, -(2**15)),
        (np.bool_, [True, False], [True, False]),
        (np.object_, ["é", {"b64": "/wA="}], ["é".encode(), b"\xff\x00"]),
        (np.object_, [{"b64": ""}, {"b64": "YQ"}, {"b64": "YW\nJj\r\nZA=="}], [b"", b"a", b"abcd"]),
    ],
)
def test_values_of_each_type(kind, given, values):
    ((array,), _) = read({"inputs": given}, signature(x=kind))
    assert array.dtype == kind
    assert array.tolist() == values


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_long_columns_mean_what_short_ones_do(kind):
    values = [0.1, 2**53 + 1, -(2**70), 1e39, 1e-46, 0, 1, -0.0, 16777217] * 20
    for body in ({"inputs": values}, {"instances": [{"x": value} for value in values]}):
        ((array,), _) = read(body, signature(x=kind))
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(array, np.array(values, kind))
        assert array.dtype == kind
    for wrong, word in ((True, "True"), (False, "False"), (None, "Null"), ("1", "String"), ({}, "Object")):
        for numbers in (0.5, 0, 1.0):
            code, words = failure({"inputs": [numbers] * 200 + [wrong]}, signature(x=kind))
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert f"Type: {word} is not of expected type" in words


def test_bare_nan_and_infinity_are_read():
    ((array,), _) = read('{"inputs": [NaN, Infinity, -Infinity]}', ONE)
    np.testing.assert_array_equal(array, np.float32([np.nan, np.inf, -np.inf]))


def test_one_object_of_base64_is_text_and_not_a_row_of_names():
    ((array,), by_row) = read({"instances": [{"b64": "YQ=="}, "b"]}, signature(x=np.object_))
    assert (array.tolist(), by_row) == ([b"a", b"b"], True)


def test_an_object_with_more_than_base64_is_a_row_of_names():
    arrays, _ = read({"instances": [{"b64": "YQ==", "x": "b"}]}, signature(b64=np.object_, x=np.object_))
    assert [array.tolist() for array in arrays] == [[b"YQ=="], [b"b"]]


def test_signature_name_is_kept():
    assert read_body(b'{"signature_name": "s", "inputs": 1}') == {"signature_name": "s", "inputs": 1}


# ---- What does not ----


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "JSON Parse error: Expecting property name enclosed in double quotes at offset: 1"),
        ("", "JSON Parse error: The document is empty"),
        ("[" * 100_000, "JSON Parse error: Expecting ',' delimiter at offset: 264"),
        (b"\xff\xfe\x01", "JSON Parse error: The body is not UTF-8 at offset: 0"),
        (r'{"signature_name": "\ud800"}', "JSON Parse error: The surrogate pair in string is invalid."),
        (r'{"instances": [{"\udc00": 1}]}', "JSON Parse error: The surrogate pair in string is invalid."),
        ("[]", "JSON Value: [] Is not object"),
        ('{"signature_name": 1}', "not formatted correctly. 'signature_name' key must be a string value."),
    ],
)
def test_a_body_that_is_not_a_request_is_refused(body, words):
    code, message = failure(body, ONE)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert message.endswith(words)


@pytest.mark.parametrize(
    ("called", "body", "words"),
    [
        (TWO, {}, "Missing 'inputs' or 'instances' key"),
        (TWO, {"inputs": 1, "instances": 1},
         "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist"),
        (TWO, {"instances": {}}, "Excepting 'instances' to be an list/array"),
        (TWO, {"instances": []}, "No values in 'instances' array"),
        (TWO, {"instances": [1]}, "instances is a plain list, but expecting list of objects"),
        (TWO, {"inputs": [1]}, "inputs is a plain value/list, but expecting an object"),
        (TWO, {"inputs": {"x0": [1]}}, "Missing named input: x1 in 'inputs' object."),
        (TWO, {"instances": [{"x0": 1}]}, "keys must be equal to: x0,x1"),
        (TWO, {"instances": [{"x0": 1, "x1": 1, "z": 1}]},
         "Failed to process element: 0 key: z of 'instances' list. Error: INVALID_ARGUMENT: JSON object: does not "
         "have named input: z"),
        (TWO, {"instances": [{"x0": 1, "x1": 1}, 5]}, "Expecting object but got list at item 1 of input list"),
        (ONE, {"instances": [1, {"x": 1}]}, "Expecting value/list but got object at item 1 of input list"),
        (ONE, {"instances": [[1], [1, 2]]},
         "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting tensor size: 1 but got: "
         "2"),
        (ONE, {"instances": [[[1], [2]], [[1, 2]]]}, "Expecting shape [2,1] but got: [1,2]"),
        (ONE, {"inputs": json.loads("[" * 64 + "1" + "]" * 64)}, "has 64 dimensions, expected at most 63"),
        (ONE, {"inputs": [[1], 2]}, "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        (ONE, {"inputs": [[1], [2, 3]]}, "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
        (ONE, {"inputs": [1, [2]]}, "Encountered list at unexpected level: 1 expected < 1"),
        (ONE, {"inputs": "a"}, 'JSON Value: "a" Type: String is not of expected type: float'),
        (ONE, {"inputs": [None]}, "JSON Value: null Type: Null is not of expected type: float"),
        (ONE, {"inputs": True}, "JSON Value: true Type: True is not of expected type: float"),
        (signature(x=np.int32), {"inputs": 1.0}, "JSON Value: 1.0 Type: Number is not of expected type: int32"),
        (signature(x=np.int32), {"inputs": 2**31}, "Type: Number is not of expected type: int32"),
        (signature(x=np.uint32), {"inputs": -1}, "Type: Number is not of expected type: uint32"),
        (signature(x=np.bool_), {"inputs": 1}, "JSON Value: 1 Type: Number is not of expected type: bool"),
        (signature(x=np.object_), {"inputs": False}, "JSON Value: false Type: False is not of expected type: string"),
        (signature(x=np.object_), {"inputs": {"b64": "?"}}, "Unable to base64 decode"),
        (signature(x=np.object_), {"inputs": {"b64": "YWJjZ"}}, "Unable to base64 decode"),
        (signature(x=np.object_), {"inputs": {"b64": "YQ="}}, "Unable to base64 decode"),
        (signature(s=np.object_, t=np.object_), {"inputs": {"s": {"b": 1}, "t": ""}},
         "not formatted correctly for base64 data"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit_the_signature_are_refused(called, body, words):
    code, message = failure(body, called)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert words in message


def _deep(levels):
    return "[" * levels + "1" + "]" * levels


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": [{"x0": ' + _deep(900) + ', "x1": [' + ",".join("1" * 20_000) + "]}]}",
        '{"instances": [{"x0": 1, "x1": {"y": [' + ",".join("1" * 20_000) + "]}}]}",
        '{"instances": [{"x0": 1, "x9": 1}], "more": "' + "x" * 100_000 + '"}',
        '{"instances": {}, "more": [' + ",".join(["{}"] * 20_000) + "]}",
        '{"instances": [], "inputs": "' + "é" * 100_000 + '"}',
        '{"signature_name": [' + ",".join("1" * 20_000) + "]}",
        '{"inputs": {"x0": "' + "x" * 100_000 + '", "x1": 1}}',
        '{"instances": [{"' + "x" * 100_000 + '": 1}]}',
        '{"inputs": {"x0": ' + "9" * 4000 + ', "x1": 1}}',
        "[" + ",".join("1" * 20_000) + "]",
    ],
)
def test_the_error_of_a_large_body_is_small_and_made_in_little_memory(body):
    tracemalloc.start()
    code, message = failure(body, TWO)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert len(message) < 700
    assert peak < 50 * len(body)  # the parsed document included; the error alone was 800 times as large


def test_a_type_that_json_does_not_carry_is_unimplemented():
    found = failure({"inputs": 0}, signature(x=np.float16))
    assert found == (grpc.StatusCode.UNIMPLEMENTED, "Conversion of JSON Value: 0 to type: half")


def test_as_many_dimensions_as_numpy_has_are_read():
    ((array,), _) = read({"inputs": json.loads("[" * 63 + "1" + "]" * 63)}, ONE)
    assert array.shape == (1,) * 63


def test_rows_of_numbers_are_read_alike_beside_a_row_that_is_not_plain():
    rows = [{"x0": i, "x1": i / 3} for i in range(5)]
    plain, _ = read({"instances": rows}, TWO)
    rows[2]["x1"] = [2 / 3]
    assert failure({"instances": rows}, TWO)[1].startswith("Failed to process element: 2 key: x1 of 'instances' list.")
    assert [array.tolist() for array in plain] == [[0, 1, 2, 3, 4], [float(np.float32(i / 3)) for i in range(5)]]
