from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crossnet.components.errors import DataError
from crossnet.components.sources.json_lines import read_schema, row_line
from crossnet.components.sources.provenance import locate
from support.example_gen_fixtures import all_rows, make, rows_of

LONG = 2**60 + 1


def make_json(tmp_path: Path, *lines: str | dict[str, Any], name: str = "rides.jsonl", **settings: Any) -> Any:
    content = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return make(tmp_path, source="jsonl", input=str(tmp_path / name), **settings)


@pytest.mark.parametrize("name", ["rides.jsonl", "rides.ndjson.gz"])
def test_json_reads_every_type_and_a_missing_key_as_a_hole(tmp_path: Path, name: str) -> None:
    rows = [
        {"n": 1, "x": 1.5, "t": "é", "b": True, "tags": ["a", "b"], "y": 1},
        {"y": 2, "x": None, "tags": []},
        {"n": -3, "x": 2, "t": "", "b": False, "tags": None, "y": 3.5},
    ]
    assert all_rows(make_json(tmp_path, *rows, name=name)) == [
        {"n": 1, "x": 1.5, "t": "é".encode(), "b": 1, "tags": [b"a", b"b"], "y": 1.0},
        {"n": None, "x": None, "t": None, "b": None, "tags": None, "y": 2.0},
        {"n": -3, "x": 2.0, "t": b"", "b": 0, "tags": None, "y": 3.5},
    ]


def test_json_finds_a_key_in_the_last_of_many_lines_and_keeps_large_whole_numbers(tmp_path: Path) -> None:
    rows = [{"id": LONG + n, "pad": "x" * 200, "y": n} for n in range(30_000)]
    examples = make_json(tmp_path, *rows, {"id": None, "late": 7, "y": 1}, exclude=("pad",))
    read = all_rows(examples)
    assert [row["id"] for row in read] == [*range(LONG, LONG + 30_000), None]
    assert [row["late"] for row in read[-2:]] == [None, 7]
    assert [doubt["column"] for doubt in examples.properties["doubts"]] == []


def test_json_files_may_have_other_keys(tmp_path: Path) -> None:
    make_json(tmp_path, {"a": 1, "y": 1}, {"a": 2, "y": 2}, name="1.jsonl")
    make_json(tmp_path, {"y": 3, "b": 0.5}, {"a": 2.5, "y": 4}, name="2.jsonl")
    rows = all_rows(make(tmp_path, source="jsonl", input=str(tmp_path / "*.jsonl")))
    assert [(row["a"], row["b"]) for row in rows] == [(1.0, None), (2.0, None), (None, 0.5), (2.5, None)]


@pytest.mark.parametrize(
    ("values", "stored", "text"),
    [
        ([1, "x", 2.5], [b"1", b"x", b"2.5"], "holds texts beside values of another type and is read as text"),
        ([True, 2, None], [1, 2, None], "holds true or false beside numbers and is read as numbers, true as 1"),
        (
            [2**24 + 1, 0.5, None],
            [2.0**24, 0.5, None],
            "holds whole numbers beside decimals, and float32 keeps about 7",
        ),
        ([2**63, 1, None], [2.0**63, 1.0, None], "holds whole numbers beyond int64 (such as 9223372036854775808)"),
        ([LONG, 0.5, 1], [2.0**60, 0.5, 1.0], "holds whole numbers beside decimals, and float32 keeps about 7"),
        (["2026-01-02", "soon", None], [b"2026-01-02", b"soon", None], "holds times beside other texts and is read as"),
        (["2026-01-02", 3, None], [b"2026-01-02", b"3", None], "holds texts beside values of another type"),
        ([["a"], "b", None], [b'["a"]', b"b", None], "holds texts beside values of another type and is read as text"),
    ],
)
def test_json_says_what_it_makes_of_values_of_differing_types(
    tmp_path: Path, values: list[Any], stored: list[Any], text: str
) -> None:
    examples = make_json(tmp_path, *({"a": value, "y": n} for n, value in enumerate(values)))
    assert [row["a"] for row in all_rows(examples)] == stored
    (doubt,) = examples.properties["doubts"]
    assert doubt["column"] == "a"
    assert doubt["text"].startswith(text)


@pytest.mark.parametrize("odd", [{}, {"n": 2**70}], ids=["Arrow", "line by line"])
def test_json_texts_of_times_are_times_as_in_csv(tmp_path: Path, odd: dict[str, Any]) -> None:
    texts = ["1970-01-02", "1970-01-01T01:00:00+01:00", None, "1970-01-01 00:00:07 UTC", "1969-12-31T23:59Z"]
    rows = [{"at": text, "word": "1970-01-01" if n else "x", "y": n, **odd} for n, text in enumerate(texts)]
    examples = make_json(tmp_path, *rows, exclude=tuple(odd))
    assert [row["at"] for row in all_rows(examples)] == [86_400, 0, None, 7, -60]
    assert [row["word"] for row in all_rows(examples)] == [b"x", *4 * [b"1970-01-01"]]
    assert examples.column_rules.time_units == {"at": "s"}
    as_text = make_json(tmp_path, *rows, exclude=tuple(odd), text=("at",))
    assert [row["at"] for row in all_rows(as_text)] == [text and text.encode() for text in texts]


def test_json_times_keep_the_split_of_their_texts(tmp_path: Path) -> None:
    rows = [{"at": f"2026-01-{n % 28 + 1:02}", "n": n, "y": n} for n in range(60)]
    for settings in ({"split": "hash"}, {"split": "key", "split_column": "at"}):
        splits = [
            [row["n"] for row in rows_of(make_json(tmp_path, *rows, **settings, text=text), "eval")]
            for text in ((), ("at",))
        ]
        assert splits[0] == splits[1] != []


def test_json_settings_decide_the_type(tmp_path: Path) -> None:
    rows = [{"a": "1.5", "b": 7, "c": "2", "y": 1}, {"a": "2", "b": "x", "c": 3, "y": 2}]
    examples = make_json(tmp_path, *rows, numeric=("a", "c"), text=("b",))
    assert [(row["a"], row["b"], row["c"]) for row in all_rows(examples)] == [(1.5, b"7", 2.0), (2.0, b"x", 3.0)]
    assert examples.properties["doubts"] == []


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", r"`rides.jsonl:4` is not JSON: .*Expected one JSON object per line"),
        ("[1, 2]", r"`rides.jsonl:4` holds \[1, 2\]. Expected one JSON object per line"),
        ('{"y": 1, "y": 2}', r"`rides.jsonl:4` is not JSON: it has the key \"y\" twice"),
        (
            '{"y": 1} {"y": 2}',
            r"is not JSON: Extra data.* Does it hold several objects\? Write each on a line of its own\. Expected one",
        ),
        (
            '{"y": 1},',
            r"`rides.jsonl:4` is not JSON: Extra .* The line ends with a comma.* take it away\. Expected one",
        ),
        ('{"y": "x"}', r"`rides.jsonl:4`: `y` is 'x', which does not convert to FLOAT"),
        ('{"y": 1, "a": {"b": 1}}', r"types that a record cannot hold: `a` \(struct<b: int64>\)"),
        ('{"y": 1, "a": "\\ud800"}', r"`rides.jsonl:4`: `a` is '.*', expected text in UTF-8"),
    ],
)
def test_json_fault_names_the_line(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        make_json(tmp_path, {"y": 1}, "", {"y": 2}, line)


def test_json_objects_may_stand_in_a_column_that_is_left_out(tmp_path: Path) -> None:
    rows = [{"y": 1, "a": {"b": 1}}, {"y": 2, "a": {"c": [1]}}, {"y": 3, "a": 4}]
    assert [row["y"] for row in all_rows(make_json(tmp_path, *rows, exclude=("a",)))] == [1.0, 2.0, 3.0]


def test_json_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No row is in `rides.jsonl`"):
        make_json(tmp_path, "")


def test_json_numbers_lines_as_an_editor_does(tmp_path: Path) -> None:
    examples = make_json(tmp_path, "", {"y": 1}, " ", {"y": 2})
    assert locate(examples, "eval", 0) == "rides.jsonl:4"
    assert [row_line(tmp_path / "rides.jsonl", row) for row in (0, 1, 2)] == [2, 4, None]


def test_json_begins_with_a_byte_order_mark_or_not_and_needs_no_line_end(tmp_path: Path) -> None:
    (tmp_path / "rides.jsonl").write_bytes(b'\xef\xbb\xbf{"y": 1}\r\n{"y": 2}')
    assert read_schema(tmp_path / "rides.jsonl") == pa.schema([("y", pa.int64())])
    assert len(all_rows(make(tmp_path, source="jsonl", input=str(tmp_path / "rides.jsonl")))) == 2


def test_one_array_is_refused_with_the_command_that_makes_lines_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"x": 1, "y": 2}, {"x": 2, "y": 3}]')
    with pytest.raises(DataError, match=r"`a.json` is one array. .* `jq -c '\.\[\]' a.json > a-lines.jsonl`"):
        read_schema(tmp_path / "a.json")


def test_a_key_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"x": 1, "y": 2}\n{"x": 1, "y": 2, "x": 3}\n')
    with pytest.raises(DataError, match='`a.jsonl:2` is not JSON: it has the key "x" twice'):
        read_schema(tmp_path / "a.jsonl")


def test_nan_beside_texts_is_a_missing_text(tmp_path: Path) -> None:
    lines = ['{"t": "a", "x": 1, "y": 1}', '{"t": NaN, "x": 2, "y": 2}', '{"t": "b", "x": 3, "y": 3}']
    examples = make_json(tmp_path, *lines)
    assert [row.get("t") for row in all_rows(examples)] == [b"a", None, b"b"]
