"""Rows of weight 0 are left out, and weights are 1 in the mean: the same in memory and in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.features import Feature
from crossnet.components.training import weighing as module
from crossnet.components.training.disk_array import DiskArray
from crossnet.components.training.weighing import Weighing
from support.training_fixtures import make_artifacts

ROWS = 40
X, Y = Feature("x", "FLOAT"), Feature("y", "FLOAT")


def read(folder: Path, weights: list[float | None] | None) -> tuple[Weighing, list[float]]:
    """Reads rows of these weights, of which `x` and `y` are the place in the split; None: they have none."""
    folder.mkdir()
    table = {"x": [float(i) for i in range(ROWS)], "y": [float(i) for i in range(ROWS)]}
    weighed = table if weights is None else {**table, "w": weights}
    examples, _, _ = make_artifacts(folder / "made", weighed, weighed, weight="" if weights is None else "w")
    weighing = Weighing(examples.weight, ROWS, folder)
    batches = list(weighing.read(examples, "train", [X], Y, 7))
    assert {name for columns, _ in batches for name in columns} == {"x"}
    assert all(columns["x"].tolist() == labels.tolist() for columns, labels in batches)
    return weighing, np.concatenate([labels for _, labels in batches]).tolist()


@pytest.mark.parametrize("many", [False, True])
def test_rows_that_weigh_nothing_are_left_out(many: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if many:
        monkeypatch.setattr(module, "MANY_ROWS", 8)
    weights: list[float | None] = [None if i == 1 else float(i % 4) for i in range(ROWS)]
    weighing, rows = read(tmp_path / "read", weights)
    expected = [i for i in range(ROWS) if i % 4 and i != 1]
    assert rows == expected
    assert weighing.weight is not None
    assert weighing.place is not None
    assert isinstance(weighing.weight, DiskArray) == isinstance(weighing.place, DiskArray) == many
    assert weighing.place[:].tolist() == expected
    assert weighing.weight[:].dtype == np.float32
    mean = np.mean([i % 4 for i in expected])
    np.testing.assert_allclose(weighing.weight[:], [i % 4 / mean for i in expected], rtol=1e-6)


@pytest.mark.parametrize("many", [False, True])
def test_where_all_rows_count_no_places_are_kept(many: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if many:
        monkeypatch.setattr(module, "MANY_ROWS", 8)
    weighing, rows = read(tmp_path / "read", [0.5] * ROWS)
    assert rows == list(range(ROWS))
    assert weighing.place is None
    assert weighing.weight is not None
    assert weighing.weight[:].tolist() == [1.0] * ROWS
    plain, rows = read(tmp_path / "plain", None)
    assert (plain.weight, plain.place, rows) == (None, None, list(range(ROWS)))


def test_a_split_in_which_no_row_counts_has_no_weights(tmp_path: Path) -> None:
    weighing = Weighing("w", ROWS, tmp_path)
    table = {"x": [0.0] * ROWS, "y": [0.0] * ROWS, "w": [0.0] * ROWS}
    examples, _, _ = make_artifacts(tmp_path / "made", table, table, weight="w")
    assert list(weighing.read(examples, "train", [X], Y, 7)) == []
    assert weighing.weight is not None
    assert len(weighing.weight) == 0
