"""Defines `CrossLayer`, the cross layer of DCN-v2, and `Embeddings` of text features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable(package="crossnet")
class CrossLayer(tf_keras.layers.Layer):
    """Multiplies features with each other; each layer adds one degree (DCN-v2).

    Computes `x0 * (W x + b + diag_scale * x) + x`, where `*` is element-wise. With `projection_dim = r` the kernel is
    the product `W = U V`, which costs `2 d r` weights instead of `d * d`. Arguments, defaults and the order of weights
    are those of `tfrs.layers.dcn.Cross`, so `ours.set_weights(theirs.get_weights())` gives equal outputs; unlike there,
    the weights exist after `build`, and a rank that saves nothing is refused.

    Args:
      projection_dim: int, rank `r` of the kernel, `1 <= r <= d / 2`. `None`: the full kernel.
      diag_scale: float >= 0, added to the diagonal of the kernel.
      use_bias: bool, whether to add `b`.
      preactivation: Keras activation of `W x + b`. `None`: linear.
      kernel_initializer: Keras initializer of `W`, or of `U` and of `V`.
      bias_initializer: Keras initializer of `b`.
      kernel_regularizer: Keras regularizer of `W`, or of `U` and of `V`.
      bias_regularizer: Keras regularizer of `b`.

    Call arguments:
      x0: The original features, `(batch, ..., d)`, of the layer's dtype.
      x: The output of the layer before, same shape. `None` in the first layer: `x0`.

    Returns:
      A tensor `(batch, ..., d)`.

    Raises:
      ValueError: `projection_dim` or `diag_scale` is out of range, or `x0` and `x` differ in width.

    Example:
      >>> layer = CrossLayer(kernel_initializer="ones")
      >>> layer(tf.constant([[0.1, 0.2, 0.3]])).numpy().round(2)
      array([[0.16, 0.32, 0.48]], dtype=float32)

    References:
      Wang et al., 2020, DCN V2, https://arxiv.org/abs/2008.13535, equations 1 and 2.
    """

    def __init__(
        self,
        projection_dim: int | None = None,
        diag_scale: float = 0.0,
        use_bias: bool = True,
        preactivation: Any = None,
        kernel_initializer: Any = "truncated_normal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if projection_dim is not None and projection_dim < 1:
            raise ValueError(
                f"`projection_dim` must be a whole number of at least 1. Received {projection_dim}. "
                "Use None for the full kernel."
            )
        if diag_scale < 0:
            raise ValueError(f"`diag_scale` must not be negative. Received {diag_scale}. Use 0 for no addition.")
        self.projection_dim = projection_dim
        self.diag_scale = diag_scale
        self.use_bias = use_bias
        self.preactivation = tf_keras.activations.get(preactivation)
        self.kernel_initializer = tf_keras.initializers.get(kernel_initializer)
        self.bias_initializer = tf_keras.initializers.get(bias_initializer)
        self.kernel_regularizer = tf_keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = tf_keras.regularizers.get(bias_regularizer)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Makes the weights for inputs of shape `(batch, ..., d)`."""
        width = tf.TensorShape(input_shape)[-1]
        if width is None:
            raise ValueError(f"The last dimension of `x0` must be known. Received shape {tuple(input_shape)}.")
        if reason := projection_problem(self.projection_dim, width):
            raise ValueError(reason)
        if self.projection_dim is None:
            self.kernel = self._add_kernel("kernel", (width, width))
        else:
            self.kernel_u = self._add_kernel("kernel_u", (width, self.projection_dim))
            self.kernel_v = self._add_kernel("kernel_v", (self.projection_dim, width))
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (width,), initializer=self.bias_initializer, regularizer=self.bias_regularizer
            )
        super().build(input_shape)

    def _add_kernel(self, name: str, shape: tuple[int, int]) -> tf.Variable:
        # A fresh initializer each: one with a seed would otherwise be drawn from twice.
        initializer = self.kernel_initializer.__class__.from_config(self.kernel_initializer.get_config())
        return self.add_weight(name, shape, initializer=initializer, regularizer=self.kernel_regularizer)

    def call(self, x0: tf.Tensor, x: tf.Tensor | None = None) -> tf.Tensor:
        """Returns the cross of `x0` with `x`; see the class."""
        x = x0 if x is None else x
        if x0.shape[-1] != x.shape[-1]:
            raise ValueError(
                f"`x0` and `x` must have the same last dimension. Received `x0` of shape {tuple(x0.shape)} and `x` "
                f"of shape {tuple(x.shape)}."
            )
        product = x
        for kernel in [self.kernel] if self.projection_dim is None else [self.kernel_u, self.kernel_v]:
            product = tf.tensordot(product, kernel, axes=1) if x.shape.rank > 2 else tf.matmul(product, kernel)
        if self.use_bias:
            product += self.bias
        product = self.preactivation(product)
        if self.diag_scale:
            product += self.diag_scale * x
        return x0 * product + x

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, so that the layer can be cloned and saved."""
        return {
            **super().get_config(),
            "projection_dim": self.projection_dim,
            "diag_scale": self.diag_scale,
            "use_bias": self.use_bias,
            "preactivation": tf_keras.activations.serialize(self.preactivation),
            "kernel_initializer": tf_keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": tf_keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": tf_keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": tf_keras.regularizers.serialize(self.bias_regularizer),
        }


def projection_problem(projection_dim: int | None, width: int) -> str:
    """Returns why a kernel of this rank makes no sense for features of this width; "" where it does."""
    if projection_dim is None or 1 <= projection_dim <= width / 2:
        return ""
    if projection_dim < 1:
        reason, hint = "must be at least 1", "the full kernel"
    else:
        full, low = width * width, 2 * width * projection_dim
        reason = f"must be at most half the features' width, or U V costs more than W ({low} weights against {full})"
        hint = "the full kernel" if width < 2 else f"the full kernel, or {max(1, width // 4)} for a small one"
    return f"`projection_dim` {reason}. Received {projection_dim} for features of width {width}. Use none for {hint}."


@tf_keras.utils.register_keras_serializable(package="crossnet")
class Embeddings(tf_keras.layers.Layer):
    """Looks up a trained vector per text feature and puts them side by side.

    Args:
      tables: Rows and width of each feature's table.
      members: K, for K networks side by side: each table is `(K, rows, width)`. None: one network.

    Call arguments:
      ids: int64 `(batch, len(tables))`, each below its table's rows; with members also `(K, batch, len(tables))`.

    Returns:
      A tensor `([K,] batch, sum of widths)` of the layer's dtype.
    """

    def __init__(self, tables: Sequence[tuple[int, int]], members: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tables = [(int(rows), int(width)) for rows, width in tables]
        self.members = None if members is None else int(members)
        self.kernel_initializer = tf_keras.initializers.get("uniform")

    def build(self, input_shape: Any) -> None:
        """Makes one table per feature."""
        leading = () if self.members is None else (self.members,)
        self.weights_by_feature = [
            self.add_weight(f"table_{i}", (*leading, *shape), initializer=tf_keras.initializers.get("uniform"))
            for i, shape in enumerate(self.tables)
        ]
        super().build(input_shape)

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the vectors, side by side; see the class."""
        columns = tf.unstack(ids, num=len(self.tables), axis=-1)
        pairs = zip(self.weights_by_feature, columns, strict=True)
        if self.members is None:
            return tf.concat([tf.gather(table, column) for table, column in pairs], axis=1)
        own = ids.shape.rank - 2  # rows of their own come member by member, as the tables do
        return tf.concat([tf.gather(table, column, axis=1, batch_dims=own) for table, column in pairs], axis=2)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, so that the layer can be cloned and saved."""
        return {**super().get_config(), "tables": self.tables, "members": self.members}
