from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pandas as pd
import pytest

from crossnet.serving.protocol.json_tables import converted, is_table, not_rows, rows_filter

ROWS = [{"x": 1.5, "odd key": "a", "y": 2}, {"x": 2.5, "odd key": "b'", "y": 3}, {"x": 3.5, "odd key": None, "y": 4}]
TABLE = pd.DataFrame(ROWS)


def as_pandas_writes(orient: str) -> Any:
    return json.loads(TABLE.to_json(orient=orient))


TABLES = {
    "array": ROWS,
    "data": {"data": ROWS},
    "rows": {"count": 3, "next": None, "rows": ROWS},
    "odd key": {"the 'rows'": ROWS},
    "within": {"meta": {"columns": [{"name": "x"}]}, "result": {"other": [{"a": 1}], "items of it": ROWS}},
    "geojson": {"type": "F", "features": [{"type": "Feature", "geometry": None, "properties": row} for row in ROWS]},
    "split": as_pandas_writes("split"),
    "columns": as_pandas_writes("columns"),
    "index": as_pandas_writes("index"),
    "named index": {f"row {i}": row for i, row in enumerate([*ROWS, *ROWS])},
    "lists": {name: [row[name] for row in ROWS] for name in ROWS[0]},
    "names first": [list(ROWS[0]), *([*row.values()] for row in ROWS)],
}


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
@pytest.mark.parametrize("name", TABLES)
def test_the_filter_yields_the_rows(name: str) -> None:
    given = json.dumps(TABLES[name])
    command = ["jq", "-c", rows_filter(TABLES[name])]
    lines = subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [json.loads(line) for line in lines] == (ROWS * 2 if name == "named index" else ROWS)


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_schema_that_pandas_writes_is_not_taken_for_the_rows() -> None:
    command = ["jq", "-c", rows_filter(as_pandas_writes("table"))]
    given = TABLE.to_json(orient="table")
    lines = subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [json.loads(line) for line in lines] == [{"index": i, **row} for i, row in enumerate(ROWS)]


def test_cells_without_names_get_some() -> None:
    assert rows_filter([[1, "a"], [2, "b"]]) == '.[] | to_entries | map({("x\\(.key)"): .value}) | add'


@pytest.mark.parametrize(
    "value",
    [{}, [], [1, 2], 5, "text", None, {"x": 1.5}, {"x": [1, 2]}, {"x": [1, 2], "y": [1]}, {"a": {"x": 1}, "b": 2}],
)
def test_a_row_and_what_is_none_have_no_filter(value: Any) -> None:
    assert rows_filter(value) == ""
    assert not_rows(value, "a.json") == ""


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"geojson", "lists"}))
def test_a_table_is_told_from_one_row_to_predict(name: str) -> None:
    assert is_table(TABLES[name])


@pytest.mark.parametrize(
    "row", [{"x": 1.5, "tags": [{"a": 1}, {"a": 2}]}, {"text": "a", "data": [{"a": 1}]}, {"x": [1, 2], "y": [3, 4]}]
)
def test_one_row_with_lists_is_not_a_table(row: dict[str, Any]) -> None:
    assert not is_table(row)


def test_the_message_names_keys_and_command() -> None:
    assert not_rows({"data": ROWS}, "a b.json") == (
        "is one object with the key `data`. Expected one JSON object per line. Convert it: `jq -c '.data[]' 'a b.json' "
        "> 'a b-lines.jsonl'`."
    )
    assert not_rows(TABLES["index"] | {"3": ROWS[0]}, "a").startswith("is one object with the keys `0`, `1`, `2` and 1")


def test_a_pipe_gets_the_command_without_files() -> None:
    assert converted("jq -c .", "standard input") == "`jq -c .`"
    assert converted("jq -c .", "a.json") == "`jq -c . a.json > a-lines.jsonl`"


def test_an_object_without_keys_is_a_row_that_lacks_all_features() -> None:
    assert not is_table({})
