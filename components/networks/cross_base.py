"""Takes, casts and checks the inputs of every kind of cross layer."""

from __future__ import annotations

import numbers
from typing import Any

import tensorflow as tf
import tf_keras


class CrossBase(tf_keras.layers.Layer):
    """What the cross layers share: inputs, dtypes, initializers, and the config that saves them.

    A subclass makes its weights in `make_weights` and computes in `cross`, which only see inputs that fit.

    Args:
      use_bias: bool, whether the layer adds a bias.
      kernel_initializer: Keras initializer of each kernel.
      bias_initializer: Keras initializer of the bias.
      kernel_regularizer: Keras regularizer of each kernel.
      bias_regularizer: Keras regularizer of the bias.
      **kwargs: Those of a Keras layer.
    """

    def __init__(
        self,
        use_bias: bool = True,
        kernel_initializer: Any = "truncated_normal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.use_bias = use_bias
        self.kernel_initializer = tf_keras.initializers.get(kernel_initializer)
        self.bias_initializer = tf_keras.initializers.get(bias_initializer)
        self.kernel_regularizer = tf_keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = tf_keras.regularizers.get(bias_regularizer)
        self.width: int | None = None
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Makes the weights for inputs of shape `(batch, ..., d)`.

        Raises:
          ValueError: `d` is not known, or the arguments do not fit it.
        """
        if isinstance(input_shape, list | dict) or any(isinstance(size, list | tf.TensorShape) for size in input_shape):
            raise ValueError(
                f"`x0` must be one tensor. Received a {type(input_shape).__name__} of {len(input_shape)}: give the "
                "second tensor as `x`, as in layer(x0, x)."
            )
        shape = tf.TensorShape(input_shape)
        received = None if shape.rank is None else tuple(shape)
        if shape.rank is not None and shape.rank < 2:
            raise ValueError(f"`x0` must be of shape (batch, ..., width). Received shape {received}.")
        if shape.rank is None or shape[-1] is None:
            raise ValueError(f"The last dimension of `x0` must be known. Received shape {received}.")
        self.make_weights(shape[-1])
        self.width = shape[-1]
        super().build(input_shape)

    def make_weights(self, width: int) -> None:
        """Makes the weights for features of `width`."""
        raise NotImplementedError

    def cross(self, x0: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Returns the layer's output for tensors `(batch, ..., width)` of the dtype that it computes in."""
        raise NotImplementedError

    def add_kernel(self, name: str, shape: tuple[int, ...]) -> tf.Variable:
        """Returns a new weight that is drawn by `kernel_initializer`."""
        initializer = self.kernel_initializer
        if hasattr(initializer, "get_config"):  # a fresh one each: one with a seed would otherwise be drawn from twice
            initializer = initializer.__class__.from_config(initializer.get_config())
        return self.add_weight(name, shape, initializer=initializer, regularizer=self.kernel_regularizer)

    def add_bias(self, width: int) -> tf.Variable:
        """Returns a new bias of `width` numbers."""
        return self.add_weight("bias", (width,), initializer=self.bias_initializer, regularizer=self.bias_regularizer)

    def call(self, x0: Any, x: Any = None) -> Any:
        """Returns the cross of `x0` with `x`; see the class."""
        x0 = self._taken("x0", x0)
        x = x0 if x is None else self._taken("x", x)
        if x is not x0:
            _check_pair(x0, x)
        if x0.shape.rank is not None and x0.shape[-1] not in (None, self.width):
            raise ValueError(
                f"`x0` has {x0.shape[-1]} features, but the layer `{self.name}` was built for {self.width}. Received "
                f"shape {tuple(x0.shape)}. Use another layer for inputs of another width."
            )
        if isinstance(x0, tf.RaggedTensor):
            return tf.ragged.map_flat_values(self.cross, x0, x)
        return self.cross(x0, x)

    def _taken(self, name: str, value: Any) -> Any:
        """Returns an input as a tensor, dense or ragged, of the dtype that the layer computes in."""
        if isinstance(value, tf.SparseTensor):
            raise ValueError(f"`{name}` is sparse. Give it as tf.sparse.to_dense({name}).")
        if not isinstance(value, tf.RaggedTensor):
            value = tf.convert_to_tensor(value)
        if not (value.dtype.is_floating or value.dtype.is_integer or value.dtype.is_bool):
            raise ValueError(f"`{name}` must hold numbers. Received {value.dtype.name}.")
        return value if value.dtype == self.compute_dtype else tf.cast(value, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, so that the layer can be cloned and saved."""
        return {
            **super().get_config(),
            "use_bias": self.use_bias,
            "kernel_initializer": tf_keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": tf_keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": tf_keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": tf_keras.regularizers.serialize(self.bias_regularizer),
        }


def _check_pair(x0: Any, x: Any) -> None:
    """Checks that two inputs have the same rows and width."""
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


def product(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns `x` `(batch, ..., m)` times `kernel` `(m, n)`."""
    return tf.matmul(x, kernel) if x.shape.rank == 2 else tf.tensordot(x, kernel, axes=1)


def check_count(name: str, value: Any, hint: str) -> int:
    """Returns a whole number of at least 1.

    Raises:
      ValueError: It is not one; `hint` says what to give instead.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"`{name}` must be a whole number of at least 1. Received {value}. {hint}")
    return int(value)
