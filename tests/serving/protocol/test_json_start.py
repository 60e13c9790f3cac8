from __future__ import annotations

import codecs
import json

import pytest

from crossnet.serving.protocol.json_start import advice_on_line, json_object, not_json_lines

ROWS = [{"x": 1.5, "y": 2}, {"x": 2.5, "y": 3}]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8 + b"\n "])
def test_an_array_is_told_with_the_command_that_makes_lines_of_it(indent: int | None, mark: bytes) -> None:
    assert not_json_lines(mark + json.dumps(ROWS, indent=indent).encode(), "a b.json") == (
        "is one array. Expected one JSON object per line. Convert it: `jq -c '.[]' 'a b.json' > 'a b-lines.jsonl'`."
    )


def test_objects_of_several_lines_are_told() -> None:
    start = "\n".join(json.dumps(row, indent=1) for row in ROWS).encode()
    assert not_json_lines(start, "a.json").startswith(
        "has objects of several lines. Expected one JSON object per line. Convert it: `jq -c . a.json > a-lines.jsonl`;"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_another_encoding_is_told(encoding: str) -> None:
    start = "\n".join(map(json.dumps, ROWS)).encode(encoding)
    assert not_json_lines(start, "a.jsonl") == (
        f"is in {encoding.upper()}, and JSON is read as UTF-8. Convert it: `iconv -f {encoding} -t utf-8 a.jsonl > "
        "a-lines.jsonl`."
    )


def test_a_pipe_gets_the_command_without_files() -> None:
    assert not_json_lines(b"[{}", "standard input").endswith("Convert it: `jq -c '.[]'`.")


@pytest.mark.parametrize(
    "start", [b"", b"\n", b'{"x": 1}\n{', b'{"x": [{"a": 1}]}', b"{ }\n", b"[1, 2]\n", b"nonsense"]
)
def test_lines_are_not_taken_for_another_form(start: bytes) -> None:
    assert not_json_lines(start, "a.jsonl") == ""


def test_a_key_that_occurs_twice_is_named() -> None:
    assert json.loads('{"a": 1, "b": {"a": 2}}', object_pairs_hook=json_object) == {"a": 1, "b": {"a": 2}}
    with pytest.raises(ValueError, match='it has the key "b" twice'):
        json.loads('{"a": 1, "b": 2, "b": 3}', object_pairs_hook=json_object)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": 1},', "The line ends with a comma"),
        ("{'a': 1}", "Its texts are in single quotes"),
        ('{"a": 1} {"a": 2}', "Does it hold several objects?"),
        ('{"a": 1', ""),
        ("", ""),
    ],
)
def test_what_to_do_about_a_line_that_is_not_an_object(line: str, said: str) -> None:
    assert advice_on_line(f" {line}\n").strip().startswith(said)
    assert bool(advice_on_line(line)) == bool(said)
