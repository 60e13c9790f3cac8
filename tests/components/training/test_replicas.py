"""Devices that train together, or are too few to."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossnet.components.errors import TrainingError
from crossnet.components.params.networks import CrossLayerParams, ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.trainer import train_model
from crossnet.components.training.replicas import choose_devices, find_replicas
from support.training_fixtures import article_table, make_artifacts

ADVICE = "Set `trainer.replicas` to the number of its GPUs, at least 2, or `trainer.strategy` to one_device."


@pytest.mark.parametrize(
    ("devices", "found"),
    [(["/CPU:0"], "1 CPU device and not one GPU"), (["/GPU:0"], "1 GPU"), (["/GPU:0"] * 3, "3 GPUs")],
)
def test_mirrored_is_refused_where_there_are_too_few_devices(devices: list[str], found: str) -> None:
    with pytest.raises(TrainingError) as error:
        choose_devices(devices, 4)
    assert f"`trainer.replicas` is 4, but this machine has {found}; each replica" in str(error.value)
    assert str(error.value).endswith(ADVICE)


def test_the_first_devices_train() -> None:
    assert choose_devices(["/GPU:0", "/GPU:1", "/GPU:2"], 2) == ["/GPU:0", "/GPU:1"]


def test_one_device_trains_without_replicas() -> None:
    assert find_replicas(TrainerParams(replicas=8)) is None


def test_a_machine_without_gpus_is_told_so_before_training(tmp_path: Path) -> None:
    table = article_table(40)
    params = TrainerParams(strategy="mirrored", batch_size=10)
    out = tmp_path / "out"
    out.mkdir()
    model = ModelParams(kind="cross_layer", architecture=CrossLayerParams())
    with pytest.raises(TrainingError, match="1 CPU device and not one GPU"):
        train_model(*make_artifacts(tmp_path, table, table), output_dir=out, params=params, model=model)
    assert list(out.iterdir()) == []
