"""Draws the first values of weights that hold several matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def draw(initializer: Any, shape: Sequence[int], dtype: Any) -> tf.Tensor:
    """Returns a weight's first values; each of its matrices, the last two axes, is drawn on its own.

    So the spread is that of one matrix: Keras would count the axes before it as a convolution's. An initializer with a
    seed gets the next seed for each next matrix, so that no two are equal.

    Args:
      initializer: A Keras initializer, or a function of shape and dtype.
      shape: Of the weight.
      dtype: Of the weight.
    """
    if len(shape) < 3:
        return initializer(shape, dtype=dtype)
    config = initializer.get_config() if hasattr(initializer, "get_config") else None
    matrices = []
    for i in range(math.prod(shape[:-2])):
        if config is not None:  # a fresh one each: one with a seed gives the same values each time
            seed = {"seed": config["seed"] + i} if config.get("seed") is not None else {}
            initializer = initializer.__class__.from_config(config | seed)
        matrices.append(initializer(shape[-2:], dtype=dtype))
    return tf.reshape(tf.stack(matrices), shape)
