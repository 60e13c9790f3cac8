from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import TrainingError
from crossnet.components.training import folds as module
from crossnet.components.training import rows as rows_module
from crossnet.components.training.disk_array import DiskArray
from crossnet.components.training.folds import (
    assign_folds,
    block_units,
    distinct_units,
    group_column,
    row_units,
    units_of,
)
from crossnet.components.training.rows import Rows
from crossnet.components.training.sharing import Sharing
from support.meetings import share_of, sharing
from support.training_fixtures import make_artifacts


def table(rows: int = 40) -> dict[str, list[Any]]:
    return {
        "x": [float(i) for i in range(rows)],
        "user": [f"u{i // 4}" for i in range(rows)],
        "when": [(7 * i) % rows for i in range(rows)],
        "y": [float(i % 3) for i in range(rows)],
    }


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return make_artifacts(tmp_path_factory.mktemp("folds"), table(), table(4))[0]


def with_properties(examples: Examples, **properties: Any) -> Examples:
    return dataclasses.replace(examples, properties={**examples.properties, **properties})


def rows(columns: dict[str, list[Any]] | None = None, **more: Any) -> Rows:
    columns = columns or table()
    x, y = np.array(columns["x"], np.float32)[:, None], np.array(columns["y"], np.float32)
    return Rows((x,), y, len(y), **more)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven rows are many, and so are five units."""
    monkeypatch.setattr(module, "MANY_ROWS", 7)
    monkeypatch.setattr(rows_module, "MANY_ROWS", 7)
    monkeypatch.setattr(module, "MANY_UNITS", 5)


def test_folds_are_of_nearly_equal_size_and_do_not_follow_the_order() -> None:
    folds = assign_folds(np.arange(1000, dtype=np.uint64), 8)
    assert np.bincount(folds).tolist() == [125] * 8
    assert abs(np.corrcoef(np.arange(1000), folds)[0, 1]) < 0.1


def test_equal_rows_are_in_one_fold() -> None:
    x = np.array([[1.0, 2.0], [0.0, 2.0], [1.0, 2.0], [-0.0, 2.0]], np.float32)
    ids = np.array([3, 4, 3, 4])
    units = row_units((x, ids))
    assert (units[0], units[1]) == (units[2], units[3])
    assert units[0] != units[1]
    assert units[0] != row_units((x, ids + 1))[0]


def test_a_group_is_in_one_fold(examples: Examples) -> None:
    units = units_of(with_properties(examples, group="user"), rows(), 5)
    folds = assign_folds(units, 5).reshape(10, 4)
    assert (folds == folds[:, :1]).all()
    assert np.bincount(folds[:, 0]).tolist() == [2] * 5


def test_a_key_of_the_split_is_in_one_fold(examples: Examples) -> None:
    split = with_properties(examples, settings={"split": "key", "split_column": "user"})
    assert len(np.unique(units_of(split, rows(), 5))) == 10


def test_rows_that_are_near_in_time_are_in_one_fold(examples: Examples) -> None:
    split = with_properties(examples, settings={"split": "time", "split_column": "when"})
    units = units_of(split, rows(), 2)
    by_time = units[np.argsort(table()["when"])]
    assert by_time.tolist() == np.repeat(np.arange(8), 5).tolist()


def test_blocks_are_of_consecutive_rows() -> None:
    assert block_units(6, 2).tolist() == [0, 1, 2, 3, 4, 5]
    assert block_units(16, 1).tolist() == np.repeat(np.arange(4), 4).tolist()


def test_fewer_groups_than_folds_are_refused(examples: Examples) -> None:
    sentence = "Train has 10 different values of `user`, and each of 11 parts that are held out in turn needs one"
    with pytest.raises(TrainingError, match=sentence):
        units_of(with_properties(examples, group="user"), rows(), 11)


def test_rows_that_are_all_equal_are_refused(examples: Examples) -> None:
    same = Rows((np.ones((40, 1), np.float32),), np.ones(40, np.float32), 40)
    with pytest.raises(TrainingError, match="Train has 1 different rows"):
        units_of(examples, same, 2)


def test_few_units_of_many_rows_are_in_the_folds_of_few_rows(many: None, tmp_path: Path) -> None:
    units = np.arange(100, dtype=np.uint64) % 5
    stored = assign_folds(units, 3, tmp_path / "folds.bin")
    assert isinstance(stored, DiskArray)
    assert stored.dtype == np.int32
    found = stored[:].reshape(-1, 5)
    assert (found == found[0]).all()
    assert sorted(np.bincount(found[0]).tolist()) == [1, 2, 2]
    assert found.ravel().tolist() == assign_folds(units, 3)[:].tolist()


def test_very_many_units_are_drawn_into_folds(many: None) -> None:
    units = np.tile(np.arange(3000, dtype=np.uint64), 2)
    found = assign_folds(units, 6)[:].reshape(2, -1)
    assert (found[0] == found[1]).all()
    assert np.bincount(found[0]) == pytest.approx(np.full(6, 500), abs=90)  # more than four standard deviations
    assert distinct_units(units, 5) is None
    assert distinct_units(units, 5, np.array([0, 3000, 1])).shape == (2,)


@pytest.mark.parametrize(
    "properties",
    [{"group": "user"}, {"settings": {"split": "key", "split_column": "user"}}, {"settings": {"split": "order"}}, {}],
)
def test_units_of_many_rows_are_those_of_few(
    examples: Examples, properties: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, places = with_properties(examples, **properties), np.flatnonzero(np.arange(40) % 3)
    fewer = rows({name: [values[i] for i in places] for name, values in table().items()}, place=places)
    expected = units_of(named, fewer, 2)[:].tolist()
    monkeypatch.setattr(module, "MANY_ROWS", 7)
    monkeypatch.setattr(rows_module, "MANY_ROWS", 7)
    fewer.folder = tmp_path
    found = units_of(named, fewer, 2)
    assert isinstance(found, DiskArray)
    assert found[:].tolist() == expected


def test_many_rows_that_are_near_in_time_are_in_one_block_or_the_next(
    examples: Examples, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE_ROWS", 20)
    split = with_properties(examples, settings={"split": "time", "split_column": "when"})
    by_time = units_of(split, rows(), 2)[:][np.argsort(table()["when"])]
    assert (np.diff(by_time.astype(int)) >= 0).all()
    assert np.bincount(by_time.astype(int)) == pytest.approx(np.full(8, 5), abs=2)


def test_many_rows_of_fewer_groups_than_folds_are_refused(examples: Examples, many: None) -> None:
    with pytest.raises(TrainingError, match="Train has 10 different values of `user`, and each of 11 parts"):
        units_of(with_properties(examples, group="user"), rows(), 11)


def test_folds_need_no_files_where_rows_are_split_by_hash(examples: Examples) -> None:
    elsewhere = dataclasses.replace(examples, path=Path("nowhere"))
    assert len(np.unique(units_of(elsewhere, rows(), 2))) == 40


@pytest.mark.parametrize(
    "properties",
    [
        {"group": "user"},
        {"settings": {"split": "time", "split_column": "when"}},
        {"settings": {"split": "order"}},
        {},
    ],
)
def test_rows_that_are_not_learned_from_change_no_units(examples: Examples, properties: Any, tmp_path: Path) -> None:
    places = np.flatnonzero(np.arange(40) % 3)
    fewer = {name: [values[i] for i in places] for name, values in table().items()}
    alone = make_artifacts(tmp_path, fewer, table(4))[0]
    in_file = DiskArray(tmp_path / "places.bin", (), np.int64)
    in_file.append(places)
    expected = units_of(with_properties(alone, **properties), rows(fewer), 2)[:].tolist()
    for place in (places, in_file):
        found = units_of(with_properties(examples, **properties), rows(fewer, place=place), 2)
        assert found[:].tolist() == expected


@pytest.mark.parametrize("many_rows", [None, 25, 7])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "properties",
    [
        {"group": "user"},
        {"settings": {"split": "key", "split_column": "user"}},
        {"settings": {"split": "time", "split_column": "when"}},
        {"settings": {"split": "time", "split_column": "user"}},
        {"settings": {"split": "order"}},
        {},
    ],
)
def test_rows_that_workers_share_are_in_the_folds_of_one_process(
    examples: Examples, properties: Any, weighted: bool, many_rows: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if many_rows:
        for one in (module, rows_module):
            monkeypatch.setattr(one, "MANY_ROWS", many_rows)
        monkeypatch.setattr(module, "MANY_UNITS", 15)
        monkeypatch.setattr(module, "SAMPLE_ROWS", 20)
    named, whole = with_properties(examples, **properties), rows()
    if weighted:
        whole.weight = (np.arange(40) % 4).astype(np.float32)
    kept = np.arange(40) if whole.weight is None else np.flatnonzero(whole.weight > 0)
    place = None if whole.weight is None else kept
    alone = rows({name: [values[i] for i in kept] for name, values in table().items()}, place=place)
    expected = assign_folds(units_of(named, alone, 5), 5)[:].tolist()

    def work(workers: Sharing) -> Any:
        own = share_of(whole, workers)
        folds = assign_folds(units_of(named, own, 5), 5, rows=own)
        return dict(zip(own.places(np.arange(len(own))).tolist(), folds[:].tolist(), strict=True))

    found = {}
    for part in sharing(3, work):
        found |= part
    assert [found[row] for row in kept.tolist()] == expected


def test_groups_of_all_workers_are_told_apart_from_folds(examples: Examples) -> None:
    named = with_properties(examples, group="user")
    assert sharing(2, lambda workers: len(units_of(named, share_of(rows(), workers), 10))) == [20, 20]
    with pytest.raises(TrainingError, match="Train has 10 different values of `user`, and each of 11 parts"):
        sharing(2, lambda workers: units_of(named, share_of(rows(), workers), 11))


def test_rows_that_are_near_in_time_are_not_a_group(examples: Examples) -> None:
    by_key = with_properties(examples, settings={"split": "key", "split_column": "user"})
    by_time = with_properties(examples, settings={"split": "time", "split_column": "when"})
    assert [group_column(found) for found in (by_key, by_time, examples)] == ["user", "", ""]
    assert group_column(with_properties(by_time, group="user")) == "user"
