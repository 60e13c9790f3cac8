from __future__ import annotations

from pathlib import Path

from crossnet.components.engines.local import LocalEngine
from support.example_gen_fixtures import all_rows, make, make_csv

LINES = ["x,t,u,y", *(f"{n},,,{n}" for n in range(20))]
EMPTY = {"text": "has no value in any row and is left out"}


def test_columns_without_any_value_are_left_out_and_said(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, "\n".join(LINES))
    assert [column.name for column in examples.columns] == ["x", "y"]
    assert set(all_rows(examples)[0]) == {"x", "y"}
    assert examples.properties["doubts"] == [
        {"column": name, **EMPTY, "setting": f'exclude = ["{name}"]'} for name in ("t", "u")
    ]
    assert examples.outcome().warnings[0].startswith("Column `t` has no value in any row and is left out.")


def test_a_column_with_one_value_in_the_last_of_several_files_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(LINES))
    (tmp_path / "b.csv").write_text("x,t,u,y\n1,,,2\n3,,word,4\n")
    examples = make(tmp_path, source="csv", input=str(tmp_path / "*.csv"))
    assert [column.name for column in examples.columns] == ["x", "u", "y"]
    assert examples.counts == {"train": 20, "eval": 2}


def test_a_column_that_only_left_out_rows_fill_is_left_out(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, "x,t,y\n" + "1,,2\n" * 20 + "1,word,\n")
    assert [column.name for column in examples.columns] == ["x", "y"]


def test_several_processes_find_the_same(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("\n".join(LINES))
    with LocalEngine(2, least_bytes=0) as engine:
        examples = make(tmp_path, engine=engine, source="csv", input=str(tmp_path / "*.csv"))
    assert [doubt["column"] for doubt in examples.properties["doubts"]] == ["t", "u"]
