"""Reads off a trained cross layer which inputs it multiplies with which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from crossnet.serving.protocol.dtypes import Array


class CrossWeights(NamedTuple):
    """One cross layer: product = x `kernel` + `bias`, then x0 * (product + `diag_scale` x) + x.

    Attributes:
      kernel: float64 (d, d), [from, to].
      bias: float64 (d,).
      diag_scale: Added to the diagonal.
    """

    kernel: Array
    bias: Array
    diag_scale: float


def cross_layers(weights: Sequence[Array], network: Mapping[str, Any]) -> tuple[list[CrossWeights], list[Array]]:
    """Splits the trained weights of a DCN-v2 network into the cross layers and what follows them.

    Args:
      weights: In the network's order: of each cross layer the kernel (or its factors U, V) and, with `use_bias`, the
        bias; then the output's kernel and bias.
      network: `models.describe` of the network.
    """
    left, layers = list(weights), []
    for _ in range(network["num_layers"]):
        kernel = _kernel(left, network)
        bias = left.pop(0) if network["use_bias"] else np.zeros(kernel.shape[1])
        layers.append(CrossWeights(kernel, bias, network["diag_scale"]))
    return layers, left


def first_layer(weights: Sequence[Array], network: Mapping[str, Any]) -> CrossWeights:
    """Returns the first cross layer of a network; of a gated or mixed one, what it is close to at the mean row.

    There, where every input of the network is 0, each gate is half open and each of the `m` experts counts `1 / m`. The
    kernel returned is the derivative by x of what x0 is multiplied by: `W / 2 + G diag(b) / 4` for
    `(W x + b) sigmoid(G x)`, and the mean of the experts' `V C U`, with tanh'(0) = 1. Other activations than tanh are
    taken for linear.

    Args:
      weights: Those of the first cross layer, in its order, and any that follow.
      network: `models.describe` of the network.
    """
    if network["kind"] == "cross_mix":
        inner, mixing, outer = weights[:3]
        kernel = np.mean(inner @ mixing @ outer, axis=0)
        return CrossWeights(kernel, np.zeros(len(kernel)), 0.0)
    if network["kind"] == "cross_gated":
        left = list(weights)
        kernel = _kernel(left, network)
        bias = left.pop(0) if network["use_bias"] else np.zeros(len(kernel))
        return CrossWeights(kernel / 2 + _kernel(left, network) * bias / 4, bias / 2, network["diag_scale"] / 2)
    return cross_layers(weights, network)[0][0]


def _kernel(left: list[Array], network: Mapping[str, Any]) -> Array:
    """Takes a kernel, or its two factors, from the front of `left`."""
    kernel = left.pop(0)
    return kernel if network["projection_dim"] is None else kernel @ left.pop(0)


def strengths(layer: CrossWeights, widths: Sequence[int]) -> Array:
    """Returns the Frobenius norm of each pair's block of W, float64 (features, features), [from][to].

    Args:
      layer: The first cross layer.
      widths: How many inputs each feature has.

    References:
      Wang et al., 2020, DCN V2, https://arxiv.org/abs/2008.13535, section 7.5 and figure 7.
    """
    kernel = layer.kernel + layer.diag_scale * np.eye(len(layer.kernel))
    starts = np.cumsum([0, *widths[:-1]])
    return np.sqrt(np.add.reduceat(np.add.reduceat(np.square(kernel), starts, axis=0), starts, axis=1))
