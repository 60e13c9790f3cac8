from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import SourceBatch
from crossnet.components.sources.splits import EVAL, Splitter, hash_rows, order_counts
from support.example_gen_fixtures import all_rows, make, make_csv, rows_of


def csv_rows(first: int, last: int) -> str:
    return "id,x,zone,y\n" + "".join(f"k{n % 97},{n}.5,z{n % 7},{n % 13}\n" for n in range(first, last))


RULES: list[Any] = [
    {"split": "random"},
    pytest.param({"split": "random", "seed": 7}, marks=pytest.mark.slow),
    {"split": "hash"},
    {"split": "key", "split_column": "id"},
    pytest.param({"split": "key", "split_column": "id", "exclude": ("id",)}, marks=pytest.mark.slow),
    {"split": "time", "split_column": "x", "split_time": "4000"},
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: "-".join(map(str, rule.values())))
def test_rows_keep_their_split_when_rows_are_appended(tmp_path: Path, rule: dict[str, Any]) -> None:
    before = make_csv(tmp_path, csv_rows(0, 5000), **rule)
    after = make_csv(tmp_path, csv_rows(0, 6000), **rule)
    for split in ("train", "eval"):
        old, new = ([row["x"] for row in rows_of(examples, split)] for examples in (before, after))
        assert new[: len(old)] == old
        assert all(x >= 5000 for x in new[len(old) :])
    if rule["split"] != "time":
        assert 0.05 < before.counts["eval"] / 5000 < 0.2


def test_order_split_takes_the_last_rows(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, csv_rows(0, 10), eval_fraction=0.3)
    assert [row["x"] for row in rows_of(examples, "eval")] == [7.5, 8.5, 9.5]
    cases = ((10, 0.01, 0), (10, 0.99, 0), (2, 0.5, 0), (1, 0.5, 0), (10, 0.2, 0.3), (3, 0.1, 0.1), (3, 0.4, 0.59))
    counted = [tuple(order_counts(*case).values()) for case in cases]
    assert counted == [(9, 1, 0), (1, 9, 0), (1, 1, 0), (1, 0, 0), (5, 2, 3), (1, 1, 1), (1, 1, 1)]


def test_random_split_depends_on_the_seed(tmp_path: Path) -> None:
    evals = [rows_of(make_csv(tmp_path, csv_rows(0, 1000), split="random", seed=seed), "eval") for seed in (1, 1, 2)]
    assert evals[0] == evals[1] != evals[2]


def test_hash_split_puts_equal_rows_in_one_split_wherever_they_stand(tmp_path: Path) -> None:
    lines = csv_rows(0, 900).splitlines()
    examples = make_csv(tmp_path, "\n".join([*lines, *lines[:0:-1]]), split="hash")
    train, held = ({tuple(row.values()) for row in rows_of(examples, split)} for split in ("train", "eval"))
    assert not train & held
    assert sum(examples.counts.values()) == 1800


def test_hash_split_keeps_a_row_when_an_integer_column_becomes_float(tmp_path: Path) -> None:
    text = "a,y\n" + "".join(f"{n},{n}\n" for n in range(2000))
    whole = make_csv(tmp_path, text, split="hash")
    mixed = make_csv(tmp_path, text + "0.25,1\n", split="hash")
    assert [row["a"] for row in rows_of(mixed, "eval") if row["a"] != 0.25] == [
        row["a"] for row in rows_of(whole, "eval")
    ]


def test_key_split_has_no_key_in_two_splits(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, csv_rows(0, 5000), split="key", split_column="id")
    train, held = ({row["id"] for row in rows_of(examples, split)} for split in ("train", "eval"))
    assert not train & held
    assert len(train | held) == 97
    assert held


def test_key_split_tells_large_neighbouring_numbers_apart(tmp_path: Path) -> None:
    text = "id,y\n" + "".join(f"{10**15 + n},{n}\n" for n in range(1000))
    assert 50 < make_csv(tmp_path, text, split="key", split_column="id").counts["eval"] < 200


def test_time_split_takes_the_newest_share_with_all_rows_of_the_same_time(tmp_path: Path) -> None:
    days = [f"2026-01-{1 + n % 20:02d}" for n in range(1000)]
    text = "day,y\n" + "".join(f"{day},1\n" for day in days)
    examples = make_csv(tmp_path, text, split="time", split_column="day", eval_fraction=0.12)
    assert examples.counts == {"train": 850, "eval": 150}  # three days of 50 rows
    oldest = min(row["day"] for row in rows_of(examples, "eval"))
    assert oldest == np.datetime64("2026-01-18").astype("datetime64[s]").astype(int)
    assert max(row["day"] for row in rows_of(examples, "train")) < oldest


def test_time_split_cuts_at_a_moment(tmp_path: Path) -> None:
    text = "at,y\n2026-01-01T00:00:00,1\n2026-01-02T12:00:00,2\n2026-01-02T11:59:59,3\n"
    rule = {"split": "time", "split_column": "at", "split_time": "2026-01-02T13:00:00+01:00", "exclude": ("at",)}
    assert rows_of(make_csv(tmp_path, text, **rule), "eval") == [{"y": 2.0}]


def test_rows_of_one_time_are_not_told_to_have_another_share_alone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="or set `example_gen.split = .hash.`: rows of one time are in one split"):
        make_csv(tmp_path, "at,y\n2026-01-01,1\n2026-01-01,2\n", split="time", split_column="at")


def test_time_split_names_the_row_without_a_time_and_a_split_time_that_is_none(tmp_path: Path) -> None:
    rule = {"split": "time", "split_column": "at"}
    with pytest.raises(DataError, match=r"`rides.csv:3`: the split column is '', expected a number, or a date"):
        make_csv(tmp_path, "at,y\n2026-01-01,1\n,2\n", **rule)
    with pytest.raises(DataError, match=r"`rides.csv:3`: the split column is 'soon', expected a number, or a date"):
        make_csv(tmp_path, "at,y\n2026-01-01,1\nsoon,2\n", **rule, split_time="2026-01-01")
    with pytest.raises(
        SettingsError, match=r"`example_gen.split_time` is 'soon'. Expected a number, or a date or time"
    ):
        make_csv(tmp_path, "at,y\n2026-01-01,1\n", **rule, split_time="soon")


def test_split_column_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"`example_gen.split_column` names `ids`, which is not a column. Did you mean `id`"
    ):
        make_csv(tmp_path, "id,y\n1,1\n", split="key", split_column="ids")


def test_folders_split_takes_rows_as_given(tmp_path: Path) -> None:
    for folder, rows in (("train", "1,2\n3,4\n"), ("eval", "5,6\n")):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "part.csv").write_text("a,y\n" + rows)
    examples = make(tmp_path, source="csv", input=str(tmp_path / "in"), split="folders")
    assert [row["a"] for row in rows_of(examples, "train")] == [1, 3]
    assert [row["a"] for row in rows_of(examples, "eval")] == [5]


def test_hash_rows_does_not_depend_on_the_order_of_columns_but_on_every_value() -> None:
    columns = {
        "a": pa.array([1.0, 1.0, 0.0, None], pa.float32()),
        "b": pa.array([b"x", b"y", b"", None], pa.binary()),
        "c": pa.array([[1, 2], [2, 1], [], None], pa.list_(pa.int64())),
    }
    batch = pa.RecordBatch.from_pydict(columns)
    hashes = hash_rows(batch)
    np.testing.assert_array_equal(hashes, hash_rows(batch.select(["c", "a", "b"])))
    assert len(set(hashes.tolist())) == 4
    minus = pa.RecordBatch.from_pydict({"a": pa.array([-0.0, 0.0], pa.float32())})
    assert len(set(hash_rows(minus).tolist())) == 1


@pytest.mark.parametrize("rule", ["random", "hash", "key"])
@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5])
def test_share_of_eval_rows_is_as_asked_for(rule: str, fraction: float) -> None:
    values = pa.array(np.arange(100_000, dtype=np.int64))
    batch = SourceBatch(pa.RecordBatch.from_pydict({"a": values}), values, unit=0, first_row=0)
    splitter = Splitter(ExampleGenParams(split=rule, eval_fraction=fraction))
    assert abs((splitter.codes(batch) == EVAL).mean() - fraction) < 4 * (fraction / 100_000) ** 0.5


def test_splits_are_written_in_the_sources_order(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, csv_rows(0, 3000), split="hash")
    for split in ("train", "eval"):
        xs = [row["x"] for row in rows_of(examples, split)]
        assert xs == sorted(xs)
    assert sorted(row["x"] for row in all_rows(examples)) == [n + 0.5 for n in range(3000)]
