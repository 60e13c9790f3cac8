from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

import pytest
import tensorflow as tf

from crossnet.components.training.progress import Progress
from crossnet.components.training.recipe import Recipe


def report(epochs: int, tmp_path: Path, **settings: bool) -> None:
    history = {"loss": [0.0], "eval_loss": [0.0], "learning_rate": [0.1], "seconds": [0.01]}
    with Progress(Recipe(epochs=epochs, **settings), tmp_path) as on_epoch:
        for epoch in range(epochs):
            history["loss"].append(1 / (epoch + 1))
            history["eval_loss"].append(2 / (epoch + 1))
            on_epoch(epoch, history)


@pytest.mark.parametrize(("epochs", "lines"), [(3, 3), (20, 20), (39, 39), (40, 20), (100, 20)])
def test_about_twenty_epochs_are_logged(
    epochs: int, lines: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    report(epochs, tmp_path)
    assert len(caplog.records) == lines
    assert (
        caplog.records[-1].getMessage()
        == f"epoch {epochs} of {epochs}: loss {1 / epochs:.4g}, eval_loss {2 / epochs:.4g}"
    )
    assert caplog.records[-1].share == 1.0
    assert list(tmp_path.iterdir()) == []


def test_history_without_eval_rows_is_logged_without_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Progress(Recipe(epochs=2), tmp_path) as on_epoch:
        on_epoch(0, {"loss": [0.5], "eval_loss": [], "learning_rate": [0.1], "seconds": [0.01]})
    assert [record.getMessage() for record in caplog.records] == ["epoch 1 of 2: loss 0.5"]
    assert caplog.records[0].share == 0.5


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="the extra `board` is not installed")
def test_every_epoch_is_written_for_tensorboard(tmp_path: Path) -> None:
    report(50, tmp_path, tensorboard=True)
    (file,) = (tmp_path / "logs").iterdir()
    found = {
        event.step: float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        if value.tag == "loss"
    }
    assert found == pytest.approx({epoch + 1: 1 / (epoch + 1) for epoch in range(50)})
