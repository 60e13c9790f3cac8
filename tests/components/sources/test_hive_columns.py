"""What folders say about a column is read as the settings state, and what cannot be is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import DataError, SettingsError
from support.example_gen_fixtures import all_rows, make

FEBRUARY, MARCH = 1_706_745_600, 1_710_460_800


def make_days(tmp_path: Path, source: str = "csv", **settings: Any) -> Examples:
    """Twenty rows of each of two days; the folders of the second also say other things."""
    if not (tmp_path / "t").exists():
        for day, paid, share, code, n in (("01.02.2024", "yes", "0.5", "07", 1), ("15.03.2024", "no", "2", "7", 2)):
            folder = tmp_path / "t" / f"day={day}" / f"paid={paid}" / f"share={share}" / f"code={code}" / f"n={n}"
            folder.mkdir(parents=True)
            table = pa.table({"x": list(range(20)), "y": [float(10 * n)] * 20})
            if source == "csv":
                rows = "".join(f"{x},{10 * n}\n" for x in range(20))
                (folder / "a.csv").write_text(f"x,y\n{rows}")
            else:
                pq.write_table(table, folder / "a.parquet")
    return make(tmp_path, source=source, input=str(tmp_path / "t"), **settings)


def values(examples: Examples, name: str) -> list[Any]:
    """The two values of a column, that of the first folder first."""
    found = {row["y"]: row[name] for row in all_rows(examples)}
    return [found[y] for y in sorted(found)]


@pytest.mark.parametrize(
    ("settings", "name", "read"),
    [
        ({}, "day", [b"01.02.2024", b"15.03.2024"]),
        ({"date_format": {"day": "%d.%m.%Y"}}, "day", [FEBRUARY, MARCH]),
        ({"date_format": {"at": "%d.%m.%Y"}, "rename": {"day": "at"}, "time_unit": {"day": "ms"}}, "at",
         [FEBRUARY * 1000, MARCH * 1000]),
        ({"boolean": ("paid",)}, "paid", [1, 0]),
        ({"null_values": ("", "no"), "boolean": ("paid",)}, "paid", [1, None]),
        ({"null_values": ("", "no")}, "paid", [b"yes", b"no"]),
        ({"null_values": ("", "2")}, "n", [1, None]),
        ({"null_values": ("", "no"), "null_text": ("paid",)}, "paid", [b"yes", None]),
        ({}, "code", [b"07", b"7"]),
        ({"numeric": ("code",)}, "code", [7, 7]),
        ({"integer": ("code",)}, "code", [7, 7]),
        ({}, "share", [b"0.5", b"2"]),
        ({"numeric": ("share",)}, "share", [0.5, 2.0]),
        ({"text": ("n",)}, "n", [b"1", b"2"]),
    ],
)  # fmt: skip
def test_settings_state_the_type_of_a_column(
    tmp_path: Path, settings: dict[str, Any], name: str, read: list[Any]
) -> None:
    assert values(make_days(tmp_path, **settings), name) == read


@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_a_folder_may_hold_the_weight_or_the_group(tmp_path: Path, source: str) -> None:
    weighted = make_days(tmp_path, source, weight="share")
    assert (weighted.weight, values(weighted, "share")) == ("share", [0.5, 2.0])
    grouped = make_days(tmp_path, source, group="Day", rename={"day": "Day"})
    assert (grouped.group, values(grouped, "Day")) == ("Day", [b"01.02.2024", b"15.03.2024"])
    split = make_days(tmp_path, source, group="day", split="hash", eval_fraction=0.5, seed=3, exclude=("paid",))
    days = [{row["day"] for row in rows} for rows in (all_rows(split)[:20], all_rows(split)[20:])]
    assert [len(day) for day in days] == [1, 1]


def test_a_condition_sees_truth_and_times(tmp_path: Path) -> None:
    truth = make_days(tmp_path, boolean=("paid",), where="paid")
    assert {row["y"] for row in all_rows(truth)} == {10.0}
    days = make_days(tmp_path, date_format={"day": "%d.%m.%Y"}, where="day >= '2024-03-01'")
    assert {row["y"] for row in all_rows(days)} == {20.0}
    split = make_days(tmp_path, split="time", split_column="day", date_format={"day": "%d.%m.%Y"})
    assert split.counts == {"train": 20, "eval": 20}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"weight": "paid"}, "`example_gen.weight` names `paid`, whose folders say 'yes'. Expected a number in each"),
        ({"numeric": ("paid",)}, "`example_gen.numeric` names `paid`, whose folders say 'yes'. Expected a number"),
        ({"integer": ("share",)}, "`example_gen.integer` names `share`, whose folders say '0.5'. Expected a whole num"),
        ({"boolean": ("n",)}, "`example_gen.boolean` names `n`, whose folders say '2'. Expected a truth value such as"),
        ({"date_format": {"day": "%Y-%m"}}, "`example_gen.date_format` names `day`, whose folders say '01.02.2024'. E"),
        ({"time_unit": {"n": "ms"}}, "`example_gen.time_unit` names `n`, whose folders do not say times."),
    ],
)
def test_what_a_folder_does_not_say_is_named(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        make_days(tmp_path, **settings)


@pytest.mark.parametrize("column", [[0.5, 0.5], [True, True]])
def test_a_fraction_or_truth_of_both_the_file_and_the_folder_must_be_equal(tmp_path: Path, column: list[Any]) -> None:
    value = str(column[0]).lower()
    (tmp_path / "t" / f"c={value}").mkdir(parents=True)
    pq.write_table(pa.table({"c": column, "y": [1, 2]}), tmp_path / "t" / f"c={value}" / "a.parquet")
    rows = all_rows(make(tmp_path, source="parquet", input=str(tmp_path / "t")))
    assert [row["c"] for row in rows] == [float(column[0])] * 2
    (tmp_path / "t" / f"c={value}").rename(tmp_path / "t" / "c=0")
    with pytest.raises(DataError, match="and the file's folder says '0'"):
        make(tmp_path, source="parquet", input=str(tmp_path / "t"))
