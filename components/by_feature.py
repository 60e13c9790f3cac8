"""A trained network as its export computes it: feature by feature, `[width, batch]`, with its weights as constants.

Columns come to a server as vectors. Put side by side, `[batch, width]`, as Keras wants them, they cost more to stack,
and biases more to add, than the arithmetic itself; one below the other, the weights stand on the left, `W^T x`. With
three features a cross network takes half the CPU of the Keras graph at one row, and a third at 1,000
(docs/benchmarks.md). The numbers are the same but for the order of sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from components.layers import CrossLayer, Embeddings

# Above, TensorFlow's matrix product with a fused bias and activation, which needs `[batch, width]`, is the faster one.
WIDEST_DENSE = 64
# A larger weight is read from its variable, which stands in the model in any case, for warm starts.
LARGEST_CONSTANT_BYTES = 2**18
_KNOWN = (CrossLayer, Embeddings, tf_keras.layers.Concatenate, tf_keras.layers.Dense, tf_keras.layers.InputLayer)
_ACROSS_FEATURES = ("softmax", "log_softmax")


def gains_by_feature(network: tf_keras.Model) -> bool:
    """Returns whether `by_feature` can compute a network, and faster than Keras does.

    Not `tfrs.layers.dcn.Cross`: the reference is exported as its library computes it.
    """
    for layer in network.layers:
        if not isinstance(layer, _KNOWN) or _activation(layer).__name__ in _ACROSS_FEATURES:
            return False
        if isinstance(layer, tf_keras.layers.Dense) and max(layer.kernel.shape) > WIDEST_DENSE:
            return False
    return True


def by_feature(network: tf_keras.Model, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns what a network of `models.build_network` gives, `[batch]`.

    Args:
      network: One that `gains_by_feature`, trained: later changes of its weights are not seen.
      inputs: Numbers `[numbers, batch]`, then ids `[texts, batch]`, where the network takes them.
    """
    layers = {layer.name: layer for layer in network.layers}
    parts = [_embeddings(layers["embeddings"], part) if part.dtype.is_integer else part for part in inputs]
    x0 = parts[0] if len(parts) == 1 else tf.concat(parts, axis=0)
    cross = x0
    for layer in network.layers:
        if isinstance(layer, CrossLayer):
            cross = _cross(layer, x0, cross)
    is_parallel = "cross_and_deep" in layers
    deep = x0 if is_parallel else cross
    for layer in network.layers:
        if isinstance(layer, tf_keras.layers.Dense) and layer.name != "output":
            deep = _dense(layer, deep)
    output = _dense(layers["output"], tf.concat([cross, deep], axis=0) if is_parallel else deep)
    return tf.squeeze(output, axis=0)


def _cross(layer: CrossLayer, x0: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    product = x
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
    return layer.activation(product + tf.expand_dims(_constant(layer.bias), 1))


def _embeddings(layer: Embeddings, ids: tf.Tensor) -> tf.Tensor:
    columns = tf.unstack(ids, num=len(layer.tables))
    vectors = [tf.gather(_constant(table), i) for table, i in zip(layer.weights_by_feature, columns, strict=True)]
    # A product with the unit matrix: on a CPU, TensorFlow's transpose takes two to five times as long.
    return tf.concat([tf.matmul(tf.eye(v.shape[1], dtype=v.dtype), v, transpose_b=True) for v in vectors], axis=0)


def _activation(layer: Any) -> Any:
    return getattr(layer, "preactivation", None) or getattr(layer, "activation", None) or tf_keras.activations.linear


def _constant(weight: tf.Variable) -> tf.Tensor:
    """Returns a weight as a constant of the graph: each read of a variable costs as much as a small product."""
    if weight.shape.num_elements() * weight.dtype.size > LARGEST_CONSTANT_BYTES:
        return tf.convert_to_tensor(weight)
    with tf.init_scope():  # where the variable has a value; the graph that is being traced has none
        value = weight.numpy()
    return tf.constant(value)
