"""JSON lines are read with their places, and written as they were read."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest

from crossnet.serving.rows.json_lines import JsonLinesReader
from crossnet.serving.status import RowsError
from support.row_files import ONE, answered, read


def test_rows_have_their_line():
    rows = read(b'\xef\xbb\xbf{"a": 1}\n\n{"a": null, "b": "\xc3\xbc"}', "jsonl")
    assert [row[:2] for row in rows] == [("rows:1", {"a": 1}), ("rows:3", {"a": None, "b": "ü"})]


def test_rows_are_read_as_they_come():
    class Stream:
        lines = iter([b'{"a": 1}\n'])

        def readline(self, size):
            return next(self.lines)  # an error where the second line is read before the first was used

    assert next(JsonLinesReader(Stream(), "rows").rows()).values == {"a": 1}


def test_row_longer_than_the_limit_is_named(monkeypatch):
    monkeypatch.setattr("crossnet.serving.rows.json_lines.MAX_ROW_BYTES", 20)
    assert len(read(b'{"a": 123456789012}\n', "jsonl")) == 1
    with pytest.raises(RowsError, match="rows:2 has more than 32 MiB, the most that a row may have"):
        read(b'{"a": 1}\n{"a": 12345678901234}\n', "jsonl")


def test_key_that_occurs_twice_among_many_is_found_in_linear_time():
    keys = ", ".join(f'"{n}": 1' for n in [*range(100_000), 99_999])
    with pytest.raises(RowsError, match='rows:1 is not JSON: it has the key "99999" twice'):
        read(f"{{{keys}}}".encode(), "jsonl")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"a": 1}\n{"a": ', "rows:2 is not JSON: .* Expected one object per line"),
        (b"[1, 2]", r"rows:1 holds \[1, 2\]. Expected an object, such as {...}"),
        (b"null", "rows:1 holds null. Expected an object"),
        (b'{"a": "\xff"}', "rows:1 is not JSON"),
        (b"[" * 100_000, "rows:1 is not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "rows:1 is not JSON: a number has too many digits. Expected"),
        ("{}\u00a0".encode(), "rows:1 is not JSON"),
        (b'{"a": 1, "b": 2, "a": 3}', 'rows:1 is not JSON: it has the key "a" twice'),
        (b"a,b\n1,2\n", "rows:1 is not JSON: .*name another format with `--format`, or by the end of the file's name"),
        (b'"' + b"x" * 1000 + b'"', r'rows:1 holds "x{59}\.\.\.. Expected an object'),
    ],
)
def test_line_that_is_not_an_object_is_named(content, sentence):
    with pytest.raises(RowsError, match=sentence):
        read(content, "jsonl")


def test_line_is_written_as_it_was_read_with_the_shortest_float32():
    written = answered(b'{"b": 1, "a": "\xc3\xbc"}\n', "jsonl", **ONE)
    assert written.decode() == '{"b": 1, "a": "ü", "prediction": 0.1}\n'


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": 123456789012345678901234567890, "note": "\\ud800", "x": 1e400, "y": 1.50 }',
        b"{ }",
        b'{"nested": {"}": [1, {"a": "}"}]}}',
        '{"ü": NaN}'.encode(),
    ],
)
def test_line_is_written_with_all_its_digits(line):
    written = answered(line + b"\n", "jsonl", **ONE)
    begin = line.removesuffix(b"}").rstrip()
    assert written == begin + (b"" if begin == b"{" else b", ") + b'"prediction": 0.1}\n'


def test_null_is_written_for_nan_and_a_list_for_a_vector():
    outputs = {
        "a": np.array([math.nan, math.inf, 1.0], np.float32),
        "b": np.array([[1, 2]] * 3),
        "c": np.array([b"x"] * 3, object),
    }
    lines = [json.loads(line) for line in answered(b"{}\n{}\n{}\n", "jsonl", **outputs).splitlines()]
    assert lines[0] == {"a": None, "b": [1, 2], "c": "x"}
    assert [line["a"] for line in lines] == [None, None, 1.0]


def test_complex_numbers_are_refused():
    with pytest.raises(RowsError, match="Output `p` is complex128, which JSON cannot hold"):
        answered(b"{}\n", "jsonl", p=np.array([1j]))


def test_one_array_is_refused_with_the_command_that_makes_lines_of_it():
    stream = io.BufferedReader(io.BytesIO(b'[{"a": 1}, {"a": 2}]'))
    with pytest.raises(
        RowsError, match=r"rows.json is one array. Expected one JSON object per line. Convert it: `jq -c"
    ):
        list(JsonLinesReader(stream, "rows.json").rows())


def test_a_table_in_one_object_is_refused_with_the_command() -> None:
    text = json.dumps({"count": 2, "data": [{"x": 1.5}, {"x": 2.5}]}).encode()
    reader = JsonLinesReader(io.BufferedReader(io.BytesIO(text + b"\n")), "a.json")
    with pytest.raises(
        RowsError, match=r"a.json is one object with the keys `count`, `data`. .* `jq -c '\.data\[\]' a"
    ):
        list(reader.rows())


def test_a_row_with_objects_beside_its_features_is_read() -> None:
    row = {"x": 1.5, "tags": [{"a": 1}, {"a": 2}]}
    reader = JsonLinesReader(io.BufferedReader(io.BytesIO(json.dumps(row).encode())), "a.json")
    assert [found.values for found in reader.rows()] == [row]
