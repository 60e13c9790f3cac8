"""Computes a trained network feature by feature, as its export does.

Columns come to a server as vectors. To stack them as `[batch, width]`, as Keras wants them, and to add biases to that
costs more than the arithmetic itself. Here they are stacked as `[width, batch]` and multiplied from the left, `W^T x`,
with the weights as constants. With three features a cross network takes half the CPU of Keras' graph at one row, and
under half at 1,000 (benchmarks/export.py). The numbers are the same but for the order of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from crossnet.components.networks.layers import CrossLayer, Embeddings

# Above this width, the matrix product with a fused bias and activation, which needs `[batch, width]`, saves more at
# 1,000 rows than this module does at one.
MAX_DENSE_WIDTH = 256
# A larger weight is read from its variable, which the model holds in any case, for warm starts.
MAX_CONSTANT_BYTES = 2**18
_ACROSS_FEATURES = ("softmax", "log_softmax")


def by_feature(network: tf_keras.Model) -> tf_keras.Model | None:
    """Returns the same network for inputs by feature; None where Keras computes it faster, or a layer has no rule here.

    The reference, `tfrs.layers.dcn.Cross`, is left alone: it is exported as its library computes it.

    Args:
      network: A trained network of `models.build_network`; later changes of its weights are not seen.

    Returns:
      A model of numbers `[numbers, batch]` and ids `[texts, batch]`, as the network takes them, to `[1, batch]`.
    """
    if not all(isinstance(layer, tf_keras.layers.InputLayer) or _is_faster(layer) for layer in network.layers):
        return None
    inputs = [
        tf_keras.Input(batch_shape=(tensor.shape[1], None), dtype=tensor.dtype, name=tensor.name)
        for tensor in network.inputs
    ]
    return tf_keras.models.clone_model(network, input_tensors=inputs, clone_function=_ByFeature)


def _is_faster(layer: tf_keras.layers.Layer) -> bool:
    if type(layer) not in _RULES or _activation(layer).__name__ in _ACROSS_FEATURES:
        return False
    return not isinstance(layer, tf_keras.layers.Dense) or max(layer.kernel.shape) <= MAX_DENSE_WIDTH


def _activation(layer: Any) -> Any:
    return getattr(layer, "preactivation", None) or getattr(layer, "activation", None) or tf_keras.activations.linear


class _ByFeature(tf_keras.layers.Layer):
    """Computes what another layer does, by feature."""

    def __init__(self, layer: tf_keras.layers.Layer) -> None:
        super().__init__(name=layer.name, dtype=layer.dtype)
        self._rule = _RULES[type(layer)]
        self._layer = layer

    def call(self, inputs: Any, x: tf.Tensor | None = None) -> tf.Tensor:
        return self._rule(self._layer, inputs) if x is None else self._rule(self._layer, inputs, x)


def _cross(layer: CrossLayer, x0: tf.Tensor, x: tf.Tensor | None = None) -> tf.Tensor:
    product = x = x0 if x is None else x
    for kernel in [layer.kernel] if layer.projection_dim is None else [layer.kernel_u, layer.kernel_v]:
        product = tf.matmul(_constant(kernel), product, transpose_a=True)
    if layer.use_bias:
        product += tf.expand_dims(_constant(layer.bias), 1)
    product = layer.preactivation(product)
    if layer.diag_scale:
        product += layer.diag_scale * x
    return x0 * product + x


def _dense(layer: tf_keras.layers.Dense, x: tf.Tensor) -> tf.Tensor:
    product = tf.matmul(_constant(layer.kernel), x, transpose_a=True)
    if layer.use_bias:
        product += tf.expand_dims(_constant(layer.bias), 1)
    return layer.activation(product)


def _embeddings(layer: Embeddings, ids: tf.Tensor) -> tf.Tensor:
    columns = tf.unstack(ids, num=len(layer.tables))
    vectors = [tf.gather(_constant(table), i) for table, i in zip(layer.weights_by_feature, columns, strict=True)]
    # A product with the unit matrix: on a CPU, TensorFlow's transpose takes two to five times as long.
    return tf.concat([tf.matmul(tf.eye(v.shape[1], dtype=v.dtype), v, transpose_b=True) for v in vectors], axis=0)


def _concatenate(layer: tf_keras.layers.Concatenate, parts: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.concat(parts, axis=0)


def _constant(weight: tf.Variable) -> tf.Tensor:
    """Returns a weight as a constant of the graph: each read of a variable costs as much as a small product."""
    if weight.shape.num_elements() * weight.dtype.size > MAX_CONSTANT_BYTES:
        return tf.convert_to_tensor(weight)
    with tf.init_scope():  # where the variable has a value; the graph that is being traced has none
        value = weight.numpy()
    return tf.constant(value)


_RULES: dict[type, Callable[..., tf.Tensor]] = {
    CrossLayer: _cross,
    tf_keras.layers.Dense: _dense,
    Embeddings: _embeddings,
    tf_keras.layers.Concatenate: _concatenate,
}
