from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossnet.components.errors import DataError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.provenance import locate
from support.example_gen_fixtures import make, make_csv, rows_of

RULES: list[dict[str, Any]] = [
    {"split": "order"},
    {"split": "random"},
    {"split": "hash"},
    {"split": "key", "split_column": "id"},
    {"split": "time", "split_column": "x"},
    {"split": "time", "split_column": "x", "split_time": "600"},
]


def table(rows: int) -> str:
    return "id,x,y\n" + "".join(f"k{n % 211},{n},{'' if n % 10 == 7 else n}\n" for n in range(rows))


def taken(examples: Any) -> dict[str, list[int]]:
    return {split: [row["x"] for row in rows_of(examples, split)] for split in examples.all_splits}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: "-".join(map(str, rule.values())))
def test_a_test_split_takes_rows_from_train_and_none_from_eval(tmp_path: Path, rule: dict[str, Any]) -> None:
    examples = make_csv(tmp_path, table(1000), test_fraction=0.2, **rule)
    assert examples.splits == ("train", "eval")
    assert examples.all_splits == ("train", "test", "eval")
    rows = taken(examples)
    assert sorted(x for own in rows.values() for x in own) == [n for n in range(1000) if n % 10 != 7]
    assert examples.counts == {split: len(rows[split]) for split in ("train", "eval", "test")}
    assert 120 < len(rows["test"]) < 240
    for record, x in enumerate(rows["test"]):
        assert locate(examples, "test", record) == f"rides.csv:{x + 2}"
    if rule["split"] in ("order", "time"):
        assert max(rows["train"]) < min(rows["eval"]) <= max(rows["eval"]) < min(rows["test"])
    else:
        assert rows["eval"] == taken(make_csv(tmp_path, table(1000), **rule))["eval"]
    if rule["split"] == "key":
        keys = [{x % 211 for x in rows[split]} for split in rows]
        assert sum(map(len, keys)) == len(set.union(*keys))


def test_a_folder_test_is_the_test_split_and_may_be_missing(tmp_path: Path) -> None:
    for number, folder in enumerate(("train", "eval", "test")):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "a.csv").write_text(f"x,y\n{number},1\n{number},2\n")
        if folder != "train":
            examples = make(tmp_path, source="csv", input=str(tmp_path / "in"), split="folders")
    assert taken(examples) == {"train": [0, 0], "eval": [1, 1], "test": [2, 2]}
    assert locate(examples, "test", 1) == "test/a.csv:3"


def test_shares_that_leave_nothing_to_train_on_are_refused() -> None:
    problems = ExampleGenParams(eval_fraction=0.5, test_fraction=0.5).problems()
    assert problems == [
        "`eval_fraction` 0.5 and `test_fraction` 0.5 leave no rows to train on. Their sum must be below 1."
    ]
    assert "the rows in test/ are the test split" in " ".join(
        ExampleGenParams(source="csv", input="a", split="folders", test_fraction=0.5).problems()
    )


@pytest.mark.parametrize(
    ("rows", "settings", "said"),
    [
        (
            3,
            {"split": "hash"},
            r"`eval` has no rows: the 3 rows of `rides.csv` were split by `hash` into 3 for train, 0 for eval. Raise "
            r'`example_gen.eval_fraction`, or set `example_gen.split = "order"`, which takes the last rows.',
        ),
        (
            1,
            {},
            r"`eval` has no rows: the only row of `rides.csv` was split .* Expected at least 2 rows; name files",
        ),
        (2, {"test_fraction": 0.1}, r"`test` has no rows: the 2 rows .* Expected at least 3 rows"),
        (
            4,
            {"split": "random", "eval_fraction": 0.5, "test_fraction": 0.01},
            r"`test` has no rows.*_gen.test_fraction`",
        ),
        (
            9,
            {"split": "time", "split_column": "x", "split_time": "50"},
            r"`eval` .* Set another `example_gen.split_time`",
        ),
        (
            9,
            {"split": "time", "split_column": "y", "eval_fraction": 0.99},
            r"`train` has no rows: .*. Lower `example_gen",
        ),
        (
            9,
            {"split": "key", "split_column": "z"},
            r"`eval` has .*. `z` has few values: set another `example_gen.eval_fr",
        ),
    ],
)
def test_a_split_without_rows_is_refused_with_what_to_set(
    tmp_path: Path, rows: int, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        make_csv(tmp_path, "x,z,y\n" + "".join(f"{n},a,{n}\n" for n in range(rows)), **settings)
