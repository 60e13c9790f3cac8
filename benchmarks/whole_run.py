"""Measures the whole pipeline beside a plain script with the same models."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row, cost

# The article's steps in the words of Keras' own tutorial: no files, no checks, no export, no server.
SCRIPT = """
import crossnet.components  # chooses Keras 2
import numpy as np, tensorflow as tf, tf_keras as keras, tensorflow_recommenders as tfrs
x = (np.random.RandomState(42).randint(200, size=[100_000, 3]) / 200).astype("float32")
y = x[:, 0] ** 2 + x[:, 0] * x[:, 1] + x[:, 1] * x[:, 2] + x[:, 2] ** 2
dense = [keras.layers.Dense(3, "relu") for _ in range(3)]
for layers in ([tfrs.layers.dcn.Cross()], dense):
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adagrad(0.4), "mse")
    model.fit(x[:90_000], y[:90_000], batch_size=1000, epochs=100, shuffle=False, verbose=0)
    print(model.evaluate(x[90_000:], y[90_000:], batch_size=1000, verbose=0) ** 0.5)
"""


def _cost(*command: str) -> float:
    return cost(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True))


def rows() -> Iterator[Row]:
    """Yields the CPU seconds of `crossnet run --config article` with two models, then of the unchanged run."""
    with tempfile.TemporaryDirectory() as folder:
        run = (sys.executable, "-m", "crossnet", "run", "--config", "article", "--root", str(Path(folder) / "root"))
        two = ("--set", 'models=["cross_layer", "dense"]')
        script = _cost(sys.executable, "-c", SCRIPT)
        for case in ("first run", "unchanged run"):
            ours = _cost(*run, *two)
            yield Row("whole_run", case, ours, script, "CPU s", ours / script, alternative="plain Keras script")
