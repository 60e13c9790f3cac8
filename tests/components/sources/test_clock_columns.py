from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import SettingsError
from support.example_gen_fixtures import make, make_csv, rows_of

CSV = "Dep Time,day,x,name,paid,y\n" + "".join(f"{n * 100 + 30},2026-11-0{n},{n}.5,a,true,{n}\n" for n in range(1, 9))
EXPECTED = " Expected columns of whole numbers hhmm, such as 830 for 8:30. Take the others out of the setting."


@pytest.mark.parametrize("given", ["Dep Time", "Dep_Time"])
def test_columns_are_named_in_either_spelling(tmp_path: Path, given: str) -> None:
    examples = make_csv(tmp_path, CSV, clock=(given,))
    assert examples.clock == {"Dep_Time": "hhmm"}
    assert [row["Dep_Time"] for row in rows_of(examples, "train")][:2] == [130, 230]  # as the table has them


def test_columns_are_those_of_their_new_names(tmp_path: Path) -> None:
    assert make_csv(tmp_path, CSV, clock=("Dep Time",), rename={"Dep Time": "dep"}).clock == {"dep": "hhmm"}


def test_a_column_that_is_left_out_or_empty_is_none_of_them(tmp_path: Path) -> None:
    assert make_csv(tmp_path, CSV, clock=("Dep Time",), exclude=("Dep Time",)).clock == {}
    empty = "dep,x,y\n" + "".join(f",{n}.5,{n}\n" for n in range(1, 9))
    assert make_csv(tmp_path, empty, clock=("dep",)).clock == {}


@pytest.mark.parametrize(
    ("column", "holds"),
    [
        ("x", 'holds numbers that need not be whole. Where 830.0 is 8:30, add `integer = ["x"]` to [example_gen].'),
        ("name", 'holds text. Where 0830 is 8:30, add `integer = ["name"]` to [example_gen].'),
        ("paid", "holds true and false."),
        ("day", "holds dates or times already."),
        ("y", "is the label."),
    ],
)
def test_a_column_of_anything_else_is_refused(tmp_path: Path, column: str, holds: str) -> None:
    with pytest.raises(SettingsError) as error:
        make_csv(tmp_path, CSV, clock=(column,))
    assert str(error.value) == f"`example_gen.clock` names `{column}`, which {holds}{EXPECTED}"


def test_a_name_that_is_not_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"`example_gen\.clock` names `dep tim`, which is not a column\. Did you mean"
    ):
        make_csv(tmp_path, CSV.replace("Dep Time", "dep time"), clock=("dep tim",))


def test_rows_that_are_made_have_no_times_of_day() -> None:
    with pytest.raises(
        SettingsError, match=r"`clock` is for sources that have times of day\. Received `source` 'synth"
    ):
        from crossnet.pipeline.config import load_config

        load_config(None, ['example_gen.clock=["x0"]'])


def written(folder: Path, source: str) -> Path:
    path = folder / f"rides.{source}"
    table = pa.table({"dep": [5, 830, None, 2400] * 5, "late": [5.0, 830.0, None, 2400.0] * 5, "y": [1.0, 2.0] * 10})
    if source == "parquet":
        pq.write_table(table, path)
    elif source == "arrow":
        feather.write_feather(table, path)
    elif source == "csv":
        path.write_text("dep,late,y\n" + "5,0005,1\n830,830.0,2\n,,1\n2400,2400,2\n" * 5)
    else:
        lines = '{"dep": 5, "y": 1}\n{"dep": 830, "y": 2}\n{"y": 1}\n{"dep": 2400, "y": 2}\n'
        path.write_text(lines * 5)
    return path


@pytest.mark.parametrize("source", ["csv", "parquet", "arrow", "jsonl"])
def test_each_source_of_whole_numbers_has_them(tmp_path: Path, source: str) -> None:
    names = ("dep",) if source == "jsonl" else ("dep", "late")
    examples = make(tmp_path, source=source, input=str(written(tmp_path, source)), clock=names, integer=names[1:])
    assert examples.clock == dict.fromkeys(names, "hhmm")
    assert_values(examples, names)
    again = [str(path) for path in examples.shards("train")]
    records = make(tmp_path, source="tfrecord", input=again[0], clock=names)
    assert records.clock == dict.fromkeys(names, "hhmm")


def assert_values(examples: Examples, names: tuple[str, ...]) -> None:
    for name in names:
        assert [row[name] for row in rows_of(examples, "train")][:4] == [5, 830, None, 2400]


def test_folders_name_columns_of_times_of_day_too(tmp_path: Path) -> None:
    for time in (30, 830, 2400):
        folder = tmp_path / "rides" / f"at={time}"
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("x,y\n" + "".join(f"{n}.5,{n}\n" for n in range(8)))
    assert make(tmp_path, source="csv", input=str(tmp_path / "rides"), clock=("at",)).clock == {"at": "hhmm"}


def test_times_of_day_with_seconds_have_a_setting_of_their_own(tmp_path: Path) -> None:
    text = "at,dep,y\n" + "".join(f"{n % 24 * 10000 + n},{n % 24 * 100},{n}\n" for n in range(50))
    examples = make_csv(tmp_path, text, clock=("dep",), clock_seconds=("at",))
    assert examples.clock == {"at": "hhmmss", "dep": "hhmm"}
    with pytest.raises(SettingsError, match="`example_gen.clock` and `example_gen.clock_seconds` both name `at`"):
        make_csv(tmp_path, text, clock=("at",), clock_seconds=("at",))
    with pytest.raises(SettingsError, match=r"`example_gen.clock_seconds` names `y`, which is the label\. .*hhmmss\."):
        make_csv(tmp_path, text, clock_seconds=("y",))
