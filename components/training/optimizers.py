"""Updates weights as Keras' optimizers do, with one op per weight.

The ops are TensorFlow's fused kernels. Formulas and constants are those of `tf_keras.optimizers` (Adam, AdamW, Adagrad,
SGD, RMSprop) with default arguments, Adam's decays and epsilon apart; a test compares each with Keras. AdamW has no
kernel of its own: Adam's follows a step of gradient descent on the weights themselves, and a bias does not decay. What
differs by step only, Adam's correction of its first steps, is part of the step size and computed beforehand, so that an
update costs as few ops as possible.
"""

from __future__ import annotations

import functools
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
      name: "adam", "adamw", "adagrad", "rmsprop" or "sgd".
      variables: The weights.
      beta_1, beta_2: Adam's decays of the mean and of the mean square of gradients; Keras' defaults.
      epsilon: Adam's, added to the root of that mean square; Keras' default.
      weight_decay: AdamW's: each update takes this share, times the learning rate, of a weight; Keras' default.
        An array (members,) holds one for each member, the first axis of each variable.

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
        weight_decay: float | npt.NDArray[np.float64] = 0.004,
    ) -> None:
        self.name = name
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.variables = list(variables)
        starts = {
            "adam": (0.0, 0.0),
            "adamw": (0.0, 0.0),
            "adagrad": (ACCUMULATOR + EPSILON,),
            "rmsprop": (0.0, 0.0),
            "sgd": (),
        }[name]
        self.slots = [[tf.Variable(tf.fill(v.shape, tf.cast(start, v.dtype))) for v in variables] for start in starts]

    def step_sizes(self, learning_rates: npt.NDArray[np.float64], first: int) -> npt.NDArray[np.float64]:
        """Returns what `apply` takes for updates `first`, `first + 1`, ... (counted from 0).

        An array (updates,); for "adamw" (updates, 2): Adam's step sizes and the learning rates themselves.
        """
        if self.name not in ("adam", "adamw"):
            return learning_rates
        count = np.arange(first + 1, first + 1 + len(learning_rates), dtype=np.float64)
        sizes = learning_rates * np.sqrt(1 - self.beta_2**count) / (1 - self.beta_1**count)
        return np.stack([sizes, learning_rates], axis=1) if self.name == "adamw" else sizes

    def apply(self, gradients: Sequence[tf.Tensor], step_size: tf.Tensor) -> None:
        """Updates every weight by its gradient."""
        ops = tf.raw_ops
        constant = functools.cache(tf.constant)  # one op of the graph for all weights
        if self.name == "adamw":
            step_size, rate = tf.unstack(step_size)
            self._decay(rate)
        for i, (variable, gradient) in enumerate(zip(self.variables, gradients, strict=True)):
            # An embedding's gradient arrives as rows; zero elsewhere gives Keras' update for all four optimizers.
            gradient = tf.convert_to_tensor(gradient)
            var, slot = variable.handle, [slots[i].handle for slots in self.slots]
            one, zero, epsilon = (constant(value, variable.dtype) for value in (1.0, 0.0, EPSILON))
            if self.name in ("adam", "adamw"):
                ops.ResourceApplyAdam(
                    var=var,
                    m=slot[0],
                    v=slot[1],
                    beta1_power=zero,  # with both powers at zero the kernel's step size is `lr` itself
                    beta2_power=zero,
                    lr=step_size,
                    beta1=constant(self.beta_1, variable.dtype),
                    beta2=constant(self.beta_2, variable.dtype),
                    epsilon=constant(self.epsilon, variable.dtype),
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
                    rho=constant(RHO, variable.dtype),
                    momentum=zero,
                    epsilon=epsilon,
                    grad=gradient,
                )
            else:
                ops.ResourceApplyGradientDescent(var=var, alpha=step_size * one, delta=gradient)

    def _decay(self, rate: tf.Tensor) -> None:
        for variable in self.variables:
            if variable.name.partition(":")[0].endswith("bias"):
                continue
            decay = np.asarray(self.weight_decay, np.float64)
            delta = tf.convert_to_tensor(variable)
            if decay.ndim:
                decay = decay.reshape(-1, *[1] * (variable.shape.rank - 1))
                delta *= tf.constant(decay, variable.dtype)
            alpha = rate if decay.ndim else rate * tf.constant(decay, variable.dtype)
            tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=alpha, delta=delta)
