"""Two devices train what one does, and the same bytes each time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import REPOSITORY

# TensorFlow makes devices once only, before it begins to work.
CHILD = """
import dataclasses, json, sys
from pathlib import Path
import numpy as np
import tensorflow as tf

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from crossnet.components.artifacts.model import HISTORY_FILE
from crossnet.components.networks.exported import read_exported
from crossnet.components.params.networks import CrossLayerParams, ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.trainer import train_model
from support.training_fixtures import make_artifacts, mixed_table

folder = Path(sys.argv[1])
table = mixed_table(251)
table["w"] = [float(i % 3) for i in range(251)]
artifacts = make_artifacts(folder, table, table, weight="w")
plain = {"epochs": 5, "batch_size": 83, "shuffle": True}
several = {"early_stopping_patience": 3, "members": 2, "optimizer": "adamw", "normalize": "robust"}
mixed = several | {"precision": "mixed_bfloat16", "number_bins": 8}
architectures = {case: CrossLayerParams(kernel_regularizer=0.01) for case in ("plain", "several")}
architectures["mixed"] = CrossLayerParams(kernel_regularizer=0.01, structure="parallel", deep_units=(8,))
found = {}
for case, settings in {"plain": plain, "several": plain | several, "mixed": plain | mixed}.items():
    for name, more in {
        "one": {},
        "two": {"strategy": "mirrored"},
        "again": {"strategy": "mirrored"},
        "killed": {"strategy": "mirrored", "checkpoint_every": 2},
        "resumed": {"strategy": "mirrored", "checkpoint_every": 2},
    }.items():
        out = folder / case / name
        out.mkdir(parents=True)
        checkpoints = folder / case / "checkpoints" if "checkpoint_every" in more else None
        model = train_model(
            *artifacts,
            output_dir=out,
            params=TrainerParams(**settings | more),
            model=ModelParams(kind="cross_layer", architecture=architectures[case]),
            checkpoint_dir=checkpoints,
        )
        weights = np.concatenate([weight.ravel() for weight in read_exported(model.serving_path).weights])
        history = json.loads((out / HISTORY_FILE).read_text())
        found[f"{case} {name}"] = {"checksum": model.checksum, "weights": weights.tolist(), "loss": history["loss"]}
print(json.dumps(found))
"""


@pytest.mark.slow
def test_two_devices_train_what_one_does_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    environment = {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}", "PATH": ""}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment, timeout=600)
    found = json.loads(done.stdout.splitlines()[-1])
    # Each device rounds the gradient of its part to bfloat16's 8 bits, and adam's step is the larger the smaller it is.
    for case, weights, losses in (("plain", 2e-5, 1e-4), ("several", 2e-5, 1e-4), ("mixed", 0.05, 0.02)):
        one, two, again, killed, resumed = (
            found[f"{case} {name}"] for name in ("one", "two", "again", "killed", "resumed")
        )
        assert two["weights"] == pytest.approx(one["weights"], abs=weights)
        assert two["loss"] == pytest.approx(one["loss"], rel=losses)
        assert two["checksum"] == again["checksum"] == killed["checksum"] == resumed["checksum"]
        assert (tmp_path / case / "checkpoints" / "checkpoint.npz").exists()
    assert found["mixed two"]["checksum"] != found["mixed one"]["checksum"]
