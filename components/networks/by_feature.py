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

from crossnet.components.networks.cross_base import KernelCross
from crossnet.components.networks.cross_gated import CrossGated
from crossnet.components.networks.cross_mix import CrossMix
from crossnet.components.networks.layers import CrossLayer, Embeddings
from crossnet.components.networks.piecewise import PiecewiseLinear

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
    if getattr(layer, "members", None) is not None:  # the rules below are of one network
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
    x = x0 if x is None else x
    return x0 * _factor(layer, x) + x


def _gated(layer: CrossGated, x0: tf.Tensor, x: tf.Tensor | None = None) -> tf.Tensor:
    x = x0 if x is None else x
    return x0 * _factor(layer, x) * tf.sigmoid(_product(layer.kernels("gate"), x)) + x


def _factor(layer: KernelCross, x: tf.Tensor) -> tf.Tensor:
    product = _product(layer.kernels(), x)
    if layer.use_bias:
        product += tf.expand_dims(_constant(layer.bias), 1)
    product = layer.preactivation(product)
    return product + layer.diag_scale * x if layer.diag_scale else product


def _product(kernels: Sequence[tf.Variable], x: tf.Tensor) -> tf.Tensor:
    for kernel in kernels:
        x = tf.matmul(_constant(kernel), x, transpose_a=True)
    return x


def _mix(layer: CrossMix, x0: tf.Tensor, x: tf.Tensor | None = None) -> tf.Tensor:
    x = x0 if x is None else x
    experts, width, rank = layer.kernel_v.shape
    side_by_side = tf.reshape(tf.transpose(_constant(layer.kernel_v), [0, 2, 1]), [experts * rank, width])
    inner = layer.activation(tf.reshape(tf.matmul(side_by_side, x), [experts, rank, -1]))
    inner = layer.activation(tf.matmul(_constant(layer.kernel_c), inner, transpose_a=True))
    if experts > 1:
        logits = tf.matmul(_constant(layer.gate), x, transpose_a=True)
        shares = tf.exp(logits - tf.reduce_max(logits, axis=0))  # tf.nn.softmax would transpose, twice
        inner *= tf.expand_dims(shares / tf.reduce_sum(shares, axis=0), 1)
    inner = tf.reshape(inner, [experts * rank, -1])
    product = tf.matmul(tf.reshape(_constant(layer.kernel_u), [experts * rank, width]), inner, transpose_a=True)
    if layer.use_bias:
        product += tf.expand_dims(_constant(layer.bias), 1)
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


def _piecewise(layer: PiecewiseLinear, numbers: tf.Tensor) -> tf.Tensor:
    outputs = tf.matmul(_constant(layer.kernel), layer.shares(numbers), transpose_a=True)
    return tf.reshape(outputs, [len(layer.embedded) * layer.dim, -1]) + tf.expand_dims(_constant(layer.bias), 1)


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
    CrossGated: _gated,
    CrossMix: _mix,
    tf_keras.layers.Dense: _dense,
    Embeddings: _embeddings,
    PiecewiseLinear: _piecewise,
    tf_keras.layers.Concatenate: _concatenate,
}
