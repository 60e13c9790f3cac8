"""Tests what TensorFlow is asked to do when a network is trained and exported."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from tensorflow.python.autograph.impl import api

from crossnet.components.params.networks import CrossLayerParams, ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.trainer import train_model
from support.training_fixtures import make_artifacts, mixed_table

PARAMS = TrainerParams(
    epochs=1, batch_size=100, normalize="robust", number_bins=4, members=2, early_stopping_patience=1
)


def test_nothing_is_rewritten_by_autograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # It reads the source of each function and compiles it anew: a third of the CPU of a run on a small table.
    rewritten, convert = [], api._convert_actual

    def record(entity: Any, program_ctx: Any) -> Any:
        if not entity.__module__.startswith("tensorflow.python.saved_model"):  # it has a small function of its own
            rewritten.append(str(entity))
        return convert(entity, program_ctx)

    monkeypatch.setattr(api, "_convert_actual", record)
    table = mixed_table(250)
    artifacts = make_artifacts(tmp_path, {k: v[:200] for k, v in table.items()}, {k: v[200:] for k, v in table.items()})
    model = ModelParams(kind="cross_layer", architecture=CrossLayerParams(structure="parallel", deep_units=(8,)))
    folder = tmp_path / "model"
    folder.mkdir()
    params = dataclasses.replace(PARAMS, warmup_records=1)
    train_model(*artifacts, output_dir=folder, params=params, model=model)
    assert rewritten == []
