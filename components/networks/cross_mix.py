"""Defines `CrossMix`, the cross layer of DCN-Mix."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from crossnet.components.networks.cross_base import CrossBase, check_count

MAX_DEFAULT_RANK = 32


@tf_keras.utils.register_keras_serializable(package="crossnet")
class CrossMix(CrossBase):
    """Multiplies features with each other in several ways, and mixes them row by row (DCN-Mix).

    Computes `x0 * (sum_k g_k(x) U_k f(C_k f(V_k' x)) + b) + x`, where `*` is element-wise: each of the experts maps `x`
    to `projection_dim` numbers, mixes these and maps them back, and the gate `g = softmax(x A)` says how much each
    expert counts for a row. A single expert needs no gate and has none.

    Args:
      projection_dim: int >= 1, the inner width `r` of each expert. `None`: half the features' width, at most 32.
      num_experts: int >= 1.
      use_bias: bool, whether to add `b`.
      activation: Keras activation `f`. `None`: linear.
      kernel_initializer: Keras initializer of each expert's `V`, `C` and `U`, and of `A`.
      bias_initializer: Keras initializer of `b`.
      kernel_regularizer: Keras regularizer of `V`, `C`, `U` and `A`.
      bias_regularizer: Keras regularizer of `b`.
      members: K, for K networks side by side: each weight gets a leading K, inputs are `(batch, d)` or `(K, batch, d)`,
        and the output is `(K, batch, d)`. None: one network.

    Attributes:
      kernel_v: `([K,] experts, d, r)`.
      kernel_c: `([K,] experts, r, r)`.
      kernel_u: `([K,] experts, r, d)`.
      gate: `([K,] d, experts)`; not there with one expert.
      bias: `([K,] d)`, where there is one.

    Call arguments:
      x0: The original features, `(batch, ..., d)`; what `CrossLayer` takes.
      x: The output of the layer before, same shape. `None` in the first layer: `x0`.

    Returns:
      A tensor `(batch, ..., d)`, ragged where the inputs are.

    Raises:
      ValueError: `projection_dim` or `num_experts` is out of range, or as `CrossLayer` does.

    Example:
      >>> layer = CrossMix(1, num_experts=2, activation=None, kernel_initializer="ones")
      >>> layer(tf.constant([[1.0, 2.0]])).numpy()
      array([[4., 8.]], dtype=float32)

    References:
      Wang et al., 2020, DCN V2, https://arxiv.org/abs/2008.13535, equations 3 and 4. DeepCTR's `CrossNetMix` shares one
      `A` among its layers; this is one layer, with its own.
    """

    def __init__(
        self,
        projection_dim: int | None = None,
        num_experts: int = 4,
        use_bias: bool = True,
        activation: Any = "tanh",
        kernel_initializer: Any = "truncated_normal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        members: int | None = None,
        **kwargs: Any,
    ) -> None:
        shared = (kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, members)
        super().__init__(use_bias, *shared, **kwargs)
        if projection_dim is not None:
            projection_dim = check_count("projection_dim", projection_dim, "Use None for half the features' width.")
        self.projection_dim = projection_dim
        self.num_experts = check_count("num_experts", num_experts, "Use 1 for no mixture.")
        self.activation = tf_keras.activations.get(activation)

    def make_weights(self, width: int) -> None:
        """Makes `V`, `C` and `U` of all experts, the gate and `b`."""
        experts, rank = self.num_experts, self.projection_dim or min(-(-width // 2), MAX_DEFAULT_RANK)
        self.kernel_v = self.add_kernel("kernel_v", (experts, width, rank))
        self.kernel_c = self.add_kernel("kernel_c", (experts, rank, rank))
        self.kernel_u = self.add_kernel("kernel_u", (experts, rank, width))
        if experts > 1:
            self.gate = self.add_kernel("gate", (width, experts))
        if self.use_bias:
            self.bias = self.add_bias(width)

    def cross(self, x0: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Returns `x0 * (sum_k g_k(x) U_k f(C_k f(V_k' x)) + b) + x`."""
        rows = x if self.members is not None or x.shape.rank == 2 else tf.reshape(x, [-1, self.width])
        inner = self.activation(tf.matmul(tf.expand_dims(rows, -3), self.kernel_v))  # ([K,] experts, batch, r)
        inner = self.activation(tf.matmul(inner, self.kernel_c))
        if self.num_experts > 1:
            shares = tf.nn.softmax(tf.matmul(rows, self.gate))  # ([K,] batch, experts)
            inner *= tf.expand_dims(tf.linalg.matrix_transpose(shares), -1)
        mixed = tf.reduce_sum(tf.matmul(inner, self.kernel_u), axis=-3)
        if rows is not x:
            mixed = tf.reshape(mixed, tf.shape(x))
        # The shares of a row add up to one, so a bias of each expert would be this bias.
        return x0 * self.plus_bias(mixed) + x

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, so that the layer can be cloned and saved."""
        return {
            **super().get_config(),
            "projection_dim": self.projection_dim,
            "num_experts": self.num_experts,
            "activation": tf_keras.activations.serialize(self.activation),
        }
