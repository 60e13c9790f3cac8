"""Defines `MemberDense`, a fully connected layer of several networks side by side."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from crossnet.components.networks.draws import draw


@tf_keras.utils.register_keras_serializable(package="crossnet")
class MemberDense(tf_keras.layers.Layer):
    """Computes `activation(x W + b)` for K networks side by side, each with weights of its own.

    Args:
      units: Outputs of each member.
      members: K.
      activation: Keras activation.
      kernel_initializer: Keras initializer; each member's kernel is drawn on its own.

    Attributes:
      kernel: `(K, m, units)`.
      bias: `(K, units)`.

    Call arguments:
      x: `(K, batch, m)`, or `(batch, m)` where the members share their rows.

    Returns:
      A tensor `(K, batch, units)` of the layer's dtype.
    """

    def __init__(
        self,
        units: int,
        members: int,
        activation: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.members = int(units), int(members)
        self.activation = tf_keras.activations.get(activation)
        self.kernel_initializer = tf_keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Any) -> None:
        """Makes the weights for inputs of width m."""
        shape = (self.members, tf.TensorShape(input_shape)[-1], self.units)
        self.kernel = self.add_weight(
            "kernel", shape, initializer=lambda shape, dtype=None: draw(self.kernel_initializer, shape, dtype)
        )
        self.bias = self.add_weight("bias", (self.members, self.units), initializer="zeros")
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Returns `activation(x W + b)`; see the class."""
        return self.activation(tf.matmul(x, self.kernel) + tf.expand_dims(self.bias, 1))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, so that the layer can be cloned and saved."""
        return {
            **super().get_config(),
            "units": self.units,
            "members": self.members,
            "activation": tf_keras.activations.serialize(self.activation),
            "kernel_initializer": tf_keras.initializers.serialize(self.kernel_initializer),
        }


@tf_keras.utils.register_keras_serializable(package="crossnet")
class JoinMembers(tf_keras.layers.Layer):
    """Puts inputs side by side: those that all members share, and those of each member.

    Args:
      members: K.

    Call arguments:
      parts: Tensors `(batch, m)`, shared, or `(K, batch, m)`.

    Returns:
      A tensor `(K, batch, sum of m)`.
    """

    def __init__(self, members: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.members = int(members)

    def call(self, parts: list[tf.Tensor]) -> tf.Tensor:
        """Returns the parts side by side; see the class."""
        own = [
            tf.tile(tf.expand_dims(part, 0), [self.members, 1, 1]) if part.shape.rank == 2 else part for part in parts
        ]
        return own[0] if len(own) == 1 else tf.concat(own, axis=2)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, so that the layer can be cloned and saved."""
        return {**super().get_config(), "members": self.members}


@tf_keras.utils.register_keras_serializable(package="crossnet")
class MembersLast(tf_keras.layers.Layer):
    """Returns `(batch, K)` of outputs `(K, batch, 1)`, one column per member."""

    def call(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns one column per member; see the class."""
        return tf.transpose(tf.squeeze(outputs, axis=2))
