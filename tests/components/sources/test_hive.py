from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.plan import plan_source
from support.example_gen_fixtures import all_rows, make

PARTS = [(2024, "Harlem%2FEast", 1.0), (2025, "SoHo", 2.0), (2025, "__HIVE_DEFAULT_PARTITION__", 3.0)]
READ = [(2024, b"Harlem/East", 1.0), (2025, b"SoHo", 2.0), (2025, None, 3.0)]


def write(path: Path, source: str, columns: dict[str, list[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if source == "csv":
        lines = [list(columns), *(list(row.values()) for row in rows)]
        path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines))
    elif source == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif source == "arrow":
        feather.write_feather(pa.table(columns), path)
    else:
        pq.write_table(pa.table(columns), path)


def make_parts(tmp_path: Path, source: str = "parquet", name: str = "rides", **settings: Any) -> Examples:
    for year, zone, y in PARTS:
        folder = tmp_path / "rides" / f"year={year}" / f"zone={zone}"
        write(folder / f"part-0.{source}", source, {"x": list(range(20)), "y": [y] * 20})
        (folder / "_SUCCESS").touch()
        (folder / ".part-0.crc").touch()
    return make(tmp_path, source=source, input=str(tmp_path / name), **settings)


def found(examples: Examples) -> set[tuple[Any, ...]]:
    return {(row["year"], row["zone"], row["y"]) for row in all_rows(examples)}


@pytest.mark.parametrize("source", ["csv", "parquet", "arrow", "jsonl"])
def test_folders_are_columns_of_every_format(tmp_path: Path, source: str) -> None:
    for name in ("rides", f"rides/*/*/*.{source}", f"rides/**/*.{source}"):
        examples = make_parts(tmp_path, source, name)
        assert found(examples) == set(READ)
        assert [column.type for column in examples.columns] == ["INT", "FLOAT", "INT", "BYTES"]


@pytest.mark.parametrize("source", ["csv", "parquet"])
@pytest.mark.parametrize(
    "settings",
    [
        {"split": "hash"},
        {"split": "key", "split_column": "year"},
        {"split": "key", "split_column": "zone", "eval_fraction": 0.7},
        {"split": "time", "split_column": "year", "split_time": "2025"},
        {"split": "time", "split_column": "year"},
        {"split": "random"},
    ],
)
def test_folders_take_part_in_every_split(tmp_path: Path, source: str, settings: dict[str, Any]) -> None:
    examples = make_parts(tmp_path, source, **settings)
    assert found(examples) == set(READ)
    if "split_time" in settings:
        assert examples.counts == {"train": 20, "eval": 40}


def test_folders_obey_the_settings_of_columns(tmp_path: Path) -> None:
    assert set(all_rows(make_parts(tmp_path, exclude=("zone", "x")))[0]) == {"year", "y"}
    assert {row["year"] for row in all_rows(make_parts(tmp_path, text=("year",)))} == {b"2024", b"2025"}
    assert found(make_parts(tmp_path, where="year = 2025 AND zone IS NOT NULL")) == {READ[1]}
    for settings, sentence in (
        ({"label": "year"}, r"`example_gen.label` is `year`, which is the name of folders"),
        ({"numeric": ("zone",)}, r"`example_gen.numeric` names `zone`, whose folders say 'Harlem/East'"),
        ({"exclude": ("yeer",)}, r"`example_gen.exclude` names `yeer`, which is not a column. Did you mean `year`"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            make_parts(tmp_path, **settings)


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (("2026-01-02", "2026-01-03"), [1_767_312_000, 1_767_398_400]),
        (("01", "12"), [b"01", b"12"]),
        (("-3", "0"), [-3, 0]),
    ],
)
def test_folders_are_dates_numbers_or_text(tmp_path: Path, values: tuple[str, str], read: list[Any]) -> None:
    for value in values:
        write(tmp_path / f"d={value}" / "a.parquet", "parquet", {"y": [1]})
    examples = make(tmp_path, source="parquet", input=str(tmp_path / "d=*" / "*.parquet"))
    assert sorted(row["d"] for row in all_rows(examples)) == read


def test_a_column_of_both_the_file_and_the_folder_must_be_equal(tmp_path: Path) -> None:
    write(tmp_path / "t" / "year=2024" / "a.parquet", "parquet", {"year": [2024, 2024], "y": [1, 2]})
    assert [row["year"] for row in all_rows(make(tmp_path, source="parquet", input=str(tmp_path / "t")))] == [2024] * 2
    write(tmp_path / "t" / "year=2024" / "a.parquet", "parquet", {"year": [2024, 2023], "y": [1, 2]})
    sentence = r"`a.parquet` row 1: `year` is '2023', and the file's folder says '2024'. Write the column in one"
    with pytest.raises(DataError, match=sentence):
        make(tmp_path, source="parquet", input=str(tmp_path / "t"))
    assert set(all_rows(make(tmp_path, source="parquet", input=str(tmp_path / "t"), exclude=("year",)))[0]) == {"y"}


def test_cells_that_contradict_their_folder_are_refused_where_cells_are_looked_at(tmp_path: Path) -> None:
    for said, held in (("2024", "02024"), ("2025", "2025.0")):  # the same numbers, written otherwise
        folder = tmp_path / "t" / f"year={said}"
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text(f"year,y\n{held},1\n{held},2\n")
    params = ExampleGenParams(source="csv", input=str(tmp_path / "t"), label="y")
    look = plan_source(sorted((tmp_path / "t").rglob("*.csv")), params).read_cells  # type: ignore[attr-defined]
    assert sum(len(cells["y"]) for unit in range(2) for cells in look(unit)) == 4
    (tmp_path / "t" / "year=2025" / "a.csv").write_text("year,y\n2025,1\n2023,2\n")
    with pytest.raises(DataError, match=r"a.csv:3`: `year` is '2023', and the file's folder says '2025'"):
        list(look(1))


def test_folders_of_other_names_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "t" / "year=2024" / "a.parquet", "parquet", {"y": [1]})
    write(tmp_path / "t" / "month=1" / "a.parquet", "parquet", {"y": [1]})
    with pytest.raises(DataError, match=r"name `year`, and those of `.*` name `month`. All files of"):
        make(tmp_path, source="parquet", input=str(tmp_path / "t"))


def test_folders_that_are_named_whole_are_no_columns(tmp_path: Path) -> None:
    write(tmp_path / "run=7" / "a.parquet", "parquet", {"y": [1, 2]})
    rows = all_rows(make(tmp_path, source="parquet", input=str(tmp_path / "run=7" / "a.parquet")))
    assert rows == [{"y": 1.0}, {"y": 2.0}]


def test_times_below_a_second_and_empty_columns_in_partitions(tmp_path: Path) -> None:
    for year, value in ((1, 1_000), (2, 1_500)):
        columns = {"t": pa.array([value], pa.duration("ms")), "empty": pa.nulls(1), "y": [1]}
        write(tmp_path / "t" / f"year={year}" / "a.parquet", "parquet", columns)  # type: ignore[arg-type]
    examples = make(tmp_path, source="parquet", input=str(tmp_path / "t"))
    assert [(row["t"], row["year"]) for row in all_rows(examples)] == [(1_000, 1), (1_500, 2)]
    assert [doubt["column"] for doubt in examples.properties["doubts"]] == ["t", "empty"]
