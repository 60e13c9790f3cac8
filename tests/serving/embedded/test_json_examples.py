"""tf.Examples in JSON: kinds of values, the context, what is refused; results of both methods."""

from __future__ import annotations

import grpc
import pytest
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from crossnet.serving.embedded.json_examples import fill_examples, write_classifications, write_regressions
from crossnet.serving.embedded.json_input import read_body
from crossnet.serving.status import ServingError


def filled(document):
    given = input_pb2.Input()
    fill_examples(given, document)
    return given


def features(example):
    found = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = (kind, list(getattr(feature, kind).value)) if kind else None
    return found


def test_each_value_chooses_the_kind_of_its_feature():
    row = {
        "f": 1.5,
        "i": [1, -2],
        "b": True,
        "s": ["a", {"b64": "/w=="}],
        "none": [],
        "low": -(2**63) - 1,
        "high": 2**64,
        "inf": 1e39,
    }
    (example,) = filled({"examples": [row]}).example_list.examples
    assert features(example) == {
        "f": ("float_list", [1.5]),
        "i": ("int64_list", [1, -2]),
        "b": ("int64_list", [1]),
        "s": ("bytes_list", [b"a", b"\xff"]),
        "none": None,
        "low": ("float_list", [-(2.0**63)]),
        "high": ("float_list", [2.0**64]),
        "inf": ("float_list", [float("inf")]),
    }


def test_the_context_is_kept_beside_the_examples():
    listed = filled({"context": {"c": 1}, "examples": [{"x": 2}, {}]}).example_list_with_context
    assert features(listed.context) == {"c": ("int64_list", [1])}
    assert [features(example) for example in listed.examples] == [{"x": ("int64_list", [2])}, {}]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"a": 1}, "JSON Value: {\"a\": 1} When method is classify, key 'examples' is expected and was not found"),
        ({"examples": {}}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{}], "context": None}, "Example must be JSON object but got JSON Null"),
        ({"examples": [{"x": None}]}, "Feature: x has element with unexpected JSON type: Null"),
        ({"examples": [{"x": [[1]]}]}, "Feature: x has element with unexpected JSON type: Array"),
        ({"examples": [{"x": {"b": 1}}]}, "Feature: x has element with unexpected JSON type: Object"),
        ({"examples": [{"x": [1, 2.5]}]}, "Unexpected element type in feature: x expecting type: int64"),
        ({"examples": [{"x": [2.5, 2**63]}]}, "Unexpected element type in feature: x expecting type: float"),
        ({"examples": [{"x": ["a", 1]}]}, "Unexpected element type in feature: x expecting type: bytes"),
        ({"examples": [{"x": 2**63}]}, "Feature: x has uint64 element. Only int64 is supported."),
        ({"examples": [{"x": 2**64 - 1}]}, "Feature: x has uint64 element. Only int64 is supported."),
        ({"examples": [{"x": {"b64": "?"}}]}, "Unable to base64 decode"),
    ],
)
def test_what_is_not_an_example_is_refused(document, words):
    with pytest.raises(ServingError) as error:
        filled(document)
    assert error.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert words in str(error.value)


def test_an_example_with_a_feature_twice_is_refused():
    document = read_body(b'{"examples": [{"x": 1}, {"x": 1, "x": 2}]}')
    with pytest.raises(ServingError, match="Feature: x occurs twice in an example"):
        filled(document)


def test_results_are_written_as_the_real_server_does():
    regressions = regression_pb2.RegressionResult()
    for value in (1.0, 0.1, float("nan")):
        regressions.regressions.add(value=value)
    assert write_regressions(regressions) == '{\n    "results": [1.0, 0.1, NaN]\n}'
    classes = classification_pb2.ClassificationResult()
    classes.classifications.add().classes.add(label='é"', score=0.25)
    classes.classifications.add()
    assert write_classifications(classes) == '{\n    "results": [[["é\\"", 0.25]], []\n    ]\n}'
