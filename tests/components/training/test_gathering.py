"""Held-out rows of several workers on the chief: those that one process has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from crossnet.components.networks.columns import NumberColumn
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training import disk_array, gathering
from crossnet.components.training import rows as rows_module
from crossnet.components.training.calibration import measure_interval
from crossnet.components.training.disk_array import DiskArray
from crossnet.components.training.gathering import gathered
from crossnet.components.training.out_of_fold import OutOfFold, predict_held_out, write_out_of_fold
from crossnet.components.training.rows import Rows
from crossnet.components.training.sharing import Sharing
from support.meetings import share_of, sharing

ROWS, HELD_OUT = 200, [0, 1]
PREPROCESSING = Preprocessing((NumberColumn("x", "FLOAT", True, 0.0, 1.0, 0.0),), (), label_mean=3.0, label_scale=2.0)


def network() -> tf_keras.Model:
    made = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(1,))])
    made.set_weights([np.array([[0.5, 0.25]], np.float32), np.zeros(2, np.float32)])
    return made


def rows(*, weighted: bool) -> Rows:
    """Rows of which the first third is held out by nobody, so that some blocks have none that are held out."""
    random = np.random.default_rng(3)
    x, label = random.normal(size=(2, ROWS)).astype(np.float32)
    fold = np.where(np.arange(ROWS) < ROWS // 3, 2, np.arange(ROWS) % 3).astype(np.int32)
    found = Rows((x[:, None],), label, 50, fold, units=np.arange(ROWS, dtype=np.uint64) * 7)
    if weighted:
        found.weight = (np.arange(ROWS) % 4).astype(np.float32)
    return found


def alone(whole: Rows) -> Rows:
    if whole.weight is None:
        return whole
    kept = np.flatnonzero(whole.weight > 0)
    parts: Any = {name: getattr(whole, name)[kept] for name in ("fold", "weight", "units")}
    return Rows((whole.inputs[0][kept],), whole.label[kept], 50, **parts, place=kept)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_chief_has_the_held_out_rows_of_all_in_the_order_of_the_split(
    weighted: bool, many: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows(weighted=weighted)
    one = alone(whole)
    expected = predict_held_out(network(), one, HELD_OUT)
    shares, coverage = [1.0], 0.9
    write_out_of_fold(tmp_path / "one.npz", expected, shares, one, PREPROCESSING)
    interval = measure_interval(expected, shares, one, PREPROCESSING, coverage)
    if many:
        for module in (gathering, rows_module, disk_array):
            monkeypatch.setattr(module, "MANY_ROWS", 10)

    def work(workers: Sharing) -> tuple[OutOfFold, Rows, Rows]:
        own = share_of(whole, workers)
        own.folder = tmp_path / str(workers.index)
        own.folder.mkdir()
        assert own.fold is not None
        own.hold_out(own.fold, 3)
        return (*gathered(predict_held_out(network(), own, HELD_OUT), own), own)

    (found, held, _), *others = sharing(3, work)
    assert isinstance(found.predictions, DiskArray) == many
    write_out_of_fold(tmp_path / "ours.npz", found, shares, held, PREPROCESSING)
    ours, theirs = np.load(tmp_path / "ours.npz"), np.load(tmp_path / "one.npz")
    assert ours.files == theirs.files
    for name in ours.files:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert measure_interval(found, shares, held, PREPROCESSING, coverage) == interval
    assert found.best_shares(held) == expected.best_shares(one)
    assert held.places_in(HELD_OUT) is None
    assert held.units is not None
    assert held.units[:].tolist() == (theirs["row"] * 7).tolist()
    assert all(returned is own for _, returned, own in others)


def test_rows_that_are_not_shared_are_returned() -> None:
    whole = rows(weighted=False)
    found = predict_held_out(network(), whole, HELD_OUT)
    assert gathered(found, whole) == (found, whole)
