from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training import rows as rows_module
from crossnet.components.training.disk_array import DiskArray
from crossnet.components.training.out_of_fold import OutOfFold, best_shares, predict_held_out, write_out_of_fold
from crossnet.components.training.rows import Rows


def network(members: int) -> Any:
    """Member k answers x + k."""
    inputs = tf_keras.Input((1,))
    return tf_keras.Model(inputs, inputs + np.arange(members, dtype=np.float32))


def rows(chunk: int = 6) -> Rows:
    x = np.arange(6, dtype=np.float32)
    return Rows((10 * x[:, None],), x, chunk, fold=np.array([0, 1, 2, 0, 1, 2], np.int32))


@pytest.mark.parametrize("chunk", [6, 4])
def test_each_row_is_predicted_by_the_member_that_held_it_out(chunk: int) -> None:
    found = predict_held_out(network(2), rows(chunk), held_out=[0, 1])
    assert found.row.tolist() == [0, 1, 3, 4]
    assert found.predictions[:, 0].tolist() == [0.0, 11.0, 30.0, 41.0]


def test_a_row_has_a_prediction_of_each_group() -> None:
    found = predict_held_out(network(3), rows(), held_out=[0, 0, 1], groups=[0, 1, 0])
    assert found.row.tolist() == [0, 3]  # of fold 1, one group holds out nothing
    assert found.predictions.tolist() == [[0.0, 1.0], [30.0, 31.0]]
    assert found.blended([0.25, 0.75]).tolist() == [0.75, 30.75]


def test_shares_are_those_of_the_least_squared_error() -> None:
    label = np.array([1.0, 2.0, 3.0, 4.0])
    assert best_shares(np.stack([label, label + 1], 1), label) == [1.0, 0.0]
    over, under = label + np.array([3.0, 3.0, -3.0, -3.0]), label - np.array([1.0, 1.0, -1.0, -1.0])
    assert best_shares(np.stack([over, under], 1), label) == pytest.approx([0.25, 0.75], abs=1e-5)


def test_shares_of_three_beat_each_alone() -> None:
    random = np.random.default_rng(1)
    label = random.normal(size=500)
    predictions = label[:, None] + random.normal(size=(500, 3)) * [1.0, 0.5, 2.0]
    shares = best_shares(predictions, label)
    assert min(shares) >= 0
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    errors = np.mean((predictions - label[:, None]) ** 2, axis=0)
    assert np.mean((predictions @ shares - label) ** 2) < errors.min()
    assert shares[1] > shares[0] > shares[2]


def test_one_group_has_all() -> None:
    assert best_shares(np.zeros((3, 1)), np.ones(3)) == [1.0]
    assert best_shares(np.full((3, 2), np.nan), np.ones(3)) == [0.5, 0.5]


def blended(gains: list[float], **settings: Any) -> list[float]:
    """Shares of four groups: each sees the label, which is 0, with an error of its own; these have no correlation."""
    signs = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], np.float64)  # orthogonal
    found = OutOfFold(np.arange(4), (signs * np.array(gains)[:, None]).T)
    return found.best_shares(Rows((np.zeros((4, 1)),), np.zeros(4, np.float32), 4), **settings)


def test_groups_that_gain_too_little_are_left_out() -> None:
    # Of errors of size e, all different, the best shares are as 1 / e^2 and the squared error is 1 / sum(1 / e^2).
    errors = [1.0, 10.0, 20.0, 5.0]
    every = np.array([1, 0.01, 0.0025, 0.04])
    assert blended(errors) == pytest.approx(every / every.sum(), abs=1e-3)
    # Without the third the RMSE is 0.12 % larger, without the second too 0.6 %, without the last as well 2.6 %.
    assert blended(errors, least_gain=0.01) == pytest.approx([1 / 1.04, 0, 0, 0.04 / 1.04], abs=1e-3)
    assert blended(errors, least_gain=0.03) == [1.0, 0.0, 0.0, 0.0]
    assert blended(errors, least_gain=0.03, groups=3)[1:3] == [0.0, 0.0]  # the last is not of members
    assert blended(errors, least_gain=0.03, groups=3)[3] == pytest.approx(0.04 / 1.04, abs=1e-3)


def test_one_group_of_members_stays_whatever_it_gains() -> None:
    assert blended([3.0, 3.0, 3.0, 1.0], least_gain=1e9, groups=3)[3] > 0.8
    assert sum(share > 0 for share in blended([3.0, 3.0, 3.0, 1.0], least_gain=1e9, groups=3)) == 2


def test_nothing_is_left_out_where_errors_are_not_finite() -> None:
    assert blended([np.nan, 1.0, 1.0, 1.0], least_gain=0.01) == [0.25] * 4


def test_what_is_written_is_in_the_labels_unit_and_range(tmp_path: Path) -> None:
    unit = Preprocessing((), (), label_mean=100.0, label_scale=10.0, label_range=(90.0, 125.0))
    found = OutOfFold(np.array([2, 5]), np.array([[1.0, 3.0], [9.0, 9.0]]))
    write_out_of_fold(tmp_path / "a.npz", found, [1.0, 0.0], rows(), unit)
    with np.load(tmp_path / "a.npz") as stored:
        assert {name: stored[name].tolist() for name in stored.files} == {
            "row": [2, 5],
            "prediction": [110.0, 125.0],
            "label": [120.0, 150.0],
        }


def test_a_row_of_weight_two_counts_twice_in_the_blend() -> None:
    random = np.random.default_rng(1)
    label, predictions = random.normal(size=20), random.normal(size=(20, 3))
    twice = np.r_[np.arange(20), np.arange(5)]
    weight = np.where(np.arange(20) < 5, 2.0, 1.0)
    expected = best_shares(predictions[twice], label[twice])
    assert best_shares(predictions, label, weight / weight.mean()) == pytest.approx(expected, abs=2e-6)
    assert best_shares(predictions, label) != pytest.approx(expected, abs=1e-3)


def test_weights_and_places_in_train_are_written(tmp_path: Path) -> None:
    weighed = rows()
    weighed.weight = np.array([1, 1, 2, 0.5, 1, 0.5], np.float32)
    weighed.place = np.array([0, 2, 4, 6, 8, 10])
    found = OutOfFold(np.array([2, 5]), np.zeros((2, 1)))
    write_out_of_fold(tmp_path / "a.npz", found, [1.0], weighed, Preprocessing((), ()))
    with np.load(tmp_path / "a.npz") as stored:
        assert (stored["row"].tolist(), stored["weight"].tolist()) == ([4, 10], [2.0, 0.5])


def test_many_rows_are_predicted_and_written_as_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit, found = Preprocessing((), (), label_mean=1.0, label_scale=2.0), []
    for name in ("few", "many"):
        held = rows(4)
        held.weight = np.array([1, 1, 2, 0.5, 1, 0.5], np.float32)
        if name == "many":
            held.folder = tmp_path
            monkeypatch.setattr(rows_module, "MANY_ROWS", 3)
        predicted = predict_held_out(network(4), held, held_out=[0, 0, 1, 1], groups=[0, 1, 0, 1])
        shares = predicted.best_shares(held)
        write_out_of_fold(tmp_path / f"{name}.npz", predicted, shares, held, unit)
        found.append((shares, (tmp_path / f"{name}.npz").read_bytes()))
    assert isinstance(predicted.row, DiskArray)
    assert isinstance(predicted.predictions, DiskArray)
    assert found[0] == found[1]
    with np.load(tmp_path / "many.npz") as stored:
        assert stored["row"].tolist() == [0, 1, 3, 4]
