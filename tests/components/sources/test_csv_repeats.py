from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crossnet.components.sources.csv_repeats import header_rows, without_headers
from support.example_gen_fixtures import all_rows, make_csv

HEADER, ROWS = "a,t,y", [f"{n}.5,word {n % 3},{n}" for n in range(40)]
SAID = "holds its own name where the header stands again among the rows (first: rides.csv:12): they are left out"


def types_of(examples: Any) -> dict[str, str]:
    return {column["name"]: column["type"] for column in examples.properties["columns"]}


def cells(**columns: list[str | None]) -> dict[str, pa.Array]:
    return {name: pa.array([v and v.encode() for v in values], pa.binary()) for name, values in columns.items()}


def test_a_row_is_a_header_where_each_cell_is_its_columns_name() -> None:
    found = cells(a=["1", " a", "a", "a", None], t=["t", "t ", "u", "\ufefft", "t"], y=["y", "\ty", "y", "y", "y"])
    assert header_rows(found, "y") == [1, 3]
    assert header_rows(cells(y=["y"]), "y") == []
    assert header_rows(cells(a=["a"]), "y") == []
    capitals = cells(**{"a b": ["A B", "1", "A b"], "größe": ["GRÖSSE", "2", "Größe"]})
    assert header_rows(capitals, "größe") == header_rows(capitals, "a b") == [0, 2]


def test_cells_of_a_header_are_holes() -> None:
    rows: list[int] = []
    found = without_headers(cells(a=["1", "a"], y=["2", "y"]), "y", 100, rows)
    assert {name: array.to_pylist() for name, array in found.items()} == {"a": [b"1", None], "y": [b"2", None]}
    assert rows == [101]


@pytest.mark.parametrize("again", [HEADER, '"a","t","y"', "a, t, y", "\ufeffa,t,y", "A,T,Y", "A,t,Y"])
@pytest.mark.parametrize(
    "settings", [{}, {"split": "hash"}, {"integer": ("y",)}, {"split": "key", "split_column": "t"}]
)
def test_a_header_among_the_rows_is_left_out_and_said(tmp_path: Path, again: str, settings: dict[str, Any]) -> None:
    lines = [HEADER, *ROWS[:10], again, *ROWS[10:]]
    examples = make_csv(tmp_path, "\n".join([*lines, ""]), label="y", **settings)
    assert sorted(row["y"] for row in all_rows(examples)) == list(range(40))
    assert types_of(examples)["a"] == "FLOAT"
    doubts = [(doubt["column"], doubt["text"], doubt["setting"]) for doubt in examples.properties["doubts"]]
    assert doubts == [("y", SAID, 'unlabelled = "error"')]


def test_many_headers_do_not_make_text_of_numbers(tmp_path: Path) -> None:
    lines = [line for row in ROWS for line in (HEADER, row)]
    examples = make_csv(tmp_path, "\n".join([*lines, ""]), label="y")
    assert types_of(examples) == {"a": "FLOAT", "t": "BYTES", "y": "FLOAT"}
    assert len(all_rows(examples)) == 40


def test_a_header_among_the_rows_is_kept_without_values_where_each_row_needs_a_label(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *ROWS[:10], HEADER, *ROWS[10:], ""])
    rows = all_rows(make_csv(tmp_path, text, label="y", unlabelled="error", split="order"))  # the validator stops at it
    assert rows[10] == {"a": None, "t": None, "y": None}
    assert len(rows) == 41


def test_words_that_are_a_columns_name_stay_words(tmp_path: Path) -> None:
    lines = ["a,t,y", *(f"{n},t,{n}" for n in range(10))]
    assert {row["t"] for row in all_rows(make_csv(tmp_path, "\n".join([*lines, ""]), label="y"))} == {b"t"}
