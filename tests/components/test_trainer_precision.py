"""Trains in mixed precision: what is exported is float32, and answers as a training in float32 does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components import trainer
from crossnet.components.artifacts.model import HISTORY_FILE
from crossnet.components.errors import TrainingError
from crossnet.components.evaluation.session import ServingSession
from crossnet.components.networks.exported import read_exported
from crossnet.components.params.networks import Architecture, CrossLayerParams, ModelParams
from crossnet.components.params.trainer import FLOAT32, MIXED_BFLOAT16, TrainerParams
from crossnet.components.trainer import train_model
from crossnet.components.training.replicas import Replicas
from crossnet.components.training.trial import try_settings
from support.training_fixtures import article_table, make_artifacts, mixed_table

SETTINGS: dict[str, Any] = {"epochs": 6, "batch_size": 83, "shuffle": True, "learning_rate": 0.02, "optimizer": "adamw"}
SETTINGS |= {"early_stopping_patience": 3, "members": 2, "normalize": "robust", "number_bins": 8}
TOWER = CrossLayerParams(structure="parallel", deep_units=(8,), kernel_regularizer=0.01)


def train(folder: Path, artifacts: Any, kind: str, architecture: Architecture, **settings: Any) -> Any:
    folder.mkdir(parents=True)
    params, model = TrainerParams(**settings), ModelParams(kind=kind, architecture=architecture)
    return train_model(*artifacts, output_dir=folder, params=params, model=model)


@pytest.mark.slow
def test_mixed_precision_trains_alike_and_exports_float32(tmp_path: Path) -> None:
    table = mixed_table(251)
    artifacts = make_artifacts(tmp_path, table, table)
    found = {}
    for name, precision in (("whole", FLOAT32), ("mixed", MIXED_BFLOAT16), ("again", MIXED_BFLOAT16)):
        model = train(tmp_path / name, artifacts, "cross_layer", TOWER, **SETTINGS, precision=precision)
        exported = read_exported(model.serving_path)
        assert {weight.dtype for weight in exported.weights} == {np.dtype(np.float32)}
        history = json.loads((tmp_path / name / HISTORY_FILE).read_text())
        found[name] = model.checksum, history["loss"][-1]
    assert found["mixed"] == found["again"]
    assert found["mixed"][0] != found["whole"][0]
    assert found["mixed"][1] == pytest.approx(found["whole"][1], rel=0.05)


def test_a_kind_of_another_library_is_refused(tmp_path: Path) -> None:
    table = article_table(40)
    with pytest.raises(
        TrainingError, match=r"`trainer.precision` is mixed_bfloat16, but `tfrs_cross` trains the layer"
    ):
        train(
            tmp_path / "out",
            make_artifacts(tmp_path, table, table),
            "tfrs_cross",
            CrossLayerParams(),
            batch_size=20,
            precision=MIXED_BFLOAT16,
        )
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_a_trial_is_judged_by_the_network_that_would_be_exported(tmp_path: Path) -> None:
    table = article_table(60)
    artifacts = make_artifacts(tmp_path, table, table)
    settings = {"batch_size": 20, "epochs": 2, "early_stopping_patience": 2, "precision": MIXED_BFLOAT16}
    model = ModelParams(kind="cross_layer", architecture=CrossLayerParams())
    found = try_settings(*artifacts, params=TrainerParams(**settings), model=model, scratch=tmp_path)
    assert np.isfinite(found.rmse)
    assert found.parameters == 16


@pytest.mark.slow
def test_a_worker_that_writes_nothing_removes_its_rows_before_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Alone(Replicas):
        def compare(self, weights: Any) -> list[str]:
            seen.append(list(tmp_path.glob("**/.tmp-rows-*")))
            return []

    @contextmanager
    def devices(*_: Any, **__: Any) -> Iterator[Replicas]:
        yield Alone(tf.distribute.get_strategy(), 1)

    monkeypatch.setattr(trainer, "training_devices", devices)
    table = article_table(60)
    artifacts = make_artifacts(tmp_path, table, table)
    (tmp_path / "out").mkdir()
    params = TrainerParams(batch_size=20, epochs=2, cache_mib=0)
    model = ModelParams(kind="cross_layer", architecture=CrossLayerParams())
    trainer.join_training(*artifacts, output_dir=tmp_path / "out", params=params, model=model)
    assert seen == [[]]


@pytest.mark.slow
@pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="TensorFlow sees no GPU here")
@pytest.mark.parametrize("precision", [FLOAT32, MIXED_BFLOAT16])
def test_a_gpu_runs_whole_epochs_and_its_model_answers_as_one_of_this_processor(tmp_path: Path, precision: str) -> None:
    table = article_table(4000)
    artifacts = make_artifacts(tmp_path, table, table)
    columns = {name: np.array(values[:100], np.float32) for name, values in table.items() if name != "y"}
    answers = []
    for device in ("GPU", "CPU"):
        with tf.device(f"/{device}:0"):
            model = train(tmp_path / device, artifacts, "cross_layer", TOWER, **SETTINGS, precision=precision)
        with ServingSession(model.serving_path) as session:
            answers.append(session.predict(columns))
    assert answers[0] == pytest.approx(answers[1], rel=0.1, abs=0.1)
