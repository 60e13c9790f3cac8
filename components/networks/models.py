"""Builds networks of cross layers, of the reference and of Dense layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tf_keras

from crossnet.components.errors import TrainingError
from crossnet.components.networks.cross_base import projection_problem
from crossnet.components.networks.cross_gated import CrossGated
from crossnet.components.networks.cross_mix import CrossMix
from crossnet.components.networks.draws import draw
from crossnet.components.networks.layers import CrossLayer, Embeddings
from crossnet.components.networks.members import JoinMembers, MemberDense, MembersLast
from crossnet.components.networks.own import checked_network, own_layers
from crossnet.components.networks.piecewise import PiecewiseLinear
from crossnet.components.networks.tfrs_cross import tfrs_cross_class, tfrs_problem
from crossnet.components.params.networks import (
    ARCHITECTURES,
    MODEL_KINDS,
    Architecture,
    CrossLayerParams,
    CrossMixParams,
    CrossParams,
    DenseParams,
    is_own,
)
from crossnet.serving.protocol.suggestions import did_you_mean

_NO_FEATURES = "No feature is left to train on. Exclude fewer columns in `example_gen.exclude`."


def build_network(
    kind: str,
    architecture: Architecture,
    *,
    num_numbers: int,
    tables: Sequence[tuple[int, int]] = (),
    edges: Sequence[Sequence[float]] = (),
    number_dim: int = 0,
    members: int | None = None,
    dtype: str = "float32",
    compute: str | None = None,
) -> tf_keras.Model:
    """Returns the network, built, with weights as Keras draws them; `initialize` draws them from a seed.

    On the article's table, three numbers and no text, it has 16 parameters (cross) or 40 (Dense [3, 3, 3]).

    Args:
      kind: One of `MODEL_KINDS`, or the name of one of a user's project.
      architecture: Its settings, of the type that `ARCHITECTURES` names, or of that project.
      num_numbers: Numeric inputs.
      tables: Rows and width of each text feature's embedding.
      edges: Edges of each number's bins, for its embedding; empty for one that is not embedded.
      number_dim: Outputs of that embedding; 0: no number has one.
      members: K, for K networks side by side. None: one.
      dtype: Of weights and numbers.
      compute: Keras' policy of the layers between inputs and output, such as "mixed_bfloat16". None: `dtype`.

    Returns:
      A model of `numbers` `[batch, num_numbers]` and `ids` int64 `[batch, len(tables)]`, where there are any, to
      `[batch, 1]`, or `[batch, members]`.

    Raises:
      TrainingError: The kind is unknown or its library is not installed, there are no inputs, or the architecture
        does not fit them. OwnCodeError: The code of a user's kind has raised an exception.
    """
    check_architecture(kind, architecture, input_width(num_numbers, tables, edges, number_dim))
    compute, inputs, parts = compute or dtype, [], []
    if num_numbers:
        numbers = tf_keras.Input((num_numbers,), name="numbers", dtype=dtype)
        inputs, parts = [numbers], [numbers]
        if number_dim:
            parts.append(PiecewiseLinear(edges, number_dim, members, name="bins", dtype=dtype)(numbers))
    if tables:
        ids = tf_keras.Input((len(tables),), name="ids", dtype="int64")
        inputs.append(ids)
        parts.append(Embeddings(tables, members, name="embeddings", dtype=dtype)(ids))
    if members is not None:
        x0 = JoinMembers(members, name="features")(parts)
    else:
        x0 = parts[0] if len(parts) == 1 else tf_keras.layers.Concatenate(name="features")(parts)
    if isinstance(architecture, DenseParams):
        x = _tower(x0, _units(architecture.units), _style(architecture), members, compute, "dense")
    elif isinstance(architecture, CrossLayerParams | CrossMixParams):
        x = _cross(kind, architecture, x0, members, compute)
    else:
        x = own_layers(kind, architecture, x0, compute)
    output = _dense(1, (None, "glorot_uniform"), members, dtype, "output")(x)
    if members is not None:
        output = MembersLast(name="members", dtype=dtype)(output)
    return checked_network(kind, architecture, tf_keras.Model(inputs, output, name=kind))


def input_width(
    num_numbers: int,
    tables: Sequence[tuple[int, int]] = (),
    edges: Sequence[Sequence[float]] = (),
    number_dim: int = 0,
) -> int:
    """Returns how many numbers the first layer sees; the arguments are those of `build_network`."""
    return num_numbers + sum(width for _, width in tables) + number_dim * sum(map(bool, edges))


def _cross(kind: str, architecture: CrossLayerParams | CrossMixParams, x0: Any, members: int | None, dtype: str) -> Any:
    """Cross layers alone, before ("stacked") or beside ("parallel") a deep tower, as in figure 1 of the paper."""
    x, style = x0, ("relu", "glorot_uniform")
    for i in range(architecture.num_layers):
        x = _cross_layer(kind, architecture, members, dtype, f"cross_{i}")(x0, x)
    if architecture.structure == "stacked":
        return _tower(x, _units(architecture.deep_units), style, members, dtype, "deep")
    if architecture.structure == "parallel":
        deep = _tower(x0, _units(architecture.deep_units), style, members, dtype, "deep")
        return tf_keras.layers.Concatenate(name="cross_and_deep")([x, deep])
    return x


def _style(architecture: DenseParams) -> tuple[str, str]:
    return architecture.activation, architecture.kernel_initializer


def _units(units: tuple[int, ...] | str) -> tuple[int, ...]:
    """Returns widths of layers, which `recipe.make_architecture` has chosen where they were "auto"."""
    assert not isinstance(units, str)
    return units


def _cross_layer(
    kind: str, architecture: CrossLayerParams | CrossMixParams, members: int | None, dtype: str, name: str
) -> Any:
    factor = architecture.kernel_regularizer
    shared: dict[str, Any] = {
        "projection_dim": architecture.projection_dim,
        "use_bias": architecture.use_bias,
        "kernel_initializer": architecture.kernel_initializer,
        "kernel_regularizer": tf_keras.regularizers.L2(factor) if factor else None,
        "dtype": dtype,
        "name": name,
    }
    if members is not None:
        shared["members"] = members
    if isinstance(architecture, CrossMixParams):
        return CrossMix(num_experts=architecture.num_experts, activation=architecture.activation, **shared)
    layer = {"cross_layer": CrossLayer, "cross_gated": CrossGated}.get(kind) or tfrs_cross_class()
    return layer(diag_scale=architecture.diag_scale, preactivation=architecture.preactivation, **shared)


def _tower(x: Any, units: Sequence[int], style: tuple[str, str], members: int | None, dtype: str, name: str) -> Any:
    for i, width in enumerate(units):
        x = _dense(width, style, members, dtype, f"{name}_{i}")(x)
    return x


def _dense(units: int, style: tuple[str | None, str], members: int | None, dtype: str, name: str) -> Any:
    activation, initializer = style
    if members is not None:
        return MemberDense(units, members, activation, initializer, dtype=dtype, name=name)
    return tf_keras.layers.Dense(units, activation, kernel_initializer=initializer, dtype=dtype, name=name)


def initialize(network: tf_keras.Model, seed: int) -> None:
    """Draws every kernel and embedding from `seed`, whatever was drawn before; biases become zero.

    Not for kinds of a user's project, whose layers may have any weights: `components.training.untrained` gives Keras
    the seed before they are made.

    The i-th weight depends on `seed` and `i` only, so `cross_layer` and `tfrs_cross` start from the same weights. Of a
    weight that holds several matrices, each is drawn on its own.
    """
    matrices = 0
    for variable, initializer in zip(network.trainable_variables, _initializers(network), strict=True):
        if variable.shape.rank < 2 or variable.name.partition(":")[0].endswith("bias"):
            variable.assign(np.zeros(variable.shape, variable.dtype.as_numpy_dtype))
            continue
        config = initializer.get_config()
        if "seed" in config:
            config["seed"] = int(np.random.SeedSequence([seed, matrices]).generate_state(1)[0]) % 2**31
        variable.assign(draw(initializer.__class__.from_config(config), variable.shape, variable.dtype))
        matrices += 1


def _initializers(network: tf_keras.Model) -> list[Any]:
    """Returns the initializer of each trainable variable's layer, in the order of `trainable_variables`."""
    found = []
    for layer in network.layers:
        initializer = getattr(layer, "kernel_initializer", None)
        if initializer is None and layer.trainable_weights:  # the reference names it in its config alone
            initializer = tf_keras.initializers.get(layer.get_config()["kernel_initializer"])
        found += [initializer] * len(layer.trainable_weights)
    return found


def check_architecture(kind: str, architecture: Architecture, width: int) -> None:
    """Checks an architecture against features of `width` numbers in all.

    Raises:
      TrainingError: With every problem in one message.
    """
    if is_own(architecture):
        if width < 1:
            raise TrainingError(_NO_FEATURES)
        return
    if kind not in MODEL_KINDS:
        raise TrainingError(
            f"Unknown model kind `{kind}`.{did_you_mean(kind, MODEL_KINDS)} There are: {', '.join(MODEL_KINDS)}."
        )
    if problem := tfrs_problem([kind]):
        raise TrainingError(problem)
    expected = ARCHITECTURES[kind]
    if not isinstance(architecture, expected):
        raise TrainingError(
            f"`{kind}` takes its architecture as {expected.__name__}. Received {type(architecture).__name__}."
        )
    problems = []
    if width < 1:
        problems.append(_NO_FEATURES)
    if isinstance(architecture, CrossParams):
        problems += architecture.problems()
    if isinstance(architecture, CrossLayerParams) and width >= 1:
        assert not isinstance(architecture.projection_dim, str)
        problems += filter(None, [projection_problem(architecture.projection_dim, width)])
    activations = dict.fromkeys(("preactivation", "activation"), tf_keras.activations.get)
    for name, lookup in {"kernel_initializer": tf_keras.initializers.get, **activations}.items():
        value = getattr(architecture, name, None)
        try:
            lookup(value)
        except ValueError:
            problems.append(f"`{kind}.{name}` is '{value}', which Keras does not know.")
    if problems:
        raise TrainingError(" ".join(problems))


def describe(kind: str, architecture: Architecture, network: tf_keras.Model) -> dict[str, Any]:
    """Returns what two networks must share for the weights of one to fit the other, as JSON values.

    Beside the settings: shape and layer of each trainable weight, in the order of `trainable_variables`.
    """
    settings = {
        name: value
        for name, value in dataclasses.asdict(architecture).items()
        if name not in ("kernel_initializer", "kernel_regularizer", "learning_rate")
    }
    shapes = [list(variable.shape) for variable in network.trainable_variables]
    layers = [layer.name for layer in network.layers for _ in layer.trainable_weights]
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
    if network.output_shape[-1] > 1:
        settings["members"] = network.output_shape[-1]
    return {"kind": kind, **settings, "shapes": shapes, "layers": layers}
