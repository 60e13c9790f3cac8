"""Says what a cross network has learned, as a polynomial of features.

A cross layer computes `x0 * (W x + b) + x`, one degree more than x. So a cross network on numbers, with its
normalisation before and after it, is a polynomial, and its coefficients, in the units of the table, say which products
of features the label depends on. Where that cannot be multiplied out (text, deep layers, activations, gates, features
that may be missing), the norms of the blocks of W say which pairs of features are crossed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.evaluation.crossings import CrossWeights, cross_layers, first_layer, strengths
from crossnet.components.formats import product
from crossnet.components.params.networks import ARCHITECTURES, CrossParams, DenseParams
from crossnet.serving.protocol.dtypes import Array

Polynomial = dict[tuple[int, ...], float]  # sorted places of the factors -> coefficient; () is the constant

# The built-in synthetic label, by names of factors.
SYNTHETIC_TRUTH: Mapping[tuple[str, ...], float] = {
    ("x0", "x0"): 1.0,
    ("x0", "x1"): 1.0,
    ("x1", "x2"): 1.0,
    ("x2", "x2"): 1.0,
}
# More terms than this explain nothing, and take long.
MAX_TERMS = 5_000
# A formula shows the terms that matter more than this share of the largest, at the spread of the features.
SHOWN_SHARE = 1e-3


def explain(model: Model, truth: Mapping[tuple[str, ...], float] | None = None) -> dict[str, Any] | None:
    """Returns what the model has learned, as JSON values; None where its weights say nothing about features.

    Args:
      model: A cross network; of others the answer is None.
      truth: Known coefficients by factors, such as `SYNTHETIC_TRUTH`.

    Returns:
      `features`: names by place; `strengths`: norm of the first layer's block of W by pair of features, [from][to].
      For a polynomial also `formula`; `terms`: {factors, coefficient, and with a truth also truth and error} by degree;
      `interactions`: the coefficients of second degree as a symmetric matrix; with a truth `max_error`.
    """
    from crossnet.components.networks.export import TRAINING_FILE
    from crossnet.components.networks.exported import read_exported

    if not (model.serving_path / TRAINING_FILE).is_file():
        return None
    exported = read_exported(model.serving_path)
    network, preprocessing = exported.network, exported.preprocessing
    if not issubclass(ARCHITECTURES.get(network["kind"], DenseParams), CrossParams):
        return None
    # Keras orders weights by depth: a parallel tower's first layer comes before the cross layers.
    weights = [
        weight.astype(np.float64)
        for weight, layer in zip(exported.weights, network["layers"], strict=True)
        if layer.startswith("cross_") or layer == "output"
    ]
    if weights[-2].ndim > 2:  # the output's kernel: several networks stand side by side
        return None
    first = first_layer(weights, network)
    names = [*preprocessing.number_names, *(column.name for column in preprocessing.categories)]
    widths = [1] * len(preprocessing.number_names) + [column.dim for column in preprocessing.categories]
    if first.kernel.shape != (sum(widths), sum(widths)):  # numbers are embedded
        return None
    found: dict[str, Any] = {"features": names, "strengths": strengths(first, widths).tolist()}
    simple = (
        network["kind"] in ("cross_layer", "tfrs_cross")
        and network["structure"] == "cross"
        and network["preactivation"] == "linear"
        and not (preprocessing.categories or preprocessing.clip or preprocessing.label_range)
    )
    terms = math.comb(len(names) + network["num_layers"] + 1, network["num_layers"] + 1)
    if (
        not simple
        or any(not column.required or column.is_clock for column in preprocessing.numbers)
        or terms > MAX_TERMS
    ):
        return found
    scales = [(column.mean, column.scale) for column in preprocessing.numbers]
    layers, rest = cross_layers(weights, network)
    head, constant = rest[0][:, 0], float(rest[1][0])
    raw = expand(layers, head, constant, scales)
    polynomial = {factors: value * preprocessing.label_scale for factors, value in raw.items()}
    polynomial[()] = polynomial.get((), 0.0) + preprocessing.label_mean
    sizes = [math.hypot(mean, scale) for mean, scale in scales]
    return found | _explanation(polynomial, names, sizes, truth)


def known_truth(examples: Examples) -> Mapping[tuple[str, ...], float] | None:
    """Returns the coefficients behind the built-in synthetic table, None for any other."""
    return SYNTHETIC_TRUTH if examples.properties.get("source") == "synthetic" else None


def expand(
    layers: Sequence[CrossWeights], head: Array, constant: float, scales: Sequence[tuple[float, float]]
) -> Polynomial:
    """Multiplies a cross network out.

    Args:
      layers: The cross layers.
      head: The output's kernel, float64 (d,).
      constant: The output's bias.
      scales: Mean and scale of each input: the network sees (value - mean) / scale.

    Returns:
      The polynomial in the values themselves.
    """
    inputs: list[Polynomial] = [{(i,): 1 / scale, (): -mean / scale} for i, (mean, scale) in enumerate(scales)]
    x = inputs
    for layer in layers:
        kernel = layer.kernel + layer.diag_scale * np.eye(len(layer.kernel))
        products = [_combine(x, kernel[:, to], float(layer.bias[to])) for to in range(len(x))]
        x = [_add(_multiply(inputs[to], products[to]), x[to]) for to in range(len(x))]
    return _combine(x, head, constant)


def _combine(parts: Sequence[Polynomial], weights: Array, constant: float) -> Polynomial:
    total: Polynomial = defaultdict(float, {(): constant})
    for part, weight in zip(parts, weights, strict=True):
        for factors, value in part.items():
            total[factors] += float(weight) * value
    return dict(total)


def _multiply(one: Polynomial, other: Polynomial) -> Polynomial:
    total: Polynomial = defaultdict(float)
    for left, a in one.items():
        for right, b in other.items():
            total[tuple(sorted(left + right))] += a * b
    return dict(total)


def _add(one: Polynomial, other: Polynomial) -> Polynomial:
    return {factors: one.get(factors, 0.0) + other.get(factors, 0.0) for factors in one.keys() | other.keys()}


def _explanation(
    polynomial: Polynomial, names: Sequence[str], sizes: Sequence[float], truth: Mapping[tuple[str, ...], float] | None
) -> dict[str, Any]:
    order = sorted(polynomial, key=lambda factors: (-len(factors), factors))
    terms: list[dict[str, Any]] = []
    for factors in order:
        term: dict[str, Any] = {"factors": [names[i] for i in factors], "coefficient": polynomial[factors]}
        if truth is not None:
            term["truth"] = truth.get(tuple(term["factors"]), 0.0)
            term["error"] = term["coefficient"] - term["truth"]
        terms.append(term)
    matrix = np.zeros((len(names), len(names)))
    for factors, value in polynomial.items():
        if len(factors) == 2:
            matrix[factors] = matrix[factors[::-1]] = value
    weights = {f: abs(polynomial[f]) * math.prod(sizes[i] for i in f) for f in order}
    least = SHOWN_SHARE * max(weights.values())
    shown = [(polynomial[f], [names[i] for i in f]) for f in order if weights[f] > least]
    found = {"formula": _formula(shown), "terms": terms, "interactions": matrix.tolist()}
    if truth is not None:
        found["max_error"] = max(abs(term["error"]) for term in terms)
    return found


def _formula(terms: Sequence[tuple[float, list[str]]]) -> str:
    text = ""
    for value, factors in terms:
        size = f"{abs(value):.3f}" if 0.1 <= abs(value) < 1000 else f"{abs(value):.3g}"
        sign = (" - " if value < 0 else " + ") if text else ("-" if value < 0 else "")
        text += f"{sign}{size}{' ' if factors else ''}{product(factors)}"
    return text or "0"
