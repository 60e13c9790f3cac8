from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.evaluation.grouping import Grouping, eval_weights, grouping_of
from crossnet.components.features import Feature
from support.example_gen_fixtures import make_csv

COLUMNS = [{"name": n, "source_name": s, "type": t} for n, s, t in [("w", "w", "FLOAT"), ("trip_id", "trip id", "INT")]]


def examples(rows=1000, **properties):
    return Examples(Path(), {"eval": rows}, {"columns": COLUMNS, **properties})


def test_rows_belong_to_the_group_or_to_the_key_that_they_are_split_by():
    assert grouping_of(examples(split="hash", weight="w", group="trip_id"), "eval") == Grouping("w", "trip_id")
    assert grouping_of(examples(split="key", split_column="trip id"), "eval") == Grouping("", "trip_id")
    assert grouping_of(examples(split="hash", split_column=""), "eval") == Grouping()


def test_rows_of_a_key_that_is_not_recorded_stand_alone():
    assert grouping_of(examples(split="key", split_column="user"), "eval").unit == "row"


@pytest.mark.parametrize(("rows", "block"), [(10_000, 150), (1000, 48), (400, 20), (60, 3), (39, 0)])
def test_rows_of_a_split_by_time_are_in_blocks(rows, block):
    assert grouping_of(examples(rows, split="time", split_column="when"), "eval").block == block


def test_groups_of_a_split_by_time_come_before_blocks():
    assert grouping_of(examples(split="time", split_column="w", group="trip_id"), "eval") == Grouping("", "trip_id")


def test_batch_is_told_what_its_rows_weigh_and_belong_to():
    grouping = Grouping("w", "trip_id")
    assert [f.name for f in grouping.columns({"w": "FLOAT", "trip_id": "INT"})] == ["w", "trip_id"]
    assert grouping.columns({"w": "FLOAT", "trip_id": "INT"})[1] == Feature("trip_id", "INT", required=False)
    batch = {"w": np.array([1, 2], np.float32), "trip_id": np.array([7, 8], np.float32)}
    weights, groups = grouping.of(batch, 0, 2)
    assert (weights.tolist(), weights.dtype, groups.tolist()) == ([1, 2], np.float64, [7, 8])
    assert Grouping().of(batch, 0, 2) == (None, None)
    assert Grouping(block=3).of(batch, 5, 2)[1].tolist() == [1, 2]


def test_unit_is_in_words():
    assert [g.unit for g in (Grouping(), Grouping("", "u"), Grouping(block=1500))] == [
        "row", "group of `u`", "block of 1,500 rows",
    ]  # fmt: skip


def timed(tmp_path, days, **settings):
    rows = "".join(f"{day},{row % 7},{row % 3}\n" for row, day in enumerate(days))
    return make_csv(tmp_path, f"day,y,w\n{rows}", split="time", split_column="day", **settings)


def blocks(examples, days):
    grouping = grouping_of(examples, "eval")
    return grouping, grouping.of({"day": np.array(days, np.float32)}, 0, len(days))[1]


def test_blocks_of_rows_that_are_not_in_order_follow_the_time(tmp_path):
    days = np.random.default_rng(0).permutation(1000)
    grouping, places = blocks(timed(tmp_path, days, eval_fraction=0.4), [600, 615, 625, 999, np.nan])
    assert (grouping.block, grouping.unit) == (20, "block of about 20 rows by `day`")
    assert [f.name for f in grouping.columns({"day": "INT"})] == ["day"]
    assert (len(grouping.edges), places.tolist()) == (19, [0, 0, 1, 19, 0])


def test_blocks_of_rows_in_order_or_of_few_times_follow_the_records(tmp_path):
    assert blocks(timed(tmp_path, range(1000), eval_fraction=0.4), range(40))[0] == Grouping(block=20)
    few = np.random.default_rng(0).permutation(np.repeat(np.arange(100), 10))
    (tmp_path / "few").mkdir()
    assert blocks(timed(tmp_path / "few", few // 10, eval_fraction=0.4), range(40))[0].order == ""


def test_weights_of_eval_are_read_in_their_order(tmp_path):
    examples = timed(tmp_path, range(10), eval_fraction=0.4, weight="w")
    weights = eval_weights(examples)
    assert weights is not None
    assert np.concatenate([*weights]).tolist() == [0, 1, 2, 0]
    (tmp_path / "plain").mkdir()
    assert eval_weights(timed(tmp_path / "plain", range(10), eval_fraction=0.4)) is None
