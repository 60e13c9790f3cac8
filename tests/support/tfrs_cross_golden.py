"""Writes tfrs_cross_golden.json: what the library's own `tfrs.layers.dcn.Cross` computes, in float64.

Tests compare `CrossLayer` with the file, so that they need no tensorflow-recommenders. To write it again:

    PYTHONPATH=.:tests python -m support.tfrs_cross_golden
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from crossnet.components.networks.tfrs_cross import tfrs_cross_class

GOLDEN = Path(__file__).parent / "tfrs_cross_golden.json"
ROWS, WIDTH = 3, 4
CASES: dict[str, tuple[int, dict[str, Any]]] = {  # by name: layers, their arguments
    "full rank": (1, {}),
    "projection_dim": (1, {"projection_dim": 2}),
    "diag_scale": (1, {"diag_scale": 0.5}),
    "preactivation": (1, {"preactivation": "tanh"}),
    "no bias": (1, {"use_bias": False}),
    "all at once": (
        1,
        {"projection_dim": 1, "diag_scale": 0.25, "preactivation": "sigmoid", "use_bias": False},
    ),
    "three layers": (3, {}),
    "three layers of low rank": (3, {"projection_dim": 2, "diag_scale": 0.1, "preactivation": "tanh"}),
}


def stack(layers: list[Any], x0: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Returns the output of stacked cross layers and the gradients of sum(sin(output)): by x0, then by each weight."""
    with tf.GradientTape() as tape:
        tape.watch(x0)
        x = x0
        for layer in layers:
            x = layer(x0, x)
        loss = tf.reduce_sum(tf.sin(x))
    return x, tape.gradient(loss, [x0, *(weight for layer in layers for weight in layer.trainable_weights)])


def golden(seed: int, count: int, arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns one case: arguments, inputs and weights drawn from `seed`, and what the library makes of them."""
    random = np.random.default_rng(seed)
    x0 = tf.constant(random.normal(size=(ROWS, WIDTH)).round(3))
    layers = [tfrs_cross_class()(**arguments, dtype="float64") for _ in range(count)]
    for layer in layers:
        layer(x0)
        layer.set_weights([random.normal(size=weight.shape).round(3) for weight in layer.get_weights()])
    output, gradients = stack(layers, x0)
    return {
        "arguments": arguments,
        "x0": x0.numpy().tolist(),
        "weights": [[weight.tolist() for weight in layer.get_weights()] for layer in layers],
        "output": output.numpy().tolist(),
        "gradients": [gradient.numpy().tolist() for gradient in gradients],
    }


def all_golden() -> dict[str, Any]:
    """Returns every case by name."""
    return {name: golden(seed, *case) for seed, (name, case) in enumerate(CASES.items())}


if __name__ == "__main__":
    text = ",\n".join(f'"{name}": {json.dumps(case)}' for name, case in all_golden().items())
    GOLDEN.write_text(f"{{\n{text}\n}}\n")
