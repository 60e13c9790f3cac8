"""Checks what a user's module adds against the contract.

A kind of model is a frozen dataclass whose fields are made by `setting`, with the method `network(self, x, dtype)`.
A component is a function as in `crossnet.components`: it takes finished artifacts, `output_dir` and, if it has
settings, `params`, and returns an artifact of its own type. Its annotations say which: the graph follows from them.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossnet.components.artifacts.anomalies import Anomalies
from crossnet.components.artifacts.base import Artifact
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.artifacts.reference_model import ReferenceModel
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NETWORK = ("x", "dtype")
# What a component may read -> the step that makes it.
SOURCES: Mapping[type[Artifact], str] = {
    Examples: "example_gen",
    Statistics: "statistics_gen",
    Schema: "schema_gen",
    Anomalies: "example_validator",
    Evaluation: "evaluator",
    InfraValidation: "infra_validator",
    PushedModel: "pusher",
}
MODELS = "models"  # stands for the steps of all trainers, whose artifacts come as a dict by kind
DATA_STEPS = ("example_gen", "statistics_gen", "schema_gen", "example_validator")
_SCALARS = (int, float, bool, str)


class ContractError(Exception):
    """A user's module breaks the contract; the message names file and line."""


@dataclass(frozen=True, kw_only=True)
class OwnStep:
    """A component of a user's project.

    Attributes:
      function: `module:function`.
      output: Type of the artifact that it returns.
      inputs: Argument -> the step that makes it, or `MODELS`.
      params: The class of its settings; None: it has none.
    """

    function: str
    output: type[Artifact]
    inputs: Mapping[str, str]
    params: type[Any] | None = None

    @property
    def module(self) -> str:
        """The module of the function."""
        return self.function.partition(":")[0]


def check_kind(name: str, kind: Any, declared: str = "no file") -> None:
    """Checks a kind of model.

    Args:
      name: Its name.
      kind: What the module gives for it.
      declared: File and line where it does.

    Raises:
      ContractError: It breaks the contract.
    """
    _check_settings(f"the kind `{name}`", kind, declared)
    method = inspect.getattr_static(kind, "network", None)
    if not inspect.isfunction(method):
        raise ContractError(
            f"the kind `{name}` has no method `network(self, x, dtype)`, which returns the last hidden layer's output "
            f"({place(kind)})."
        )
    parameters = list(inspect.signature(method).parameters)[1:]
    if tuple(parameters) != NETWORK:
        raise ContractError(
            f"`network` of the kind `{name}` must take (self, x, dtype). Received (self, {', '.join(parameters)}) "
            f"({place(method)})."
        )


def check_step(name: str, function: Any, made: Mapping[type[Artifact], str], declared: str = "no file") -> OwnStep:
    """Returns a component of the step `name`.

    Args:
      name: The step.
      function: What the module gives for it.
      made: Types of artifacts of the user's steps before it -> the step.
      declared: File and line where it does.

    Raises:
      ContractError: It breaks the contract.
    """
    about = f"the component `{name}`"
    if not inspect.isfunction(function) or vars(sys.modules[function.__module__]).get(function.__name__) != function:
        received = getattr(function, "__name__", type(function).__name__)
        raise ContractError(f"{about} must be a function at the top of a module. Received {received} ({declared}).")
    where = place(function)
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        raise ContractError(
            f"the annotations of {about} cannot be read: {error} ({where}). Import what they name outside of "
            "`if TYPE_CHECKING`."
        ) from None
    output = _output(about, hints.get("return"), made, where)
    parameters = dict(inspect.signature(function).parameters)
    if "output_dir" not in parameters:
        raise ContractError(f"{about} must take `output_dir`, the folder that it fills ({where}).")
    params = None
    if "params" in parameters:
        params = hints.get("params")
        _check_settings(f"`params` of {about}", params, where)
    inputs = {}
    for argument, parameter in parameters.items():
        if argument not in ("output_dir", "params") and parameter.default is parameter.empty:
            inputs[argument] = _source(about, argument, hints.get(argument), {**SOURCES, **made}, where)
    return OwnStep(function=f"{function.__module__}:{function.__name__}", output=output, inputs=inputs, params=params)


def _output(about: str, output: Any, made: Mapping[type[Artifact], str], where: str) -> type[Artifact]:
    ours = {kind.__name__ for kind in (*SOURCES, Model, ReferenceModel)}
    if not (isinstance(output, type) and issubclass(output, Artifact)) or output is Artifact:
        raise ContractError(
            f"{about} must return an artifact, and its annotation say so: `-> ModelCard`, a class of yours below "
            f"crossnet.Artifact. Received {_named(output)} ({where})."
        )
    if output.__name__ in ours or output.__name__ in {kind.__name__ for kind in made}:
        raise ContractError(
            f"{about} returns {output.__name__}, which another step makes ({where}). Each component has a type of "
            "artifact for itself, with a name for itself."
        )
    return output


def _source(about: str, argument: str, hint: Any, sources: Mapping[type[Artifact], str], where: str) -> str:
    if typing.get_origin(hint) in (Mapping, dict) and typing.get_args(hint) == (str, Model):
        return MODELS
    if hint in sources:
        return sources[hint]
    names = [kind.__name__ for kind in sources]
    raise ContractError(
        f"`{argument}` of {about} must be annotated with what it reads: one of {', '.join(names)} or "
        f"Mapping[str, Model]. Received {_named(hint)} ({where})."
    )


def _named(hint: Any) -> str:
    return "no annotation" if hint is None else getattr(hint, "__name__", None) or str(hint)


def _check_settings(about: str, kind: Any, where: str) -> None:
    """Raises where a class is not a frozen dataclass of settings; `where` something else is named."""
    if not isinstance(kind, type) or not dataclasses.is_dataclass(kind):
        raise ContractError(
            f"{about} must be a class under @dataclass(frozen=True, kw_only=True). Received {_named(kind)} "
            f"({place(kind, default=where)})."
        )
    where = place(kind)
    frozen = kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    if not frozen or not all(item.kw_only for item in dataclasses.fields(kind)):
        raise ContractError(f"{about} must be a dataclass with frozen=True and kw_only=True ({where}).")
    try:
        hints = typing.get_type_hints(kind)
    except Exception as error:
        raise ContractError(f"the annotations of {about} cannot be read: {error} ({where}).") from None
    for item in dataclasses.fields(kind):
        if "doc" not in item.metadata:
            raise ContractError(
                f"`{item.name}` of {about} must be made by crossnet.setting: a default, what it means, and its range "
                f"({where})."
            )
        if not _is_legal(hints[item.name]):
            raise ContractError(
                f"`{item.name}` of {about} must be int, float, bool, str, tuple[…, ...] of them, or one of these or "
                f"None. Received {hints[item.name]} ({where})."
            )
    try:
        kind()
    except Exception as error:
        raise ContractError(f"{about} cannot be made with its defaults: {error} ({where}).") from None


def _is_legal(hint: Any) -> bool:
    if isinstance(hint, types.UnionType):
        return all(_is_legal(part) or part is types.NoneType for part in hint.__args__)
    if typing.get_origin(hint) is tuple:
        arguments = typing.get_args(hint)
        return len(arguments) == 2 and arguments[0] in _SCALARS and arguments[1] is Ellipsis
    return hint in _SCALARS


def place(what: Any, word: str = "", default: str = "no file") -> str:
    """Returns file and line of a class, a function or, in a module, of the line that begins with `word`."""
    try:
        file = inspect.getsourcefile(what)
        lines, first = inspect.findsource(what)
        if word:
            first = next((number for number, line in enumerate(lines) if line.startswith(word)), first)
    except (TypeError, OSError):
        return default
    return f"{file}, line {first + 1}"
