"""Texts of bounded length, made without looking at the whole of a large value."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from crossnet.serving.protocol.bounded_text import cut, cut_message, joined, json_text


def test_a_short_text_stays_and_a_long_one_loses_its_middle():
    assert cut("rides") == "rides"
    assert cut("a" * 200) == "a" * 200
    assert cut("begin" + "x" * 10**6 + "end", 20) == "beginxxxxxxx...xxend"
    assert len(cut("x" * 10**6)) == 200


def test_control_characters_do_not_reach_a_terminal():
    assert cut("a\x1b[31mb\nc\x00") == "a?[31mb?c?"
    assert cut("Größe µ") == "Größe µ"


def test_a_message_keeps_its_beginning_its_end_and_its_lines():
    assert cut_message("one\ntwo") == "one\ntwo"
    message = cut_message("begin" + "x" * 5000 + " Send fewer rows.")
    assert len(message) == 1000
    assert message.startswith("beginxxx")
    assert message.endswith("xxx Send fewer rows.")


def test_names_are_sorted_and_those_that_do_not_fit_are_dots():
    assert joined({"b", "a"}) == "a,b"
    assert joined([]) == ""
    assert joined([f"name{i}" for i in range(9)], 20) == "name0,name1,name2,..."
    text = joined({f"{i:06}" for i in range(100_000)})
    assert text.startswith("000000,000001,")
    assert text.endswith(",...")
    assert len(text) <= 200 + 4
    assert len(joined(["x" * 10**6, "y" * 10**6])) <= 204


@pytest.mark.parametrize(
    "value",
    [None, True, 1, -2.5, "a\"b\nc", [], {}, [1, [2, {"a": [3]}], "x"], {"a": {"b": [None]}, "c": "ü"}, [[], [[]]]],
)  # fmt: skip
def test_a_small_json_value_is_written_as_json(value):
    assert json_text(value) == json.dumps(value)


def test_a_large_json_value_is_cut():
    assert json_text(list(range(1000)), 12) == "[0, 1, 2, 3,..."
    assert json_text({"a" * 1000: 1}, 10) == '{"aaaaaaaa...'
    assert json_text("a" * 1000, 10) == '"aaaaaaaaa...'
    assert json_text([1, 2], 6) == "[1, 2]"


@pytest.mark.parametrize(
    "value", [[[1] * 1000] * 1000, {str(i): [i] * 1000 for i in range(1000)}, ["x" * 10**6] * 3, 10**4000]
)
def test_the_text_of_a_large_json_value_takes_little_memory(value):
    tracemalloc.start()
    text = json_text(value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(text) <= 203
    assert peak < 200_000


def test_deep_json_is_written_without_recursion():
    deep = 1
    for _ in range(100_000):
        deep = [deep]
    assert json_text(deep) == "[" * 200 + "..."
    while isinstance(deep, list):  # Python frees nested lists by recursion
        deep = deep[0]
