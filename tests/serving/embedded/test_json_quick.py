"""The quick reader and writer of JSON, beside the exact ones: the same arrays, errors and bytes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crossnet.serving.embedded import json_quick
from crossnet.serving.embedded.json_input import read_body, read_inputs
from crossnet.serving.embedded.json_output import _write_exactly, write_floats, write_outputs
from crossnet.serving.embedded.json_quick import PredictBody, write_joined
from crossnet.serving.protocol.codes import status_of
from crossnet.serving.protocol.dtypes import NUMBERS, tensorflow_numpy_type
from crossnet.serving.protocol.session import GraphSignature

KINDS = {"f": np.float32, "d": np.float64, "i": np.int32, "u": np.uint64, "s": np.object_, "b": np.bool_}
pytest.importorskip("orjson", reason="orjson is not installed: there is nothing to compare")


def signature(*names):
    specs = {name: (f"{name}:0", NUMBERS[np.dtype(KINDS[name])]) for name in names}
    types = tuple(tensorflow_numpy_type(number) for _, number in specs.values())
    return GraphSignature("serving_default", specs, types, {}, None)


def outcome(read):
    """What a reader returns, as bytes with their type and shape; or the code and the words of its error."""
    try:
        found, by_row = read()
    except Exception as error:
        return status_of(error)
    return by_row, [(a.dtype, a.shape, a.tolist() if a.dtype == object else a.tobytes()) for a in found]


def both(body, *names):
    quick = outcome(lambda: PredictBody(body).inputs(signature(*names)))
    exact = outcome(lambda: read_inputs(read_body(body), signature(*names)))
    return quick, exact


NUMBERS_AS_TEXT = (
    "0", "-0", "-0.0", "1", "1.0", "16777216", "16777217", "-9223372036854775808", "-9223372036854775809",
    "9223372036854775808", "18446744073709551615", "18446744073709551616", "1" * 30, "-" + "1" * 30, "1" * 400,
    "1e400", "-1e400", "1e39", "3.4028235677973366e38", "1e-46", "5e-324", "1e-400", "1.7976931348623159e308",
    "0e999999", "0.1", "0.30000001192092896", "1E5", "1e+05", "NaN", "Infinity", "-Infinity", "Inf", "-Inf", "01", ".5",
    "1.", "+1", "0x1", "true", "null", '"1"', '"a"', '{"b64": "AA=="}', "[]", "[1]", "{}", '"\\ud800"',
    '"\\ud83d\\ude00"',
)  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS_AS_TEXT)
@pytest.mark.parametrize("name", KINDS)
def test_each_value_means_the_same_in_each_type_by_row_and_by_column(name, text):
    for body in (
        f'{{"inputs": {{"{name}": [{text}]}}}}',
        f'{{"inputs": {{"{name}": [1, {text}]}}}}',
        f'{{"inputs": [[{text}, 2]]}}',
        f'{{"instances": [{{"{name}": {text}}}, {{"{name}": 0.5}}]}}',
        f'{{"instances": [{text}, {text}]}}',
    ):
        quick, exact = both(body.encode(), name)
        assert quick == exact, body


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"1", b"null", b"{}", b'{"inputs": 1} x', b'{"inputs": 1}{"inputs": 2}',
        b'\xef\xbb\xbf{"inputs": 1}',
        b'{"inputs": {"f": 1, "f": 2}}', b'{"inputs": 1, "inputs": 2}', b'{"inputs": 1, "instances": [1]}',
        b'{"inputs": {"f": [1], "more": 1e400}}', b'{"inputs": {"f": [1], "more": 123456789012345678901234567890}}',
        b'{"inputs": {"f": [1], "more": "\xff"}}', b'{"inputs": {"f": [1], "more": "\xed\xa0\x80"}}',
        b'{"inputs": {"f": [1], "more": "a\x00"}}', b'{"inputs": {"f": [1], "more": "\\ud800"}}',
        b'{"signature_name": 1, "inputs": 1}', b'{"signature_name": null, "inputs": 1}', b'{"inputs": [[1], [1, 2]]}',
        b'{"inputs": [[1], 2]}', b'{"instances": [{"f": 1}, {"g": 1}]}', b'{"instances": [{"f": 1, "g": 1}]}',
        b'{"instances": [1, {"f": 1}]}', b'{"instances": []}', b'{"instances": {"f": 1}}', b'{"inputs": {"g": [1]}}',
        b'{"inputs": ' + b"[" * 62 + b"1" + b"]" * 62 + b"}", b'{"inputs": ' + b"[" * 70 + b"1" + b"]" * 70 + b"}",
        b'{"inputs": ' + b"[" * 5000 + b"1" + b"]" * 5000 + b"}", b'\t\r\n {"inputs": [1]}\n', b'\x0b{"inputs": [1]}',
    ],
)  # fmt: skip
def test_each_document_is_taken_or_refused_in_the_same_words(body):
    quick, exact = both(body, "f")
    assert quick == exact


numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@given(st.lists(numbers, min_size=1, max_size=20), st.sampled_from(["f", "d", "i", "u"]), st.booleans())
def test_drawn_numbers_give_the_same_bytes(values, name, by_row):
    given_rows = {"instances": [{name: value} for value in values]} if by_row else {"inputs": {name: values}}
    quick, exact = both(json.dumps(given_rows).encode(), name)
    assert quick == exact


values_as_json = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["f", "s", "b64"]), inner, max_size=2),
    max_leaves=8,
)


@given(st.sampled_from(["inputs", "instances"]), values_as_json, st.sampled_from(["f", "s", "b", "fs"]))
def test_drawn_documents_are_read_or_refused_alike(key, value, names):
    quick, exact = both(json.dumps({key: value}, ensure_ascii=False).encode("utf-8", "surrogatepass"), *names)
    assert quick == exact


def test_what_comes_from_common_clients_is_not_read_twice(monkeypatch):
    monkeypatch.setattr(json_quick, "read_body", lambda body: pytest.fail("the exact reader was asked"))
    for body in (
        b'{"inputs": {"f": [1, 2.5], "s": ["a", "b"]}}',
        b'{"instances": [{"f": 1, "s": "a"}, {"f": 2.5, "s": "b"}]}',
        b'{"signature_name": "serving_default", "inputs": {"f": [[1, 2], [3, 4]], "s": [[""]], "more": null}}',
    ):
        found, _ = PredictBody(body).inputs(signature("f", "s"))
        assert len(found) == 2


def test_without_orjson_requests_and_answers_are_the_same(monkeypatch):
    body, values = b'{"inputs": {"f": [1, 2.5, 1e-7]}}', np.array([0.1, 1 / 3, -7], np.float32)
    quick, texts = outcome(lambda: PredictBody(body).inputs(signature("f"))), write_floats(values)
    monkeypatch.setattr(json_quick, "orjson", None)
    assert outcome(lambda: PredictBody(body).inputs(signature("f"))) == quick
    assert write_floats(values) == texts == ["0.1", "0.333333343", "-7.0"]


# ---- Writing ----


@given(arrays(np.float32, st.integers(0, 30), elements=st.floats(width=32)))
def test_drawn_float32_values_are_written_byte_by_byte_as_the_exact_writer_does(values):
    assert write_floats(values) == _write_exactly(values)


@given(arrays(np.float32, 30, elements=st.floats(-(2.0**20), 2.0**20, width=32)))
def test_drawn_values_of_usual_size_are_written_alike(values):
    texts = _write_exactly(values)
    assert write_floats(values) == texts
    assert write_outputs({"y": values}, rows=False) == '{\n    "outputs": [' + ", ".join(texts) + "]\n}"
    assert write_outputs({"y": values}, rows=True) == '{\n    "predictions": [' + ", ".join(texts) + "\n    ]\n}"


def test_texts_are_joined_only_where_each_of_them_holds():
    values = np.float32([0, -0.0, 0.5, -999999, 2e-4])
    assert write_joined(values) == "0.0, -0.0, 0.5, -999999.0, 0.0002"
    for other in (1e6, 9.9e-5, np.nan, -np.inf):
        assert write_joined(np.append(values, np.float32(other))) is None
    assert write_joined(values[:0]) is None


@given(arrays(np.float64, 5, elements=st.floats()))
def test_drawn_float64_values_are_written_alike_and_round_trip(values):
    texts = write_floats(values)
    assert texts == _write_exactly(values)
    assert all(math.isnan(v) or float(text) == v for v, text in zip(values.tolist(), texts, strict=True))


def test_values_around_each_power_of_ten_and_each_exponent_are_written_alike():
    near = [np.float32(10.0**power).view(np.int32) + np.arange(-500, 500) for power in range(-6, 9)]
    bits = np.concatenate([*near, np.arange(0, 2**31 - 1, 65_521)]).astype(np.int32)
    values = np.concatenate([bits, bits | np.int32(-(2**31))]).view(np.float32)
    values = np.concatenate([values, np.round(values[np.abs(values) < 1e6], 3)])
    assert write_floats(values) == _write_exactly(values)


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": [{"f": 1, "d": 2, "f": 3}]}',
        '{"instances": [{"f" : 1, "d" :2, "f":3}]}',
        '{"instances": [{"f": 1, "d": 2}, {"f": 1, "d": 2, "d": 2}]}',
        '{"instances": [{"f": 1, "d": 2}], "instances": [{"f": 5, "d": 6}]}',
        '{"inputs": {"f": [1], "d": [2], "f": [3]}}',
        '{"inputs": {"f": [1], "d": [2]}, "inputs": {"f": [3], "d": [4]}, "other": {"a": {"b": 1, "b": 2}}}',
        '{"\\u0069nputs": {"f": [1], "d": [2]}, "inputs": {"f": [3], "d": [4]}}',
    ],
)
def test_a_key_that_occurs_twice_means_the_same_to_both(body):
    quick, exact = both(body.encode(), "f", "d")
    assert quick == exact


@pytest.mark.parametrize(
    ("body", "is_quick"),
    [
        ('{"instances": [{"s": "10:30", "f": 1}, {"s": "a: b", "f": 2}]}', True),
        ('{"instances": [{"s": {"b64": "YQ=="}, "f": 1}]}', True),
        ('{"inputs": {"s": [{"b64": "YQ=="}, {"b64": "Yg=="}], "f": [1, 2]}}', True),
        ('{"instances": [{"s": "10:30", "f": 1, "f": 1}]}', False),
        ('{"instances": [{"s": {"b64": "YQ==", "b64": "YQ=="}, "f": 1}]}', False),
        ('{"instances": [{"s": "is \\"a\\": b", "f": 1}]}', True),
        ('{"instances": [{"s": "10\\u003a30", "f": 1, "f": 1}]}', False),
        ('{"instances": [{"s:": "a", "f": 1}]}', False),
    ],
)
def test_text_with_colons_and_bytes_are_read_quickly_and_a_key_twice_never(body, is_quick):
    assert (json_quick._read(body.encode()) is not None) == is_quick
    quick, exact = both(body.encode(), "s", "f")
    assert quick == exact


@given(
    st.lists(st.lists(st.sampled_from("fds"), min_size=1, max_size=5), min_size=1, max_size=3), st.sampled_from('a:"')
)
def test_drawn_rows_with_keys_in_any_number_mean_the_same_to_both(rows, text):
    def value(key):
        return json.dumps(text) if key == "s" else "1"

    objects = ["{" + ", ".join(f'"{key}": {value(key)}' for key in keys) + "}" for keys in rows]
    quick, exact = both(f'{{"instances": [{", ".join(objects)}]}}'.encode(), "f", "d", "s")
    assert quick == exact
