"""Builds and checks networks of kinds from a user's own project."""

from __future__ import annotations

from typing import Any

import tf_keras

from crossnet.components.errors import OwnCodeError, PipelineError, TrainingError
from crossnet.components.own_code import in_words
from crossnet.components.params.networks import Architecture, OwnParams, is_own


def own_layers(kind: str, architecture: OwnParams, x: Any, dtype: str) -> Any:
    """Returns what `network` of a user's architecture makes of `x` `[batch, width]`: `[batch, any]`.

    Raises:
      OwnCodeError: It raises an exception; the message names file and line, as that of the next does.
      TrainingError: It returns something else.
    """
    method = f"`network` of the kind `{kind}`"
    try:
        made = architecture.network(x, dtype)
    except PipelineError:
        raise
    except Exception as error:
        problem = in_words(error, type(architecture).__module__)
        raise OwnCodeError(f"{method} has raised {problem}.") from error
    if not _is_of_keras(made):
        received = type(made).__name__
    elif made.shape.rank != 2 or made.shape[-1] is None:
        received = f"the shape {made.shape}"
    else:
        return made
    raise TrainingError(
        f"{method} must return the output of its last Keras layer, of shape (None, a number). Received {received} "
        f"({_place(architecture)})."
    )


def _is_of_keras(made: Any) -> bool:
    try:
        return bool(tf_keras.backend.is_keras_tensor(made))
    except ValueError:  # no tensor at all
        return False


def checked_network(kind: str, architecture: Architecture, network: tf_keras.Model) -> tf_keras.Model:
    """Returns a network that can be exported, as ours can.

    Raises:
      TrainingError: One of a user's kind cannot.
    """
    if not is_own(architecture) or not network.non_trainable_variables:
        return network
    names = [layer.name for layer in network.layers if layer.non_trainable_weights]
    raise TrainingError(
        f"The kind `{kind}` has weights that no training step changes by its gradient, in {', '.join(names)} "
        f"({_place(architecture)}). Such weights, as those of BatchNormalization, are not exported: take "
        "LayerNormalization, or a constant."
    )


def _place(architecture: OwnParams) -> str:
    code = type(architecture).network.__code__
    return f"{code.co_filename}, line {code.co_firstlineno}"
