from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossnet.components.artifacts.model import OUT_OF_FOLD_FILE
from crossnet.components.errors import TrainingError
from crossnet.components.params.networks import CrossLayerParams, ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.trainer import train_model
from crossnet.components.training.trial import try_settings
from support.training_fixtures import article_table, make_artifacts

MODEL = ModelParams(kind="cross_layer", architecture=CrossLayerParams())
PARAMS = TrainerParams(epochs=3, batch_size=50, members=2, early_stopping_patience=3, shuffle=True, warmup_records=0)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    table = article_table(200)
    parts = {k: v[:150] for k, v in table.items()}, {k: v[150:] for k, v in table.items()}
    return make_artifacts(tmp_path_factory.mktemp("article"), *parts)


def test_a_trial_has_the_error_of_what_train_model_writes_of_held_out_rows(artifacts: Any, tmp_path: Path) -> None:
    passed: list[tuple[float, float]] = []
    trial = try_settings(
        *artifacts, params=PARAMS, model=MODEL, scratch=tmp_path, on_epoch=lambda *at: passed.append(at)
    )
    folder = tmp_path / "model"
    folder.mkdir()
    model = train_model(*artifacts, output_dir=folder, params=PARAMS, model=MODEL)
    with np.load(folder / OUT_OF_FOLD_FILE) as found:
        errors = found["prediction"] - found["label"]
    assert trial.rmse == pytest.approx(float(np.sqrt(np.mean(np.square(errors)))), rel=1e-9)
    assert (trial.rows, trial.epochs, trial.parameters) == (len(errors), 3, model.num_parameters)
    assert [share for share, _ in passed] == pytest.approx([1 / 3, 2 / 3, 1])
    losses = [loss for _, loss in passed]
    assert losses == sorted(losses, reverse=True)


def test_what_is_raised_after_an_epoch_ends_the_training(artifacts: Any, tmp_path: Path) -> None:
    def stop(share: float, loss: float) -> None:
        raise KeyError(share)

    with pytest.raises(KeyError, match="0.33"):
        try_settings(*artifacts, params=PARAMS, model=MODEL, scratch=tmp_path, on_epoch=stop)


def test_without_rows_that_are_held_out_there_is_nothing_to_judge_by(artifacts: Any, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"judged on rows of train that are held out, and none are. Set `trainer.p"):
        try_settings(*artifacts, params=TrainerParams(batch_size=50), model=MODEL, scratch=tmp_path)
