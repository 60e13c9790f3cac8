"""Defines `CrossGated`, the gated cross layer of GDCN."""

from __future__ import annotations

import tensorflow as tf
import tf_keras

from crossnet.components.networks.cross_base import KernelCross, product


@tf_keras.utils.register_keras_serializable(package="crossnet")
class CrossGated(KernelCross):
    """Multiplies features with each other, and lets each product through as far as a gate says (GDCN).

    Computes `x0 * (W x + b + diag_scale * x) * sigmoid(G x) + x`, where `*` is element-wise: a `CrossLayer` whose
    products are weighted by the row itself. The gate has no bias, and the rank of `W`.

    Args:
      projection_dim: int, rank `r` of `W` and of `G`, `1 <= r <= d / 2`. `None`: full kernels.
      diag_scale: float >= 0, added to the diagonal of `W`. `None`: 0.
      use_bias: bool, whether to add `b`.
      preactivation: Keras activation of `W x + b`. `None`: linear.
      kernel_initializer: Keras initializer of `W` and `G`, or of their factors.
      bias_initializer: Keras initializer of `b`.
      kernel_regularizer: Keras regularizer of `W` and `G`, or of their factors.
      bias_regularizer: Keras regularizer of `b`.
      members: K, for K networks side by side: each weight gets a leading K, inputs are `(batch, d)` or `(K, batch, d)`,
        and the output is `(K, batch, d)`. None: one network.

    Call arguments:
      x0: The original features, `(batch, ..., d)`; what `CrossLayer` takes.
      x: The output of the layer before, same shape. `None` in the first layer: `x0`.

    Returns:
      A tensor `(batch, ..., d)`, ragged where the inputs are.

    Raises:
      ValueError: As `CrossLayer` does.

    Example:
      >>> layer = CrossGated(kernel_initializer="zeros", bias_initializer="ones")
      >>> layer(tf.constant([[2.0, 4.0]])).numpy()
      array([[3., 6.]], dtype=float32)

    References:
      Wang et al., 2023, Towards Deeper, Lighter and Interpretable Cross Network for CTR Prediction,
      https://arxiv.org/abs/2311.04635, equation 2; without its gate's bias, as FuxiCTR has it.
    """

    def make_weights(self, width: int) -> None:
        """Makes `W` and `b`, then `G`."""
        super().make_weights(width)
        self.add_kernels("gate", width)

    def cross(self, x0: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Returns `x0 * (W x + b + diag_scale * x) * sigmoid(G x) + x`."""
        return x0 * self.factor(x) * tf.sigmoid(product(x, *self.kernels("gate"))) + x
