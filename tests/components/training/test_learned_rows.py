from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossnet.components.errors import TrainingError
from crossnet.components.training import learned_rows as module
from crossnet.components.training.learned_rows import LearnedRows, learned_rows, numbers_of
from support.meetings import sharing
from support.training_fixtures import make_artifacts


def table(*weights: float, integer: bool = False) -> dict[str, list[Any]]:
    labels = [1000, 1, 2, 4, -1000]
    return {
        "x": [0.0, 1.0, 2.0, 3.0, 4.0],
        "w": list(weights),
        "y": labels if integer else [float(label) for label in labels],
    }


def learned(folder: Path, train: dict[str, list[Any]], weight: str = "w") -> LearnedRows:
    examples, _, statistics = make_artifacts(folder, train, {name: [] for name in train}, weight=weight)
    return learned_rows(examples, statistics)


@pytest.mark.parametrize("at_once", [1, 2, 100])
@pytest.mark.parametrize("integer", [False, True])
def test_the_label_is_described_by_weight(
    integer: bool, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_ROWS", at_once)
    found = learned(tmp_path, table(0.0, 1.0, 1.0, 2.0, 0.0, integer=integer))
    label, x = numbers_of(found.statistics, "y"), numbers_of(found.statistics, "x")
    assert found.count == 3
    assert (label.mean, label.min, label.max) == (2.75, 1.0, 4.0)  # of 1, 2, 4 and 4
    assert label.std_dev == pytest.approx((37 / 4 - 2.75**2) ** 0.5, rel=1e-12)
    assert (x.mean, x.min, x.max) == (2.0, 0.0, 4.0)  # of all rows


def test_without_weights_nothing_is_changed(tmp_path: Path) -> None:
    found = learned(tmp_path, table(0.0, 1.0, 1.0, 2.0, 0.0), weight="")
    assert (found.count, numbers_of(found.statistics, "y").max) == (5, 1000.0)


def test_rows_that_all_weigh_nothing_are_refused(tmp_path: Path) -> None:
    sentence = (
        r"Every row of train weighs 0 in `w`, so that there is nothing to learn from\. Give rows that count a weight "
        r"above 0, or name another column in `example_gen\.weight`\."
    )
    with pytest.raises(TrainingError, match=sentence):
        learned(tmp_path, table(0.0, 0.0, 0.0, 0.0, 0.0))


def test_workers_that_share_the_rows_know_what_one_process_knows(tmp_path: Path) -> None:
    weights = [0.0, 1.0, 1.0, 2.0, 0.0] * 9
    train = {name: values * 9 for name, values in table(*weights[:5]).items()}
    train["y"] = [float(i * i % 37) for i in range(45)]
    examples, _, statistics = make_artifacts(tmp_path, train, {name: [] for name in train}, weight="w")
    one = learned_rows(examples, statistics)
    expected = numbers_of(one.statistics, "y")
    for found in sharing(2, lambda workers: learned_rows(examples, statistics, workers)):
        label = numbers_of(found.statistics, "y")
        assert found.count == one.count == 27
        assert (label.min, label.max) == (expected.min, expected.max)
        assert label.mean == pytest.approx(expected.mean, rel=1e-14)
        assert label.std_dev == pytest.approx(expected.std_dev, rel=1e-14)


def test_a_worker_whose_rows_all_weigh_nothing_knows_of_those_of_others(tmp_path: Path) -> None:
    train = {"x": [1.0, 2.0], "w": [0.0, 3.0], "y": [7.0, 5.0]}
    examples, _, statistics = make_artifacts(tmp_path, train, {name: [] for name in train}, weight="w")
    for found in sharing(2, lambda workers: learned_rows(examples, statistics, workers)):
        assert (found.count, numbers_of(found.statistics, "y").mean) == (1, 5.0)
