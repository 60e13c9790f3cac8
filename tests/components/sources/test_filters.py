from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossnet.components.errors import DataError
from support.example_gen_fixtures import all_rows, make, make_csv, rows_of


def table(rows: int, empty: str = "") -> str:
    return "x,y\n" + "".join(f"{n},{empty if n % 10 == 4 else n}\n" for n in range(rows))


@pytest.mark.parametrize("empty", ["", "nan", "NaN"])
def test_rows_without_a_label_are_left_out_counted_and_said(tmp_path: Path, empty: str) -> None:
    examples = make_csv(tmp_path, table(400, empty), split="random")
    assert sorted(row["x"] for row in all_rows(examples)) == [n for n in range(400) if n % 10 != 4]
    dropped = examples.properties["dropped"]["unlabelled"]
    assert (dropped["rows"], dropped["first"], dropped["files"]) == (40, "rides.csv:6", {"rides.csv": 40})
    assert sum(dropped["splits"].values()) == 40
    assert set(dropped["splits"]) == {"train", "eval"}
    (note,) = examples.outcome().warnings
    by_split = f"{dropped['splits']['train']} of `train`, {dropped['splits']['eval']} of `eval`"
    assert note == (
        f"40 of 400 rows of `rides.csv` have no label (`y`) and are left out: {by_split} (first: rides.csv:6). To stop "
        'there instead, set `example_gen.unlabelled = "error"`.'
    )


def test_an_order_split_takes_its_share_of_the_rows_that_have_a_label(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, table(40) + "41,\n42,\n")
    assert examples.counts == {"train": 32, "eval": 4}
    assert [row["x"] for row in rows_of(examples, "eval")] == [36, 37, 38, 39]
    assert examples.properties["dropped"]["unlabelled"]["splits"] == {}


def test_a_time_split_takes_its_share_of_the_rows_that_have_a_label(tmp_path: Path) -> None:
    lines = [f"{n},{'' if n >= 50 else n}" for n in range(100)]
    examples = make_csv(tmp_path, "\n".join(["t,y", *lines]), split="time", split_column="t", eval_fraction=0.2)
    assert examples.counts == {"train": 40, "eval": 10}


def test_rows_without_a_label_stay_where_the_setting_says_so(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, table(40), unlabelled="error")
    assert sum(examples.counts.values()) == 40
    assert examples.outcome().warnings == ()


@pytest.mark.parametrize("settings", [{}, {"split": "hash", "num_workers": 2}])
def test_a_table_without_any_label_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    said = r"All 20 rows of `rides.csv` have an empty label, `y`, .* Fill in the column, or name another in `example_g"
    with pytest.raises(DataError, match=said):
        make_csv(tmp_path, "x,y\n" + "1,\n2,\n" * 10, **settings)


def test_what_is_left_out_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text(table(203))
    both = [
        make(tmp_path, source="csv", input=str(tmp_path / "*.csv"), split="random", num_workers=workers)
        for workers in (1, 2)
    ]
    files = [
        {path.relative_to(e.path): path.read_bytes() for path in e.path.rglob("*") if path.is_file()} for e in both
    ]
    assert files[0] == files[1]
    assert both[0].properties["dropped"] == both[1].properties["dropped"]
