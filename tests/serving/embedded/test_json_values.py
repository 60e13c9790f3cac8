"""Base64 objects and the words for types."""

from __future__ import annotations

import pytest

from crossnet.serving.embedded.json_values import decode_base64, is_base64, json_type
from crossnet.serving.status import ServingError


@pytest.mark.parametrize(
    ("text", "value"),
    [("", b""), ("YQ==", b"a"), ("YQ", b"a"), ("YW\nJj\r\n ZA==", b"abcd"), ("/w+A", b"\xff\x0f\x80")],
)
def test_base64_may_lack_its_padding_and_have_broken_lines(text, value):
    assert is_base64({"b64": text})
    assert decode_base64({"b64": text}) == value


@pytest.mark.parametrize("text", ["?", "YQ=", "YWJjZ", "YQ===", "é"])
def test_other_text_is_refused(text):
    with pytest.raises(ServingError, match="^Unable to base64 decode$"):
        decode_base64({"b64": text})


@pytest.mark.parametrize("value", [{}, {"b64": 1}, {"b64": "YQ", "x": 1}, "YQ", None])
def test_other_values_are_not_base64_objects(value):
    assert not is_base64(value)
    with pytest.raises(ServingError, match="not formatted correctly for base64 data"):
        decode_base64(value)


def test_types_have_rapidjsons_words():
    values = [None, False, True, {}, [], "", 1, 1.5]
    assert [json_type(value) for value in values] == (
        ["Null", "False", "True", "Object", "Array", "String", "Number", "Number"]
    )
