"""JSON documents as RapidJSON reads them: words for infinity, text behind, depth, numbers beyond float64."""

from __future__ import annotations

import json
import math
import tracemalloc

import grpc
import pytest

from crossnet.serving.embedded.json_document import memory_needed, parse_json
from crossnet.serving.status import ServingError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [Inf, -Inf, Infinity, -Infinity]}', {"a": [math.inf, -math.inf, math.inf, -math.inf]}),
        ('{"Inf": "Inf, \\"Inf", "b": Inf}', {"Inf": 'Inf, "Inf', "b": math.inf}),
        ('{"a": 1} and {"b": 2}', {"a": 1}),
        (' \n\t{"a": 1}\x00', {"a": 1}),
        ('\ufeff{"a": "é"}', {"a": "é"}),
        ('[1e308, 1e-400, 0.' + "1" * 400 + ", " + "1" * 300 + "]", [1e308, 0.0, 1 / 9, int("1" * 300)]),
    ],
)  # fmt: skip
def test_what_rapidjson_reads_is_read(text, value):
    assert parse_json(text.encode()) == value


@pytest.mark.parametrize("number", ["1e400", "-1E+0309", "1" + "0" * 400 + ".5", "2e308", "1e99999999999999999999",
                                    "9" * 400, "-" + "9" * 5000])  # fmt: skip
def test_number_beyond_float64_is_refused_and_not_taken_as_infinity(number):
    with pytest.raises(ServingError, match="^JSON Parse error: Number too big to be stored in double.$") as raised:
        parse_json(f'{{"inputs": [{number}]}}'.encode())
    assert raised.value.code == grpc.StatusCode.INVALID_ARGUMENT


def nested(value):
    levels = 0
    while isinstance(value, list):
        value, levels = value[0], levels + 1
    return levels, value


def test_a_document_of_any_depth_is_read_in_memory_that_does_not_explode():
    body = b'{"x": ' + b"[" * 500_000 + b"1" + b"]" * 500_000 + b', "y": ["]]", 2]}'
    tracemalloc.start()
    found = parse_json(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found["y"] == ["]]", 2]
    assert nested(found["x"]) == (259, None)  # the object is a level too
    assert peak < 10 * len(body)


def test_what_lies_beside_a_deep_part_keeps_its_place():
    deep = "[" * 20_000 + '"]"' + "]" * 20_000
    found = parse_json(f'[1, {{"a": {deep}, "b": [2, {deep}, 3]}}, {deep}, 4]'.encode())
    assert (found[0], found[1]["b"][0], found[1]["b"][2], found[3]) == (1, 2, 3, 4)
    assert [nested(part) for part in (found[1]["a"], found[1]["b"][1], found[2])] == [
        (258, None),
        (257, None),
        (259, None),
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "The document is empty"),
        (b" ", "Expecting value at offset: 1"),
        (b'{"a": Info}', "Expecting value at offset: 6"),
        (b"[" * 20_000, "Expecting ',' delimiter at offset: 264"),
        (b"\xff\xfe\x01", "The body is not UTF-8 at offset: 0"),
        (b'"\xed\xa0\x80"', "The body is not UTF-8 at offset: 1"),  # half of a surrogate pair, encoded
        (b"[-NaNs]", "Expecting value at offset: 1"),
        (b'"\\ud800"', "The surrogate pair in string is invalid."),
    ],
)
def test_what_is_not_json_is_refused(body, words):
    with pytest.raises(ServingError) as raised:
        parse_json(body)
    assert (raised.value.code, str(raised.value)) == (grpc.StatusCode.INVALID_ARGUMENT, f"JSON Parse error: {words}")


def test_each_spelling_of_what_is_not_finite_is_a_number_outside_text():
    found = parse_json(b'[-NaN, NaN, Inf, -Inf, "-NaN", "Inf", {"Inf": -Infinity}]')
    assert [math.isnan(value) for value in found[:2]] == [True, True]
    assert found[2:] == [math.inf, -math.inf, "-NaN", "Inf", {"Inf": -math.inf}]


def test_plain_documents_are_what_python_reads():
    value = {"a": [1, 2.5, None, True, "é\n"], "b": {"c": []}}
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "item",
    ['{"x0": 0.5123, "x1": 0.25}', '{"x": 1.5}', "{}", "[]", "[1.5]", "[[[1]]]", "1.5", '"ab"', '{"b64": "YQ=="}'],
)
def test_memory_that_a_document_takes_is_known_before_it_is_read(item):
    body = f'{{"instances": [{", ".join([item] * 10_000)}]}}'.encode()
    tracemalloc.start()
    document = parse_json(body)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(document["instances"]) == 10_000
    assert 0.8 * taken < memory_needed(body) < 3 * taken
