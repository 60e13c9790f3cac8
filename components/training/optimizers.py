"""Updates weights as Keras' optimizers do, with one op per weight.

The ops are TensorFlow's fused kernels. Formulas and constants are those of `tf_keras.optimizers` (Adam, Adagrad, SGD,
RMSprop) with default arguments, Adam's decays and epsilon apart; a test compares each with Keras. What differs by step
only, Adam's correction of its first steps, is part of the step size and computed beforehand, so that an update costs as
few ops as possible.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

# Keras' defaults.
EPSILON = 1e-7
ACCUMULATOR = 0.1  # Adagrad: where the sum of squares starts
RHO = 0.9  # RMSprop: decay of the mean square of gradients


class Optimizer:
    """Updates weights in place.

    Args:
      name: "adam", "adagrad", "rmsprop" or "sgd".
      variables: The weights.
      beta_1, beta_2: Adam's decays of the mean and of the mean square of gradients; Keras' defaults.
      epsilon: Adam's, added to the root of that mean square; Keras' default.

    Attributes:
      slots: What the optimizer remembers of each weight: lists parallel to `variables`.
    """

    def __init__(
        self,
        name: str,
        variables: Sequence[tf.Variable],
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = EPSILON,
    ) -> None:
        self.name = name
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.variables = list(variables)
        starts = {"adam": (0.0, 0.0), "adagrad": (ACCUMULATOR + EPSILON,), "rmsprop": (0.0, 0.0), "sgd": ()}[name]
        self.slots = [[tf.Variable(tf.fill(v.shape, tf.cast(start, v.dtype))) for v in variables] for start in starts]

    def step_sizes(self, learning_rates: npt.NDArray[np.float64], first: int) -> npt.NDArray[np.float64]:
        """Returns what `apply` takes for updates `first`, `first + 1`, ... (counted from 0)."""
        if self.name != "adam":
            return learning_rates
        count = np.arange(first + 1, first + 1 + len(learning_rates), dtype=np.float64)
        return learning_rates * np.sqrt(1 - self.beta_2**count) / (1 - self.beta_1**count)

    def apply(self, gradients: Sequence[tf.Tensor], step_size: tf.Tensor) -> None:
        """Updates every weight by its gradient."""
        ops = tf.raw_ops
        for i, (variable, gradient) in enumerate(zip(self.variables, gradients, strict=True)):
            # An embedding's gradient arrives as rows; zero elsewhere gives Keras' update for all four optimizers.
            gradient = tf.convert_to_tensor(gradient)
            var, slot = variable.handle, [slots[i].handle for slots in self.slots]
            one, zero, epsilon = (tf.constant(value, variable.dtype) for value in (1.0, 0.0, EPSILON))
            if self.name == "adam":
                ops.ResourceApplyAdam(
                    var=var,
                    m=slot[0],
                    v=slot[1],
                    beta1_power=zero,  # with both powers at zero the kernel's step size is `lr` itself
                    beta2_power=zero,
                    lr=step_size,
                    beta1=tf.constant(self.beta_1, variable.dtype),
                    beta2=tf.constant(self.beta_2, variable.dtype),
                    epsilon=tf.constant(self.epsilon, variable.dtype),
                    grad=gradient,
                )
            elif self.name == "adagrad":
                # Keras divides by sqrt(sum + epsilon), the kernel by sqrt(sum) + epsilon: epsilon is in the sum.
                ops.ResourceApplyAdagradV2(var=var, accum=slot[0], lr=step_size, epsilon=zero, grad=gradient)
            elif self.name == "rmsprop":
                ops.ResourceApplyRMSProp(
                    var=var,
                    ms=slot[0],
                    mom=slot[1],
                    lr=step_size,
                    rho=tf.constant(RHO, variable.dtype),
                    momentum=zero,
                    epsilon=epsilon,
                    grad=gradient,
                )
            else:
                ops.ResourceApplyGradientDescent(var=var, alpha=step_size * one, delta=gradient)
