"""Defines `CrossLayer`, the cross layer of DCN-v2, and `Embeddings` of text features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from crossnet.components.networks.cross_base import KernelCross, projection_problem


@tf_keras.utils.register_keras_serializable(package="crossnet")
class CrossLayer(KernelCross):
    """Multiplies features with each other; each layer adds one degree (DCN-v2).

    Computes `x0 * (W x + b + diag_scale * x) + x`, where `*` is element-wise. With `projection_dim = r` the kernel is
    the product `W = U V`, which costs `2 d r` weights instead of `d * d`. Arguments, defaults and the order of weights
    are those of `tfrs.layers.dcn.Cross`, so `ours.set_weights(theirs.get_weights())` gives equal outputs; unlike there,
    the weights exist after `build`, and a rank that saves nothing is refused (`from_weights` takes such weights). Like
    that one it is a layer of Keras 2: models are made with `tf_keras`.

    Args:
      projection_dim: int, rank `r` of the kernel, `1 <= r <= d / 2`. `None`: the full kernel.
      diag_scale: float >= 0, added to the diagonal of the kernel. `None`: 0.
      use_bias: bool, whether to add `b`.
      preactivation: Keras activation of `W x + b`. `None`: linear.
      kernel_initializer: Keras initializer of `W`, or of `U` and of `V`. `None`: Glorot's, as in Keras' own layers.
      bias_initializer: Keras initializer of `b`.
      kernel_regularizer: Keras regularizer of `W`, or of `U` and of `V`.
      bias_regularizer: Keras regularizer of `b`.
      members: K, for K networks side by side: each weight gets a leading K, inputs are `(batch, d)` or `(K, batch, d)`,
        and the output is `(K, batch, d)`. None: one network.

    Call arguments:
      x0: The original features, `(batch, ..., d)`: a tensor, dense or ragged (but not in the last dimension), or a
        NumPy array. Numbers of every real dtype are cast to the one that the layer computes in.
      x: The output of the layer before, same shape. `None` in the first layer: `x0`.

    Returns:
      A tensor `(batch, ..., d)`, ragged where the inputs are.

    Raises:
      ValueError: `projection_dim` or `diag_scale` is out of range, `x0` and `x` differ in shape, or their width is not
        the one that the layer was built for.

    Example:
      >>> layer = CrossLayer(kernel_initializer="ones")
      >>> layer(tf.constant([[0.1, 0.2, 0.3]])).numpy().round(2)
      array([[0.16, 0.32, 0.48]], dtype=float32)

    References:
      Wang et al., 2020, DCN V2, https://arxiv.org/abs/2008.13535, equations 1 and 2.
    """

    @classmethod
    def from_weights(cls, weights: Sequence[Any], **arguments: Any) -> CrossLayer:
        """Returns a layer that has the weights of another DCN-v2 layer, of whatever rank.

        `projection_dim` and `use_bias` are those of the weights, but for a rank above `d / 2`: `U` and `V` are then
        multiplied, and the full kernel gives the same outputs (up to rounding) for fewer weights.

        Args:
          weights: As `tfrs.layers.dcn.Cross.get_weights()` gives them: `W` `(d, d)`, or `U` `(d, r)` and `V` `(r, d)`,
            then `b` `(d,)`, where there is one.
          **arguments: The other arguments of the layer, such as `preactivation`.

        Raises:
          ValueError: The weights are not those of such a layer.

        Example:
          >>> ones = np.ones((3, 2), np.float32)
          >>> CrossLayer.from_weights([ones, ones.T])(np.ones((1, 3), np.float32)).numpy()
          array([[7., 7., 7.]], dtype=float32)
        """
        arrays = [np.asarray(weight) for weight in weights]
        shapes = [array.shape for array in arrays]
        kernels = [array for array in arrays if array.ndim == 2]
        width = shapes[0][0] if kernels and arrays[0].ndim == 2 else 0
        rank = shapes[0][1] if len(kernels) == 2 else None
        expected = [(width, width)] if rank is None else [(width, rank), (rank, width)]
        use_bias = len(arrays) > len(kernels)
        if not width or shapes != expected + [(width,)] * use_bias:
            raise ValueError(
                "`weights` must be W (d, d), or U (d, r) and V (r, d), then b (d,) where there is one. "
                f"Received shapes {', '.join(map(str, shapes)) or 'of none'}."
            )
        if projection_problem(rank, width):
            kernels, rank = [kernels[0] @ kernels[1]], None
        layer = cls(projection_dim=rank, use_bias=use_bias, **arguments)
        layer.build((None, width))
        layer.set_weights([*kernels, *arrays[-1:]] if use_bias else kernels)
        return layer

    def cross(self, x0: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Returns `x0 * (W x + b + diag_scale * x) + x`."""
        return x0 * self.factor(x) + x


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
