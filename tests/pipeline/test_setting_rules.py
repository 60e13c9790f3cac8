import pytest

from crossnet.components.params.setting import PathKind, setting
from crossnet.pipeline.setting_rules import out_of_range


def said(value, **rule):
    return list(out_of_range("a.b", value, setting(None, "doc", **rule).metadata))


@pytest.mark.parametrize(
    ("value", "rule", "sentence"),
    [
        (0, {"least": 1}, "`a.b` must be a finite number at least 1. Received 0."),
        (float("nan"), {}, "`a.b` must be a finite number. Received nan."),
        ((1, 9), {"most": 5}, "`a.b` must be a finite number at most 5. Received 9."),
        ("gzp", {"choices": ("none", "gzip")}, "`a.b` must be one of none, gzip. Received 'gzp'. Did you mean 'gzip'?"),
        ("all", {"choices": ("auto",), "least": 1}, "`a.b` must be a whole number or auto. Received 'all'."),
        (
            "a\0b",
            {"path": PathKind.INPUT},
            "`a.b` must be a path, which cannot hold a NUL character. Received 'a\\x00b'.",
        ),
    ],
)
def test_a_wrong_value_is_answered_by_one_sentence(value, rule, sentence):
    assert said(value, **rule) == [sentence]


@pytest.mark.parametrize(
    ("value", "rule"), [(1, {"least": 1}), ("auto", {"choices": ("auto",), "least": 1}), (True, {})]
)
def test_a_value_in_range_is_taken_without_a_word(value, rule):
    assert said(value, **rule) == []
