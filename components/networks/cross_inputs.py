"""Takes, casts and checks the inputs of cross layers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def one_shape(input_shape: Any) -> tf.TensorShape:
    """Returns the shape of one tensor, by what Keras gives `build`.

    Raises:
      ValueError: It is that of several tensors, or of numbers in a list.
    """
    if isinstance(input_shape, tf.TensorShape) or input_shape is None:
        return tf.TensorShape(input_shape)
    if isinstance(input_shape, int):
        return tf.TensorShape([input_shape])
    if all(size is None or isinstance(size, int) for size in input_shape) and not isinstance(input_shape, dict):
        return tf.TensorShape(input_shape)
    leaves = tf.nest.flatten(input_shape)
    if all(isinstance(leaf, tf.TensorShape) and leaf.rank == 0 for leaf in leaves):
        raise ValueError("`x0` must be a tensor or a NumPy array. Received a list of numbers: give tf.constant(x0).")
    raise ValueError(
        f"`x0` must be one tensor. Received a {type(input_shape).__name__} of {len(input_shape)}: give the second "
        "tensor as `x`, as in layer(x0, x)."
    )


def _with_rows(value: tf.RaggedTensor) -> Any:
    """Returns a ragged tensor of numbers, whose last dimension is uniform, as one of rows; or as a dense tensor."""
    if value.ragged_rank == 1:
        return value.to_tensor(shape=value.shape)
    return value.with_values(_with_rows(value.values))


def check_pair(x0: Any, x: Any) -> None:
    """Checks that two inputs have the same rows and width.

    Raises:
      ValueError: Their shapes differ, or one alone is ragged.
      tf.errors.InvalidArgumentError: Their rows have other lengths.
    """
    if isinstance(x0, tf.RaggedTensor) != isinstance(x, tf.RaggedTensor):
        raise ValueError("`x0` and `x` must both be ragged, or neither. Call to_tensor() on the one that is.")
    if not _fit(x0.shape, x.shape):
        raise ValueError(
            f"`x0` and `x` must have the same shape. Received `x0` of shape {tuple(x0.shape)} and `x` of shape "
            f"{tuple(x.shape)}."
        )
    if isinstance(x0, tf.RaggedTensor):
        for i, (first, second) in enumerate(zip(x0.nested_row_splits, x.nested_row_splits, strict=True)):
            message = f"`x0` and `x` must have rows of the same lengths, but differ in ragged dimension {i + 1}."
            tf.debugging.assert_equal(first, second, message=message)


def _fit(first: tf.TensorShape, second: tf.TensorShape) -> bool:
    """Tells whether two shapes are equal or broadcast to each other, and equal in width; sizes may be unknown."""
    if first.rank is None or second.rank is None:
        return True
    try:
        tf.broadcast_static_shape(first, second)
    except ValueError:
        return False
    return first[-1:].is_compatible_with(second[-1:])


def take(name: str, value: Any, dtype: str) -> Any:
    """Returns an input as a tensor, dense or ragged.

    Args:
      name: What the layer calls it.
      value: A tensor, dense or ragged, or what TensorFlow makes one of.
      dtype: The dtype that the layer computes in.

    Raises:
      ValueError: It is sparse, of Keras 3, or does not hold numbers.
    """
    if isinstance(value, tf.SparseTensor):
        raise ValueError(f"`{name}` is sparse. Give it as tf.sparse.to_dense({name}).")
    if type(value).__name__ == "KerasTensor" and type(value).__module__.startswith("keras."):
        raise ValueError(
            f"`{name}` is a symbolic tensor of Keras 3, and this layer is one of Keras 2, as those of "
            "tensorflow-recommenders are. Make the model with `tf_keras` in place of `keras`."
        )
    if not isinstance(value, tf.RaggedTensor):
        value = tf.convert_to_tensor(value)
    elif value.flat_values.shape.rank == 1:  # its rows have one width, and are kept as if they had not
        value = _with_rows(value)
    if not (value.dtype.is_floating or value.dtype.is_integer or value.dtype.is_bool):
        raise ValueError(f"`{name}` must hold numbers. Received {value.dtype.name}.")
    return value if value.dtype == dtype else tf.cast(value, dtype)
