"""Defines `PiecewiseLinear`, the embedding of numbers by the bins they fall into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable(package="crossnet")
class PiecewiseLinear(tf_keras.layers.Layer):
    """Embeds each number as a trained piecewise-linear function of it.

    A number x with edges e0 < e1 < ... is encoded as one share per bin, `clip((x - e_b) / (e_b+1 - e_b), 0, 1)`: how
    much of the bin lies below x. A trained linear map per feature turns its shares into `dim` outputs. So an output is
    continuous, bends at the edges alone, and is constant outside them.

    Features with fewer bins than others are padded with bins whose share is always 0, so that one product serves all.

    Args:
      edges: Per number its edges, ascending, at least two; empty for a number that is not embedded.
      dim: Outputs per embedded number.
      members: K, for K networks side by side: each weight gets a leading K. None: one network.

    Attributes:
      kernel: `([K,] embedded, bins, dim)`.
      bias: `([K,] embedded * dim)`.

    Call arguments:
      numbers: `(batch, len(edges))`; with members also `(K, batch, len(edges))`.

    Returns:
      A tensor `([K,] batch, embedded * dim)` of the layer's dtype: all outputs of a number side by side.

    Raises:
      ValueError: No number has edges, edges do not ascend, or a size is below 1.

    References:
      Gorishniy et al., 2022, On Embeddings for Numerical Features in Tabular Deep Learning,
      https://arxiv.org/abs/2203.05556, section 3.2; without the paper's unbounded outer bins, because the network reads
      the numbers themselves too.
    """

    def __init__(self, edges: Sequence[Sequence[float]], dim: int, members: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.edges = tuple(tuple(float(edge) for edge in each) for each in edges)
        self.dim, self.members = int(dim), None if members is None else int(members)
        if self.dim < 1 or (self.members is not None and self.members < 1):
            raise ValueError(f"`dim` and `members` must be at least 1. Received {dim} and {members}.")
        if not any(self.edges):
            raise ValueError("`edges` has none: at least one number must have two edges or more.")
        for place, each in enumerate(self.edges):
            if each and not (len(each) > 1 and (np.diff(each) > 0).all()):
                raise ValueError(f"The edges of number {place} must be two or more that ascend. Received {[*each]}.")
        self.embedded = [place for place, each in enumerate(self.edges) if each]
        self.bins = max(len(each) for each in self.edges) - 1
        self.kernel_initializer = tf_keras.initializers.RandomUniform(-(self.bins**-0.5), self.bins**-0.5)

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""
        width = tf.TensorShape(input_shape)[-1]
        if width != len(self.edges):
            raise ValueError(f"There are edges for {len(self.edges)} numbers. Received {width} in {input_shape}.")
        leading = () if self.members is None else (self.members,)
        shape = (*leading, len(self.embedded), self.bins, self.dim)
        self.kernel = self.add_weight("kernel", shape, initializer=self.kernel_initializer)
        self.bias = self.add_weight("bias", (*leading, len(self.embedded) * self.dim), initializer="zeros")
        super().build(input_shape)

    def shares(self, by_feature: tf.Tensor) -> tf.Tensor:
        """Returns the share of each bin that lies below each number.

        Args:
          by_feature: Numbers `(..., len(edges), batch)`.

        Returns:
          A tensor `(..., embedded, bins, batch)`, from 0 to 1; NaN for NaN.
        """
        slopes = np.zeros((len(self.embedded), self.bins, 1))
        starts = np.zeros((len(self.embedded), self.bins, 1))
        for i, place in enumerate(self.embedded):
            each = np.array(self.edges[place])
            slopes[i, : len(each) - 1, 0] = 1 / np.diff(each)
            starts[i, : len(each) - 1, 0] = each[:-1]
        x = by_feature
        if len(self.embedded) < len(self.edges):
            x = tf.gather(x, self.embedded, axis=-2)
        x = tf.expand_dims(x, -2)
        # The difference first: an edge's share is exactly 0, and no bin is too narrow for it.
        shares = (x - tf.constant(starts, x.dtype)) * tf.constant(slopes, x.dtype)
        return tf.clip_by_value(shares, 0.0, 1.0)

    def call(self, numbers: tf.Tensor) -> tf.Tensor:
        """Returns the embeddings, side by side; see the class."""
        shares = self.shares(tf.linalg.matrix_transpose(numbers))
        if self.members is not None and shares.shape.rank == 3:  # the members share their rows
            shares = tf.expand_dims(shares, 0)
        outputs = tf.matmul(self.kernel, shares, transpose_a=True)  # ([K,] embedded, dim, batch)
        width = len(self.embedded) * self.dim
        if outputs.shape.is_fully_defined():  # as in training: what follows needs no ops that find its shape
            outputs = tf.reshape(outputs, [*outputs.shape[:-3], width, outputs.shape[-1]])
        else:
            shape = tf.shape(outputs)
            outputs = tf.reshape(outputs, tf.concat([shape[:-3], [width, shape[-1]]], 0))
        outputs = tf.linalg.matrix_transpose(outputs)
        outputs.set_shape([*outputs.shape[:-1], width])
        return outputs + (self.bias if self.members is None else tf.expand_dims(self.bias, 1))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, so that the layer can be cloned and saved."""
        return {**super().get_config(), "edges": self.edges, "dim": self.dim, "members": self.members}
