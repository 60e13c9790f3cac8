"""The flow, once, as data. The runner, `plan`, `why`, `show`, the report and the compiler all read this list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crossnet.components.artifacts.anomalies import Anomalies
from crossnet.components.artifacts.base import Artifact
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.pipeline.config import Config

ARTIFACT_TYPES: Mapping[str, type[Artifact]] = {
    kind.__name__: kind
    for kind in (Examples, Statistics, Schema, Anomalies, Model, Evaluation, InfraValidation, PushedModel)
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: a component's function, and where its arguments come from.

    Attributes:
      name: The step's name on disk, on the screen and in `--until`.
      function: `module:function`; imported only when the step must run.
      output: Type of the artifact that it returns.
      inputs: Argument -> name of the step that makes it, or names of steps, given as a dict by model.
      settings: Other keyword arguments; they enter the fingerprint.
      files: Whether the step reads outside data; its content enters the fingerprint.
      references: Argument -> what outside the graph it is, resolved before planning: "previous_schema",
        "previous_statistics", "served_model", "warm_start". The content enters the fingerprint.
      after: Steps that must have passed; they do not enter the fingerprint.
    """

    name: str
    function: str
    output: type[Artifact]
    inputs: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: bool = False
    references: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()

    @property
    def input_steps(self) -> tuple[str, ...]:
        """Names of the steps whose artifacts this one reads, in the order of its arguments."""
        names: list[str] = []
        for source in self.inputs.values():
            names += [source] if isinstance(source, str) else source
        return tuple(dict.fromkeys(names))


def build_graph(config: Config, *, serving_dir: str = "", force: str = "") -> tuple[Step, ...]:
    """Returns the steps in an order in which each comes after its inputs.

    Args:
      config: All settings.
      serving_dir: The folder that servers watch.
      force: Why a model is pushed in spite of the gate; empty: it is not.
    """
    trainers = tuple(
        Step(
            name=f"trainer_{kind}",
            function="crossnet.components.trainer:train_model",
            output=Model,
            inputs={"examples": "example_gen", "schema": "schema_gen", "statistics": "statistics_gen"},
            settings={
                "params": config.trainer,
                "kind": kind,
                "architecture": getattr(config, kind),
                "model_name": config.pusher.model_name,
            },
            references={"warm_start": "warm_start"},
            after=("example_validator",),
        )
        for kind in config.models
    )
    models = tuple(step.name for step in trainers)
    drift = {"previous": "previous_statistics"}
    pinned = {"reference": "previous_schema"} if config.schema_gen.reference == "last_blessed" else {}
    return (
        Step(
            name="example_gen",
            function="crossnet.components.example_gen:generate_examples",
            output=Examples,
            settings={"params": config.example_gen},
            files=config.example_gen.source != "synthetic",
        ),
        Step(
            name="statistics_gen",
            function="crossnet.components.statistics_gen:generate_statistics",
            output=Statistics,
            inputs={"examples": "example_gen"},
            settings={"params": config.statistics_gen},
        ),
        Step(
            name="schema_gen",
            function="crossnet.components.schema_gen:infer_schema",
            output=Schema,
            inputs={"examples": "example_gen", "statistics": "statistics_gen"},
            settings={"params": config.schema_gen},
            files=bool(config.schema_gen.schema_file),
            references=pinned,
        ),
        Step(
            name="example_validator",
            function="crossnet.components.example_validator:validate_examples",
            output=Anomalies,
            inputs={"examples": "example_gen", "statistics": "statistics_gen", "schema": "schema_gen"},
            settings={"params": config.example_validator},
            references=drift,
        ),
        *trainers,
        Step(
            name="evaluator",
            function="crossnet.components.evaluator:evaluate_models",
            output=Evaluation,
            inputs={"examples": "example_gen", "schema": "schema_gen", "models": models},
            settings={"params": config.evaluator},
            references={"served": "served_model"},
        ),
        Step(
            name="infra_validator",
            function="crossnet.components.infra_validator:validate_infra",
            output=InfraValidation,
            inputs={"examples": "example_gen", "schema": "schema_gen", "evaluation": "evaluator", "models": models},
            settings={"params": config.infra_validator, "force": bool(force)},
            after=("evaluator",),
        ),
        Step(
            name="pusher",
            function="crossnet.components.pusher:push_model",
            output=PushedModel,
            inputs={"evaluation": "evaluator", "infra_validation": "infra_validator", "models": models},
            settings={"params": config.pusher, "serving_dir": serving_dir, "force": force},
            after=("infra_validator",),
        ),
    )


def model_kind(step: str) -> str:
    """Returns the model kind that a trainer's step name stands for."""
    return step.removeprefix("trainer_")
