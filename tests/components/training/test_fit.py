"""The loop: Keras' updates, streaming, shuffling, early stopping, checkpoints, history."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from crossnet.components.errors import TrainingError
from crossnet.components.networks.models import build_network, initialize
from crossnet.components.params.networks import CrossLayerParams, DenseParams
from crossnet.components.training.checkpoints import Checkpoint, Checkpoints
from crossnet.components.training.epoch import EpochLoop
from crossnet.components.training.fit import History, fit
from crossnet.components.training.recipe import Recipe
from crossnet.components.training.rows import Rows
from support.training_fixtures import article_table

ROWS = 250
PARAMS = Recipe(epochs=4, batch_size=60, learning_rate=0.05)


class Killed(Exception):
    """Stands for a kill between two epochs."""


def rows(count: int = ROWS, chunk: int = ROWS) -> Rows:
    table = article_table(count)
    x = np.array([table["x0"], table["x1"], table["x2"]], np.float32).T
    return Rows((np.ascontiguousarray(x),), np.array(table["y"], np.float32), chunk)


def folds(count: int = ROWS) -> Any:
    return np.arange(count, dtype=np.int32) % 5


def stop(*_: Any) -> None:
    raise FloatingPointError


def network(kind: str = "cross_layer", **settings: Any) -> Any:
    architecture = DenseParams() if kind == "dense" else CrossLayerParams(**settings)
    made = build_network(kind, architecture, num_numbers=3)
    initialize(made, seed=1)
    return made


def train(params: Recipe = PARAMS, chunk: int = ROWS, **arguments: Any) -> tuple[list[Any], History]:
    made = network()
    data = rows(chunk=chunk)
    if params.early_stopping_patience:
        data.fold = folds()
        arguments.setdefault("held_out", [0])
    history = fit(made, data, rows(50), params=params, not_finite=stop, **arguments)
    return made.get_weights(), history


def assert_same_bytes(first: list[Any], second: list[Any]) -> None:
    assert [weight.tobytes() for weight in first] == [weight.tobytes() for weight in second]


@pytest.mark.parametrize(("kind", "optimizer"), [("tfrs_cross", "adagrad"), ("cross_layer", "adam")])
def test_fit_makes_the_updates_of_keras_fit(kind: str, optimizer: str) -> None:
    ours, theirs = network(kind), network(kind)
    data = rows()
    adam = {"beta_1": 0.95, "beta_2": 0.98, "epsilon": 1e-3}
    params = dataclasses.replace(PARAMS, optimizer=optimizer, schedule="constant", learning_rate=0.01, **adam)
    history = fit(ours, data, None, params=params, not_finite=stop)
    config = {"learning_rate": 0.01} | (adam if optimizer == "adam" else {})
    theirs.compile(tf_keras.optimizers.get({"class_name": optimizer, "config": config}), "mse")
    expected = theirs.fit(data.inputs[0], data.label, batch_size=60, epochs=4, shuffle=False, verbose=0)
    for mine, reference in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, reference, atol=2e-6)
    np.testing.assert_allclose(history["loss"], expected.history["loss"], rtol=1e-4)


def test_fit_adds_the_penalty_of_a_regularizer_as_keras_does() -> None:
    ours, theirs = network(kernel_regularizer=0.1), network(kernel_regularizer=0.1)
    params = dataclasses.replace(PARAMS, optimizer="sgd", schedule="constant")
    fit(ours, rows(), None, params=params, not_finite=stop)
    theirs.compile(tf_keras.optimizers.SGD(0.05), "mse")
    theirs.fit(rows().inputs[0], rows().label, batch_size=60, epochs=4, shuffle=False, verbose=0)
    for mine, reference in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, reference, atol=1e-6)


@pytest.mark.parametrize("shuffle", [False, True])
def test_fit_gives_the_same_bytes_for_the_same_seed_also_when_rows_are_streamed(shuffle: bool) -> None:
    params = dataclasses.replace(PARAMS, shuffle=shuffle)
    weights, history = train(params)
    again, _ = train(params)
    streamed, streamed_history = train(params, chunk=130)
    assert_same_bytes(weights, again)
    assert_same_bytes(weights, streamed)
    assert history["loss"] == streamed_history["loss"]


def test_fit_shuffles_in_windows_where_rows_are_more_than_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    params = dataclasses.replace(PARAMS, shuffle=True, shuffle_mib=1)
    whole = [train(params)[0], train(dataclasses.replace(params, shuffle_mib=2))[0]]
    assert_same_bytes(*whole)
    monkeypatch.setattr(Rows, "row_bytes", (1 << 20) // 100)  # a window holds 100 rows
    windowed, again = train(params)[0], train(params, chunk=130)[0]
    assert_same_bytes(windowed, again)
    assert windowed[0].tobytes() != whole[0][0].tobytes()


def test_shuffle_orders_rows_by_seed() -> None:
    orders = [train(dataclasses.replace(PARAMS, shuffle=True, seed=seed))[0] for seed in (1, 2)]
    assert orders[0][0].tobytes() != orders[1][0].tobytes()


@pytest.mark.parametrize("settings", [{}, {"shuffle": True}, {"optimizer": "adamw", "early_stopping_patience": 3}])
def test_fit_goes_on_after_a_kill_as_if_it_had_not_happened(settings: Any, tmp_path: Path) -> None:
    params = dataclasses.replace(PARAMS, checkpoint_every=2, **settings)
    expected, expected_history = train(params)

    def kill(epoch: int, _: History) -> None:
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        train(params, checkpoints=Checkpoints(tmp_path, {"kind": "a"}), on_epoch=kill)
    epochs: list[int] = []
    weights, history = train(
        params, checkpoints=Checkpoints(tmp_path, {"kind": "a"}), on_epoch=lambda epoch, _: epochs.append(epoch)
    )
    assert epochs == [2, 3]
    assert_same_bytes(weights, expected)
    assert (history["loss"], history["eval_loss"]) == (expected_history["loss"], expected_history["eval_loss"])


@pytest.mark.parametrize("settings", [{}, {"shuffle": True}, {"optimizer": "adamw", "early_stopping_patience": 3}])
@pytest.mark.parametrize("epoch", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_fit_goes_on_in_the_middle_of_an_epoch(epoch: int, settings: Any, tmp_path: Path) -> None:
    params = dataclasses.replace(PARAMS, batch_size=20, checkpoint_every=2, checkpoint_updates=2, **settings)
    expected, expected_history = train(params, chunk=40)  # 13 updates, of which 2 are made at once

    class KilledInside(Checkpoints):
        def write(self, checkpoint: Checkpoint) -> None:
            super().write(checkpoint)
            if len(checkpoint.state["history"]["loss"]) == epoch and len(checkpoint.arrays["losses"]) == 6:
                raise Killed

    with pytest.raises(Killed):
        train(params, chunk=40, checkpoints=KilledInside(tmp_path, {}))
    position = Checkpoints(tmp_path, {}).read()
    assert position is not None
    assert len(position.arrays["losses"]) == 6
    weights, history = train(params, chunk=40, checkpoints=Checkpoints(tmp_path, {}))
    assert_same_bytes(weights, expected)
    assert (history["loss"], history["eval_loss"]) == (expected_history["loss"], expected_history["eval_loss"])


def test_fit_refuses_a_checkpoint_of_another_training(tmp_path: Path) -> None:
    params = dataclasses.replace(PARAMS, checkpoint_every=1)
    train(params, checkpoints=Checkpoints(tmp_path, {"kind": "dense", "units": [3]}))
    with pytest.raises(TrainingError, match='comes from another training: `kind` is "dense" there, "cross_layer" here'):
        train(params, checkpoints=Checkpoints(tmp_path, {"kind": "cross_layer", "units": [3]}))


def test_fit_begins_anew_where_the_checkpoint_is_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\x03\x04 cut short")
    expected, _ = train()
    weights, _ = train(checkpoints=Checkpoints(tmp_path, {}))
    assert_same_bytes(weights, expected)
    assert "checkpoint.npz` is damaged (" in caplog.text
    assert "The training begins anew." in caplog.text


def test_early_stopping_gives_back_the_best_weights() -> None:
    params = dataclasses.replace(
        PARAMS, epochs=60, optimizer="sgd", schedule="constant", learning_rate=0.02, early_stopping_patience=4
    )
    made, data = network(), rows()
    data.fold = folds()
    held_out = data.fold == 0
    data.label[held_out] = 1.0  # a label that training leads away from
    history = fit(made, data, None, params=params, not_finite=stop, held_out=[0])
    epochs, best = len(history["validation_loss"]), int(np.argmin(history["validation_loss"]))
    assert epochs < 60
    assert epochs == best + 1 + 4
    predictions = made(data.inputs[0][held_out]).numpy()[:, 0]
    assert float(np.mean((predictions - 1) ** 2)) == pytest.approx(history["validation_loss"][best], rel=1e-5)


def test_rows_that_are_held_out_are_not_learned_from() -> None:
    params = dataclasses.replace(PARAMS, early_stopping_patience=4, batch_size=ROWS)
    results = []
    for label in (0.0, 1e3):
        made, data = network(), rows()
        data.fold = folds()
        data.label[data.fold == 0] = label
        history = fit(made, data, None, params=dataclasses.replace(params, epochs=1), not_finite=stop, held_out=[0])
        results.append((made.get_weights(), history["loss"]))
    assert_same_bytes(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]


def test_eval_rows_decide_nothing() -> None:
    params = dataclasses.replace(PARAMS, epochs=8, early_stopping_patience=1, learning_rate=0.2)
    weights, history = train(params)
    made, data = network(), rows()
    data.fold = folds()
    other = fit(made, data, None, params=params, not_finite=stop, held_out=[0])
    assert_same_bytes(weights, made.get_weights())
    assert other["validation_loss"] == history["validation_loss"]


def test_history_is_in_the_labels_unit_and_states_the_rate() -> None:
    _, plain = train()
    _, scaled = train(label_scale=10.0)
    np.testing.assert_allclose(scaled["loss"], np.multiply(plain["loss"], 100))
    np.testing.assert_allclose(scaled["eval_loss"], np.multiply(plain["eval_loss"], 100))
    assert len(plain["seconds"]) == 4
    assert 0 < plain["learning_rate"][-1] < plain["learning_rate"][0] < 0.05


def test_fit_stops_at_the_update_whose_loss_is_not_finite() -> None:
    data = rows()
    data.label[130] = np.nan  # in the third batch
    found: list[Any] = []

    def report(losses: Any, epoch: int, order: Any, rate: float) -> None:
        found.extend([len(losses), epoch, order, rate])
        raise FloatingPointError

    made = network()
    with pytest.raises(FloatingPointError):
        fit(made, data, None, params=PARAMS, not_finite=report)
    assert found[:3] == [3, 0, None]


def test_early_stopping_never_takes_an_epoch_without_a_number_for_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([3.0, 2.0, float("nan"), 4.0, 5.0])
    monkeypatch.setattr(EpochLoop, "validation_errors", lambda self, rows: np.array([next(found)]))
    params = dataclasses.replace(PARAMS, epochs=5, early_stopping_patience=3)
    _, history = train(params)
    assert len(history["loss"]) == 5  # the best is the second: three more, and it stops


def members_network(members: int | None) -> Any:
    made = build_network("dense", DenseParams(units=(4,)), num_numbers=3, members=members)
    initialize(made, seed=1)
    return made


@pytest.mark.slow
def test_each_member_is_trained_as_if_it_were_alone() -> None:
    recipe = Recipe(
        epochs=5,
        batch_size=60,
        learning_rate=0.05,
        optimizer="adamw",
        shuffle=True,
        weight_decay=(0.1, 2.0),
        early_stopping_patience=5,
        members=4,
    )
    several, data = members_network(4), rows()
    starts = several.get_weights()
    data.fold = folds()
    fit(several, data, None, params=recipe, not_finite=stop, held_out=recipe.held_out)
    for member, (fold, group) in enumerate(zip(recipe.held_out, recipe.groups, strict=True)):
        alone = members_network(None)
        alone.set_weights([start[member] for start in starts])
        one = dataclasses.replace(recipe, members=1, weight_decay=(recipe.weight_decay[group],))
        fit(alone, data, None, params=one, not_finite=stop, held_out=[fold])
        for together, single in zip(several.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_allclose(together[member], single, atol=2e-5)


def test_members_go_on_after_a_kill_as_if_it_had_not_happened(tmp_path: Path) -> None:
    recipe = dataclasses.replace(PARAMS, early_stopping_patience=9, members=2, optimizer="adamw", checkpoint_every=1)
    data = rows()
    data.fold = folds()
    arguments: Any = {"params": recipe, "not_finite": stop, "held_out": recipe.held_out}
    expected = members_network(2)
    fit(expected, data, None, **arguments)

    def kill(epoch: int, _: History) -> None:
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        fit(members_network(2), data, None, checkpoints=Checkpoints(tmp_path, {}), on_epoch=kill, **arguments)
    resumed = members_network(2)
    fit(resumed, data, None, checkpoints=Checkpoints(tmp_path, {}), **arguments)
    assert_same_bytes(resumed.get_weights(), expected.get_weights())


def test_history_is_weighted_as_the_rows_are() -> None:
    data, evaluation = rows(), rows(50)
    for part in (data, evaluation):
        part.weight = np.linspace(0.5, 1.5, len(part), dtype=np.float32)
    params = dataclasses.replace(PARAMS, epochs=1, learning_rate=1e-9, shuffle=True, optimizer="sgd")
    made = network()
    history = fit(made, data, evaluation, params=params, not_finite=stop)
    for name, part in (("loss", data), ("eval_loss", evaluation)):
        squares = (made(part.inputs[0]).numpy()[:, 0] - part.label) ** 2
        assert history[name] == [pytest.approx(np.average(squares, weights=part.weight), rel=1e-5)]
