"""Computes the members of a trained network one by one.

Exports compute so. Keras multiplies all members at once, and a server pays for that: products of stacks of matrices
wake all its threads even for one row, and what a layer makes of 1,000 rows is too large for the cache. Here each member
is a small network by itself, whose tensors are `[width, batch]` as in `by_feature` and stay in the cache. They end with
a row of ones, so that biases are part of the products. What the members share is computed once. The last cross layer
and the output are one form: `w (x0 * (V'U'x + b) + x)` is the sum of `U'x * V diag(w) x0` and of products with `x0` and
`x`. Where that layer is the only one, `x` is `x0`, and the form is a sum of squares of `Q x0`, some of them taken off:
one product where there were two, each of few rows, which cost more than their arithmetic. The numbers are the same but
for rounding (benchmarks/export.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from crossnet.components.networks.by_feature import MAX_CONSTANT_BYTES
from crossnet.components.networks.layers import CrossLayer, Embeddings
from crossnet.components.networks.members import JoinMembers, MemberDense, MembersLast
from crossnet.components.networks.piecewise import PiecewiseLinear

Weights = npt.NDArray[np.float32]
# A table of at most so many rows is multiplied by ones and zeros, which costs less than to look rows up and turn them.
MAX_ONE_HOT = 64
# The graph holds the matrices as constants beside the variables. Where one of them is larger, all are left to Keras.
MAX_MATRIX_BYTES = 2**20
LINEAR = tf_keras.activations.linear

_LAYERS = (
    tf_keras.layers.InputLayer,
    tf_keras.layers.Concatenate,
    PiecewiseLinear,
    Embeddings,
    JoinMembers,
    CrossLayer,
    MemberDense,
    MembersLast,
)


def by_member(
    network: tf_keras.Model, chosen: Sequence[int] | None = None
) -> Callable[[Sequence[tf.Tensor]], tf.Tensor] | None:
    """Returns a function that gives each member's output; None where there are none, or a layer has no rule here.

    Args:
      network: A trained network of `models.build_network`; later changes of its weights are not seen.
      chosen: Members, at least one; the function computes no others. None: all.

    Returns:
      A function of numbers `[numbers, batch]` and ids `[categories, batch]`, where there are any, to float32
      `[chosen, batch]`.
    """
    crosses = [layer for layer in network.layers if type(layer) is CrossLayer]
    denses = [layer for layer in network.layers if type(layer) is MemberDense]
    if not denses or not all(type(layer) in _LAYERS for layer in network.layers):
        return None
    *tower, output = denses
    if any(layer.diag_scale or layer.preactivation is not LINEAR for layer in crosses):
        return None
    # What follows keeps the row of ones as it is, which other activations would not.
    if any(layer.activation is not tf_keras.activations.relu for layer in tower) or output.activation is not LINEAR:
        return None
    sizes = [weight.shape[1:].num_elements() for layer in crosses + denses for weight in layer.weights]
    if max(sizes) * np.float32().nbytes > MAX_MATRIX_BYTES:
        return None
    is_parallel = any(type(layer) is tf_keras.layers.Concatenate for layer in network.layers)
    members = [*range(output.members)] if chosen is None else [*chosen]
    programs = [_Program.of(crosses, denses, is_parallel, member) for member in members]
    with_bias = any(program.crosses for program in programs)  # these multiply features; all else is affine
    if not with_bias:
        biases = _bin_biases(network, programs[0].width)
        programs = [program.shifted(biases[member]) for program, member in zip(programs, members, strict=True)]

    def outputs(inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        features = _features(network, inputs, members, with_bias)
        return tf.concat([program(x0) for program, x0 in zip(programs, features, strict=True)], axis=0)

    return outputs


def _bin_biases(network: tf_keras.Model, width: int) -> Weights:
    """Returns what the biases of bins add to each member's features, `(members, width)`."""
    numbers = next((tensor.shape[1] for tensor in network.inputs if tensor.dtype.is_floating), 0)
    found = np.zeros((network.output_shape[-1], width), np.float32)
    for layer in network.layers:
        if type(layer) is PiecewiseLinear:
            bias = _values(layer.bias)
            found[:, numbers : numbers + bias.shape[1]] = bias
    return found


def _features(
    network: tf_keras.Model, inputs: Sequence[tf.Tensor], members: Sequence[int], with_bias: bool
) -> list[tf.Tensor]:
    """Returns the input of some members' first layer, `[width + 1, batch]` with ones in the last row.

    Without `with_bias`, the biases of bins are left out, for programs that are `shifted`.
    """
    rest, shared = list(inputs), []
    own: list[list[tf.Tensor]] = []
    batch = tf.shape(rest[0])[1:]
    if any(tensor.dtype.is_floating for tensor in rest):
        shared.append(rest.pop(0))
    for layer in network.layers:
        if type(layer) is PiecewiseLinear:
            own += _bins(layer, shared[0], members, with_bias)
    for layer in network.layers:
        if type(layer) is Embeddings:
            own += _vectors(layer, rest[0], members)
    ones = tf.ones(tf.concat([[1], batch], 0))
    return [tf.concat([*shared, *(part[place] for part in own), ones], axis=0) for place in range(len(members))]


def _bins(layer: PiecewiseLinear, numbers: tf.Tensor, chosen: Sequence[int], with_bias: bool) -> list[list[tf.Tensor]]:
    """Returns the embedding of each number, `[dim, batch]` by member."""
    kernel, bias = _values(layer.kernel)[chosen], _values(layer.bias)[chosen]
    members, embedded, bins, dim = kernel.shape
    kernels = kernel.transpose(1, 0, 3, 2).reshape(embedded, members * dim, bins)
    biases = bias.reshape(members, embedded, dim).transpose(1, 0, 2).reshape(embedded, members * dim, 1)
    shares = tf.unstack(layer.shares(numbers), num=embedded)
    products = [tf.matmul(kernels[i], share) for i, share in enumerate(shares)]
    if with_bias:
        products = [product + biases[i] for i, product in enumerate(products)]
    return [tf.split(each, members) for each in products]


def _vectors(layer: Embeddings, ids: tf.Tensor, chosen: Sequence[int]) -> list[list[tf.Tensor]]:
    """Returns the vector of each category, `[dim, batch]` by member."""
    columns = tf.unstack(ids, num=len(layer.tables))
    found = []
    for table, column in zip(layer.weights_by_feature, columns, strict=True):
        _, rows, dim = table.shape
        members = len(chosen)
        if rows <= MAX_ONE_HOT:
            vectors = _values(table)[chosen].transpose(0, 2, 1).reshape(members * dim, rows)
            found.append(tf.split(tf.matmul(vectors, tf.one_hot(column, rows, axis=0)), members))
        else:
            small = members * rows * dim * 4 <= MAX_CONSTANT_BYTES
            flat = _values(table)[chosen].reshape(-1, dim) if small else tf.reshape(table, [-1, dim])
            first = [[rows * member] for member in (range(members) if small else chosen)]
            vectors = tf.gather(flat, tf.constant(first, column.dtype) + column)  # of others, nothing is looked up
            # A product with the unit matrix: on a CPU, TensorFlow's transpose takes two to five times as long.
            turned = [tf.matmul(tf.eye(dim), each, transpose_b=True) for each in tf.unstack(vectors, num=members)]
            found.append(turned)
    return found


@dataclass(frozen=True)
class _Program:
    """What one member makes of its first layer's input; matrices are multiplied from the left.

    Attributes:
      crosses: The two matrices of each cross layer that is computed in full: `x0 * (second first x) + x`.
      last: Matrices of the last cross layer and the output, as one number; none where another layer reads the last
        one. Where `x` is `x0`: of `x0`, and of the squares of what that gives. Else: of `x` and of `x0`, whose
        products are multiplied and added up, and of `x` alone.
      tower: Matrices of the tower.
      output: Of what the tower gives; None: nothing but `last` is left.
      is_parallel: Whether the tower reads the features; else it reads what the cross layers give.
    """

    crosses: tuple[tuple[Weights, Weights], ...]
    last: tuple[Weights, ...]
    tower: tuple[Weights, ...]
    output: Weights | None
    is_parallel: bool

    @classmethod
    def of(cls, crosses: Sequence[Any], denses: Sequence[Any], is_parallel: bool, member: int) -> _Program:
        """Returns the program of a member of these layers."""
        *tower, (weights, bias) = [(_values(layer.kernel)[member], _values(layer.bias)[member]) for layer in denses]
        found = [_cross_weights(layer, member) for layer in crosses]
        last: tuple[Weights, ...] = ()
        if found and (is_parallel or not tower):
            width = found[-1][-1].size
            last = _last(*found.pop(), weights[:width, 0], bias[0], on_features=not found)
            weights, bias = weights[width:], np.zeros_like(bias)
        return cls(
            # The factor of the row of ones is 0: it stays as it is.
            crosses=tuple((_affine(u, last=_ones(len(u))), _affine(v, b, last=0.0)) for u, v, b in found),
            last=last,
            tower=tuple(_affine(kernel, each, last=_ones(len(kernel))) for kernel, each in tower),
            output=_affine(weights, bias) if len(weights) else None,
            is_parallel=is_parallel,
        )

    @property
    def width(self) -> int:
        """Rows of the features, that of ones included."""
        first = self.last[0] if self.last else self.tower[0] if self.tower else self.output
        assert first is not None
        return int(first.shape[1])

    def shifted(self, shift: Weights) -> _Program:
        """Returns the program that gives of `x0` what this one gives of `x0 + shift`; it has no `crosses`."""

        def moved(matrix: Weights) -> Weights:
            return np.column_stack([matrix[:, :-1], matrix[:, -1] + matrix @ shift])

        last = (moved(self.last[0]), *self.last[1:]) if self.last else ()
        if self.tower:
            return dataclasses.replace(self, last=last, tower=(moved(self.tower[0]), *self.tower[1:]))
        return dataclasses.replace(self, last=last, output=None if self.output is None else moved(self.output))

    def __call__(self, x0: tf.Tensor) -> tf.Tensor:
        """Returns the output `[1, batch]` of features `[width + 1, batch]`."""
        x, outputs = x0, []
        for first, second in self.crosses:
            x = x0 * tf.matmul(second, tf.matmul(first, x)) + x
        if self.last and x is x0:
            of_features, of_squares = self.last
            outputs = [tf.matmul(of_squares, tf.square(tf.matmul(of_features, x0)))]
        elif self.last:
            of_x, of_features, alone = self.last
            products = tf.matmul(of_x, x) * tf.matmul(of_features, x0)
            outputs = [tf.reduce_sum(products, axis=0, keepdims=True), tf.matmul(alone, x)]
        if self.output is not None:
            deep = x0 if self.is_parallel else x
            for matrix in self.tower:
                deep = tf.nn.relu(tf.matmul(matrix, deep))
            outputs.append(tf.matmul(self.output, deep))
        return outputs[0] if len(outputs) == 1 else tf.add_n(outputs)


def _cross_weights(layer: CrossLayer, member: int) -> tuple[Weights, Weights, Weights]:
    """Returns U `(d, r)`, V `(r, d)` and the bias `(d)`; of a full kernel, V is the unit matrix."""
    u, *v = [_values(kernel)[member] for kernel in layer.kernels()]
    bias = _values(layer.bias)[member] if layer.use_bias else np.zeros(len(u), np.float32)
    return u, v[0] if v else np.eye(len(u), dtype=np.float32), bias


def _last(
    u: Weights, v: Weights, bias: Weights, weights: Weights, constant: float, *, on_features: bool
) -> tuple[Weights, ...]:
    """Returns `_Program.last`: `weights (x0 * (V'U'x + bias) + x) + constant`."""
    if on_features:
        return _squares(u.astype(np.float64) @ (v * weights), weights * bias + weights, constant)
    of_x = _affine(u, last=_ones(len(u)))
    of_features = _affine((v * weights).T, last=np.append(weights * bias, constant))
    return of_x, of_features, _affine(weights[:, None])


def _squares(form: npt.NDArray[np.float64], linear: Weights, constant: float) -> tuple[Weights, Weights]:
    """Returns Q and s with `x' form x + linear x + constant = s (Q [x, 1])^2`, by eigenvalues."""
    whole = np.block([[form, linear[:, None]], [np.zeros((1, len(form))), np.full((1, 1), constant)]])
    values, vectors = np.linalg.eigh((whole + whole.T) / 2)
    # A form of rank r, made symmetric, has 2 r values that are not zero, and two more with what is linear.
    kept = np.abs(values) > 1e-9 * np.abs(values).max()
    matrix = (vectors[:, kept] * np.sqrt(np.abs(values[kept]))).T
    return matrix.astype(np.float32), np.sign(values[kept])[None].astype(np.float32)


def _affine(kernel: Weights, bias: Any = 0.0, last: Any = None) -> Weights:
    """Returns `[[kernel', bias], [last]]`, to be multiplied with what ends with a row of ones.

    Args:
      kernel: `(inputs, outputs)`.
      bias: `(outputs)`.
      last: The last row, `(inputs + 1)`; None: without it.
    """
    inputs, outputs = kernel.shape
    matrix = np.zeros((outputs + (last is not None), inputs + 1), np.float32)
    matrix[:outputs, :inputs], matrix[:outputs, inputs] = kernel.T, bias
    if last is not None:
        matrix[outputs] = last
    return matrix


def _ones(inputs: int) -> Weights:
    """Returns the row of a matrix that gives ones of what ends with a row of ones."""
    return np.append(np.zeros(inputs), 1.0).astype(np.float32)


def _values(weight: tf.Variable) -> Weights:
    with tf.init_scope():  # where the variable has a value; the graph that is being traced has none
        values: Weights = weight.numpy()
    return values
