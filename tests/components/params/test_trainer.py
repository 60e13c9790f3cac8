from pathlib import Path

import pytest

from crossnet.components.errors import SettingsError
from crossnet.components.params.setting import with_effect
from crossnet.components.params.trainer import OPTIMIZERS, TrainerParams
from crossnet.pipeline.config import load_config


def test_the_article_trains_to_the_letter():
    params = load_config(Path("article")).trainer
    assert (params.optimizer, params.learning_rate, params.epochs, params.batch_size) == ("adagrad", 0.4, 100, 1000)
    assert (params.normalize, params.schedule, params.shuffle) == ("none", "constant", False)


def test_every_optimizer_that_is_offered_is_accepted():
    assert [load_config(None, [f"trainer.optimizer={name}"]).trainer.optimizer for name in OPTIMIZERS] == [*OPTIMIZERS]
    with pytest.raises(SettingsError, match="must be one of adam, adamw, adagrad, sgd, rmsprop"):
        load_config(None, ["trainer.optimizer=lion"])


def test_a_warm_start_is_a_version_a_path_or_none(tmp_path):
    assert TrainerParams().warm_start == "none"
    starts = {start: load_config(None, [f"trainer.warm_start={start}"]).trainer.warm_start for start in ("7", "none")}
    assert starts == {"7": "7", "none": "none"}
    file = tmp_path / "mine.toml"
    file.write_text('[trainer]\nwarm_start = "models/best"\n')
    assert load_config(file).trainer.warm_start == str(tmp_path / "models/best")


def test_one_process_does_not_read_a_share():
    sentence = (
        r"In `\[trainer\]`: `trainer.worker_rows` is share, but `trainer.strategy` is one_device: one process reads "
        r"all rows. Set `trainer.worker_rows` to all, or `trainer.strategy` to multi_worker."
    )
    with pytest.raises(SettingsError, match=sentence):
        load_config(None, ["trainer.worker_rows=share"])
    share = ["trainer.worker_rows=share", "trainer.strategy=multi_worker"]
    assert load_config(None, share).trainer.worker_rows == "share"
    assert with_effect(load_config(None, share).trainer)["worker_rows"] == "share"
    assert "worker_rows" not in with_effect(load_config(None, share[1:]).trainer)  # as in older roots
