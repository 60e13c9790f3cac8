from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.engines.local import LocalEngine
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


def test_one_row_that_is_left_out_is_told_of_in_the_singular(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, table(10) + "10,10\n", eval_fraction=0.2, where="x <> 7")
    filtered, unlabelled = examples.outcome().warnings
    assert "1 of 11 rows of `rides.csv` is not as `example_gen.where` wants it and is left out (" in filtered
    assert "1 of 11 rows of `rides.csv` has no label (`y`) and is left out (" in unlabelled


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


@pytest.mark.parametrize("settings", [{}, {"split": "hash"}])
def test_a_table_without_any_label_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    said = r"All 20 rows of `rides.csv` have an empty label, `y`, .* Fill in the column, or name another in `example_g"
    with pytest.raises(DataError, match=said):
        make_csv(tmp_path, "x,y\n" + "1,\n2,\n" * 10, **settings)


def test_what_is_left_out_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text(table(203))
    settings = {"source": "csv", "input": str(tmp_path / "*.csv"), "split": "random"}
    with LocalEngine(2, least_bytes=0) as pool:
        both = [make(tmp_path, engine=engine, **settings) for engine in (IN_PROCESS, pool)]
    files = [
        {path.relative_to(e.path): path.read_bytes() for path in e.path.rglob("*") if path.is_file()} for e in both
    ]
    assert files[0] == files[1]
    assert both[0].properties["dropped"] == both[1].properties["dropped"]


SAMPLED: list[dict[str, Any]] = [{"split": "order"}, {"split": "hash"}, {"split": "key", "split_column": "id"}]


@pytest.mark.parametrize("rule", SAMPLED, ids=lambda rule: rule["split"])
def test_a_larger_sample_holds_a_smaller_one(tmp_path: Path, rule: dict[str, Any]) -> None:
    text = "id,x,y\n" + "".join(f"k{n % 300},{n},1\n" for n in range(3000))
    taken = []
    for share in (0.05, 0.3, 1.0):
        examples = make_csv(tmp_path, text, sample=share, **rule)
        taken.append({row["x"] for row in all_rows(examples)})
        assert abs(len(taken[-1]) / 3000 - share) < 0.06
        left_out = examples.properties["dropped"].get("sample", {"rows": 0})["rows"]
        assert len(taken[-1]) + left_out == 3000
        assert examples.outcome().warnings == ()
    assert taken[0] < taken[1] < taken[2]
    other = {row["x"] for row in all_rows(make_csv(tmp_path, text, sample=0.3, seed=7, **rule))}
    assert other != taken[1]
    if rule["split"] == "key":
        assert {x % 300 for x in taken[0]}.isdisjoint({x % 300 for x in taken[2] - taken[0]})


def test_a_sample_has_the_splits_that_its_rows_have_in_the_whole_table(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{n},{n / 3}\n" for n in range(2000))
    whole, part = (make_csv(tmp_path, text, split="hash", sample=share) for share in (1.0, 0.4))
    assert {row["x"] for row in rows_of(part, "eval")} < {row["x"] for row in rows_of(whole, "eval")}
    assert part.counts["eval"] > 40


def test_a_row_outside_the_sample_is_not_counted_as_one_without_a_label(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, table(1000), sample=0.5)
    dropped = examples.properties["dropped"]
    assert sum(examples.counts.values()) + dropped["sample"]["rows"] + dropped["unlabelled"]["rows"] == 1000
    assert dropped["unlabelled"]["rows"] < 70
