from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources import strata
from crossnet.components.sources.strata import plan_strata
from support.example_gen_fixtures import make, make_csv, rows_of


def table(rows: int) -> str:
    return "x,y\n" + "".join(f"{n},{'' if n % 20 == 3 else n * n % 997}\n" for n in range(rows))


@pytest.mark.parametrize("split", ["hash", "random"])
def test_each_tenth_of_the_labels_is_split_by_the_same_shares(tmp_path: Path, split: str) -> None:
    examples = make_csv(tmp_path, table(2000), split=split, stratify=True, eval_fraction=0.1, test_fraction=0.2)
    assert examples.counts == {"train": 1330, "eval": 190, "test": 380}
    labels = {name: np.array([row["y"] for row in rows_of(examples, name)]) for name in examples.all_splits}
    edges = np.quantile(np.concatenate(list(labels.values())), np.arange(1, 10) / 10)
    for name, wanted in (("eval", 19), ("test", 38)):
        counts = np.bincount(np.searchsorted(edges, labels[name], side="right"), minlength=10)
        assert np.abs(counts - wanted).max() <= 2, name


def test_strata_do_not_depend_on_the_order_of_rows_nor_on_batches(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(strata, "_SAMPLE_ROWS", 500)
    monkeypatch.setattr(strata, "_CHUNK_ROWS", 77)
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 3000, dtype=np.uint64)
    labels = rng.normal(size=3000)
    plans = []
    for order, cuts in ((np.arange(3000), [10, 900]), (rng.permutation(3000), [1500])):
        pairs = zip(np.split(hashes[order], cuts), np.split(labels[order], cuts), strict=True)
        plans.append(plan_strata(pairs, (0.1, 0.4), "y", tmp_path / "spool"))
    np.testing.assert_array_equal(plans[0].edges, plans[1].edges)
    np.testing.assert_array_equal(plans[0].bounds, plans[1].bounds)
    first, last = plans[0].bounds_of(labels)
    assert ((hashes < first).sum(), (hashes < last).sum()) == (300, 1200)


def test_a_row_keeps_its_side_when_a_column_is_left_out_and_few_move_when_rows_are_added(tmp_path: Path) -> None:
    text = "x,z,y\n" + "".join(f"{n},{n % 3},{n * n % 997}\n" for n in range(2100))
    first = text[: text.index("\n2000,") + 1]
    settings: dict[str, Any] = {"split": "hash", "stratify": True}
    before, narrow, after = (
        {row["x"] for row in rows_of(made, "eval")}
        for made in (
            make_csv(tmp_path, first, **settings),
            make_csv(tmp_path, first, exclude=("z",), **settings),
            make_csv(tmp_path, text, **settings),
        )
    )
    assert before == narrow
    assert len(before - after) < 20


def test_files_read_by_several_units_give_the_same_strata(tmp_path: Path) -> None:
    lines = table(900).splitlines()
    (tmp_path / "whole.csv").write_text("\n".join(lines))
    for number, (first, last) in enumerate(((1, 300), (300, 901))):
        (tmp_path / f"part{number}.csv").write_text("\n".join([lines[0], *lines[first:last]]))
    whole, parts = (
        make(tmp_path, source="csv", input=str(tmp_path / name), split="hash", stratify=True)
        for name in ("whole.csv", "part*.csv")
    )
    assert rows_of(whole, "eval") == rows_of(parts, "eval")


def test_few_rows_and_equal_labels_are_split_too(tmp_path: Path) -> None:
    few = make_csv(tmp_path, "x,y\n" + "".join(f"{n},{n}\n" for n in range(12)), split="hash", stratify=True)
    assert few.counts == {"train": 11, "eval": 1}
    equal = make_csv(tmp_path, "x,y\n" + "".join(f"{n},5\n" for n in range(100)), split="hash", stratify=True)
    assert equal.counts == {"train": 90, "eval": 10}


@pytest.mark.parametrize("settings", [{"split": "order"}, {"split": "hash", "group": "x"}])
def test_stratify_is_refused_where_it_has_no_effect(settings: dict[str, Any]) -> None:
    (problem,) = ExampleGenParams(stratify=True, **settings).problems()
    assert problem.startswith("`stratify` is for `split` 'hash' and 'random', without `group`. Received `split` '")
