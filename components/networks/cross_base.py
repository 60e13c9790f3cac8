"""Makes the weights of cross layers, and computes with inputs that fit."""

from __future__ import annotations

import math
import numbers
from typing import Any

import tensorflow as tf
import tf_keras

from crossnet.components.networks.cross_inputs import check_pair, one_shape, take
from crossnet.components.networks.draws import draw


class CrossBase(tf_keras.layers.Layer):
    """What the cross layers share: inputs, dtypes, initializers, members, and the config that saves them.

    A subclass makes its weights in `make_weights` and computes in `cross`, which only see inputs that fit.

    Args:
      use_bias: bool, whether the layer adds a bias.
      kernel_initializer: Keras initializer of each kernel.
      bias_initializer: Keras initializer of the bias.
      kernel_regularizer: Keras regularizer of each kernel.
      bias_regularizer: Keras regularizer of the bias.
      members: K, for K networks side by side: each weight gets a leading K, inputs are `(batch, d)` or `(K, batch, d)`,
        and the output is `(K, batch, d)`. None: one network.
      **kwargs: Those of a Keras layer.
    """

    def __init__(
        self,
        use_bias: bool = True,
        kernel_initializer: Any = "truncated_normal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        members: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.use_bias = use_bias
        self.kernel_initializer = tf_keras.initializers.get(kernel_initializer)
        self.bias_initializer = tf_keras.initializers.get(bias_initializer)
        self.kernel_regularizer = tf_keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = tf_keras.regularizers.get(bias_regularizer)
        self.members = None if members is None else check_count("members", members, "Use None for one network.")
        self.width: int | None = None
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Makes the weights for inputs of shape `(batch, ..., d)`.

        Raises:
          ValueError: `d` is not known, or the arguments do not fit it.
        """
        shape = one_shape(input_shape)
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
        """Returns a new weight, a matrix or several, that is drawn by `kernel_initializer`."""
        initializer = self.kernel_initializer or tf_keras.initializers.get("glorot_uniform")  # as Keras' own layers
        if hasattr(initializer, "get_config"):  # a fresh one each: one with a seed would otherwise be drawn from twice
            initializer = initializer.__class__.from_config(initializer.get_config())
        return self.add_weight(
            name,
            (*self._leading, *shape),
            initializer=lambda shape, dtype=None: draw(initializer, shape, dtype),
            regularizer=self.kernel_regularizer,
        )

    def add_bias(self, width: int) -> tf.Variable:
        """Returns a new bias of `width` numbers."""
        shape = (*self._leading, width)
        return self.add_weight("bias", shape, initializer=self.bias_initializer, regularizer=self.bias_regularizer)

    @property
    def _leading(self) -> tuple[int, ...]:
        return () if self.members is None else (self.members,)

    def plus_bias(self, x: tf.Tensor) -> tf.Tensor:
        """Returns `x` `([K,] batch, ..., d)` plus the bias, where there is one."""
        if not self.use_bias:
            return x
        return x + (self.bias if self.members is None else tf.expand_dims(self.bias, 1))

    def call(self, x0: Any, x: Any = None) -> Any:
        """Returns the cross of `x0` with `x`; see the class."""
        x0 = take("x0", x0, self.compute_dtype)
        x = x0 if x is None else take("x", x, self.compute_dtype)
        if x is not x0:
            check_pair(x0, x)
        if x0.shape.rank is not None and x0.shape[-1] not in (None, self.width):
            raise ValueError(
                f"`x0` has {x0.shape[-1]} features, but the layer `{self.name}` was built for {self.width}. Received "
                f"shape {tuple(x0.shape)}. Use another layer for inputs of another width."
            )
        if self.members is not None:
            self._check_members(x0, x)
        if isinstance(x0, tf.RaggedTensor):
            return tf.ragged.map_flat_values(self.cross, x0, x)
        return self.cross(x0, x)

    def _check_members(self, x0: Any, x: Any) -> None:
        """Checks that each member gets rows of its own, or all of them the same."""
        for name, value in (("x0", x0), ("x", x)):
            shape = value.shape
            if isinstance(value, tf.RaggedTensor) or shape.rank not in (2, 3):
                raise ValueError(f"With `members`, `{name}` must be (batch, d) or (members, batch, d), and not ragged.")
            if shape.rank == 3 and shape[0] not in (None, self.members):
                raise ValueError(
                    f"`{name}` has rows for {shape[0]} members, but the layer `{self.name}` has {self.members}. "
                    f"Received shape {tuple(shape)}."
                )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, so that the layer can be cloned and saved."""
        return {
            **super().get_config(),
            "use_bias": self.use_bias,
            "kernel_initializer": tf_keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": tf_keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": tf_keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": tf_keras.regularizers.serialize(self.bias_regularizer),
            "members": self.members,
        }


class KernelCross(CrossBase):
    """A cross layer that multiplies `x0` by what one kernel makes of `x`: `W x + b + diag_scale * x`.

    Args:
      projection_dim: int, rank `r` of the kernel, `1 <= r <= d / 2`. `None`: the full kernel.
      diag_scale: float >= 0, added to the diagonal of the kernel. `None`: 0.
      use_bias: bool, whether to add `b`.
      preactivation: Keras activation of `W x + b`. `None`: linear.
      kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, members, **kwargs: See `CrossBase`.
    """

    def __init__(
        self,
        projection_dim: int | None = None,
        diag_scale: float | None = 0.0,
        use_bias: bool = True,
        preactivation: Any = None,
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
            projection_dim = check_count("projection_dim", projection_dim, "Use None for the full kernel.")
        check_scale(diag_scale)
        self.projection_dim = projection_dim
        self.diag_scale = diag_scale
        self.preactivation = tf_keras.activations.get(preactivation)

    def make_weights(self, width: int) -> None:
        """Makes `W`, or `U` and `V`, then `b`."""
        if reason := projection_problem(self.projection_dim, width):
            raise ValueError(reason)
        self.add_kernels("kernel", width)
        if self.use_bias:
            self.bias = self.add_bias(width)

    def add_kernels(self, name: str, width: int) -> None:
        """Makes the attribute `name`, a new full kernel, or `name_u` and `name_v`, its factors."""
        if self.projection_dim is None:
            setattr(self, name, self.add_kernel(name, (width, width)))
        else:
            setattr(self, f"{name}_u", self.add_kernel(f"{name}_u", (width, self.projection_dim)))
            setattr(self, f"{name}_v", self.add_kernel(f"{name}_v", (self.projection_dim, width)))

    def kernels(self, name: str = "kernel") -> list[tf.Variable]:
        """Returns a kernel, or its factors in the order in which `x` is multiplied by them."""
        names = [name] if self.projection_dim is None else [f"{name}_u", f"{name}_v"]
        return [getattr(self, each) for each in names]

    def factor(self, x: tf.Tensor) -> tf.Tensor:
        """Returns what `x0` is multiplied by."""
        mixed = self.preactivation(self.plus_bias(product(x, *self.kernels())))
        return mixed + self.diag_scale * x if self.diag_scale else mixed

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, so that the layer can be cloned and saved."""
        return {
            **super().get_config(),
            "projection_dim": self.projection_dim,
            "diag_scale": self.diag_scale,
            "preactivation": tf_keras.activations.serialize(self.preactivation),
        }


def product(x: tf.Tensor, *kernels: tf.Tensor) -> tf.Tensor:
    """Returns `x` times each kernel in turn: `(batch, ..., m)` by `(m, n)`, or `([K,] batch, m)` by `(K, m, n)`."""
    for kernel in kernels:
        batched = x.shape.rank == 2 or kernel.shape.rank > 2
        x = tf.matmul(x, kernel) if batched else tf.tensordot(x, kernel, axes=1)
    return x


def check_count(name: str, value: Any, hint: str) -> int:
    """Returns a whole number of at least 1.

    Raises:
      ValueError: It is not one; `hint` says what to give instead.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"`{name}` must be a whole number of at least 1. Received {value}. {hint}")
    return int(value)


def check_scale(diag_scale: Any) -> None:
    """Checks what is added to the diagonal of a kernel.

    Raises:
      ValueError: It is neither None nor a finite number of at least 0.
    """
    is_number = isinstance(diag_scale, numbers.Real) and not isinstance(diag_scale, bool)
    if diag_scale is not None and not (is_number and 0 <= diag_scale < math.inf):
        raise ValueError(
            f"`diag_scale` must be a number, and not negative. Received {diag_scale!r}. Use 0 for no addition."
        )


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
