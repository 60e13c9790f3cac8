"""States the order of work once, as a list of steps.

The runner, `plan`, `why`, `compare` and the report read this list; nothing else knows the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from crossnet.components.artifacts.anomalies import Anomalies
from crossnet.components.artifacts.base import Artifact
from crossnet.components.artifacts.evaluation import LIGHTGBM, Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.artifacts.reference_model import ReferenceModel
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.networks import tfrs_cross
from crossnet.components.params.networks import ModelParams
from crossnet.components.sources.files import input_files
from crossnet.pipeline.config import Config
from crossnet.pipeline.config_build import NONE
from crossnet.pipeline.plugin_contract import DATA_STEPS, MODELS
from crossnet.pipeline.references import BestBlessed, LastBlessed, Reference, ServedModel, WarmStart


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: a component's function, and where its arguments come from.

    Attributes:
      name: The step's name on disk, on the screen and in `--until`.
      function: `module:function`; imported only when the step must run.
      output: Type of the artifact that it returns.
      inputs: Argument -> name of the step that makes it, or names of steps, given as a dict by model.
      settings: Other keyword arguments; they enter the fingerprint.
      data: Returns the outside files that the step reads; their content enters the fingerprint. None: it reads none.
      references: Argument -> what the step reads from outside its run, resolved before planning. The content enters
        the fingerprint.
      after: Steps that must have passed; they do not enter the fingerprint.
      checkpoints: Whether the step keeps checkpoints, in a folder that it takes as `checkpoint_dir`.
      libraries: Beside those of every step, the packages whose versions enter the fingerprint.
      code: Beside the module of `function`, those whose code enters the fingerprint: a user's kind of model.
      engine: Whether the step cuts its work into jobs, and takes as `engine` what runs them.
    """

    name: str
    function: str
    output: type[Artifact]
    inputs: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Callable[[], Sequence[Path]] | None = None
    references: Mapping[str, Reference] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    checkpoints: bool = False
    libraries: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    engine: bool = False

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules whose code, and what it reaches, enters the fingerprint."""
        return (self.function.partition(":")[0], *self.code)

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
    served = Path(serving_dir) / config.pusher.model_name
    trainers = tuple(_trainer(kind, config, served) for kind in config.models)
    models = tuple(step.name for step in trainers)
    reference = () if config.reference == NONE else (_reference(config),)
    gate = _gate_steps(config, models, served, serving_dir, force)
    return with_own_steps((*_data_steps(config), *reference, *trainers, *gate), config)


def _data_steps(config: Config) -> tuple[Step, ...]:
    """Returns the steps from rows to a checked schema."""
    schema_file = config.schema_gen.schema_file
    model_name = config.pusher.model_name
    pinned = {"reference": LastBlessed("schema_gen", Schema, model_name)}
    return (
        Step(
            name="example_gen",
            function="crossnet.components.example_gen:generate_examples",
            output=Examples,
            settings={"params": config.example_gen},
            data=None if config.example_gen.source == "synthetic" else partial(input_files, config.example_gen),
            libraries=("duckdb",) if config.example_gen.where else (),
            engine=True,
        ),
        Step(
            name="statistics_gen",
            function="crossnet.components.statistics_gen:generate_statistics",
            output=Statistics,
            inputs={"examples": "example_gen"},
            settings={"params": config.statistics_gen},
            engine=True,
        ),
        Step(
            name="schema_gen",
            function="crossnet.components.schema_gen:infer_schema",
            output=Schema,
            inputs={"examples": "example_gen", "statistics": "statistics_gen"},
            settings={"params": config.schema_gen},
            data=(lambda: [Path(schema_file)]) if schema_file else None,
            references=pinned if config.schema_gen.reference == "last_blessed" else {},
        ),
        Step(
            name="example_validator",
            function="crossnet.components.example_validator:validate_examples",
            output=Anomalies,
            inputs={"examples": "example_gen", "statistics": "statistics_gen", "schema": "schema_gen"},
            settings={"params": config.example_validator},
            references={"previous": LastBlessed("statistics_gen", Statistics, model_name)},
            engine=True,
        ),
    )


def with_own_steps(graph: tuple[Step, ...], config: Config) -> tuple[Step, ...]:
    """Returns the graph with the components of a user's project, each as early as what it reads allows.

    What reads only data comes before training, what reads models or the verdict before the push, and what reads the
    push after it. The steps behind wait: an own step that fails or does not pass stops them.
    """
    trainers = tuple(step.name for step in graph if step.output is Model)
    ranks = {**dict.fromkeys(DATA_STEPS, 0), "pusher": 2}  # before training, before the push, after it
    groups: tuple[list[Step], list[Step], list[Step]] = ([], [], [])
    for name, own in config.plugins_loaded.steps.items():
        ranks[name] = max((ranks.get(source, 1) for source in own.inputs.values()), default=0)
        groups[ranks[name]].append(
            Step(
                name=name,
                function=own.function,
                output=own.output,
                inputs={name: trainers if source == MODELS else source for name, source in own.inputs.items()},
                settings={"params": getattr(config, name)} if own.params else {},
                after=(("example_validator",), ("infra_validator",), ())[ranks[name]],
            )
        )
    if not any(groups):
        return graph
    early, middle, late = groups
    waiting = {Model: early, ReferenceModel: early, PushedModel: middle}
    first = next(number for number, step in enumerate(graph) if step.output in waiting)
    *judged, push = (
        replace(step, after=(*step.after, *(own.name for own in waiting.get(step.output, ()))))
        for step in graph[first:]
    )
    return (*graph[:first], *early, *judged, *middle, push, *late)


def _trainer(kind: str, config: Config, served: Path) -> Step:
    """Returns the step that trains a model of one kind."""
    warm_start = WarmStart(config.trainer.warm_start, served)
    own = config.plugins_loaded.kinds.get(kind)
    return Step(
        name=f"trainer_{kind}",
        function="crossnet.components.trainer:train_model",
        output=Model,
        inputs={"examples": "example_gen", "schema": "schema_gen", "statistics": "statistics_gen"},
        settings={
            "params": config.trainer,
            "model": ModelParams(kind=kind, architecture=getattr(config, kind), model_name=config.pusher.model_name),
        },
        references={} if config.trainer.warm_start == NONE else {"warm_start": warm_start},
        after=("example_validator",),
        checkpoints=True,
        libraries=(tfrs_cross.PACKAGE,) if kind == tfrs_cross.KIND else (),
        code=(own.__module__,) if own else (),
    )


def _reference(config: Config) -> Step:
    """Returns the step that trains what the models are compared with."""
    return Step(
        name=f"reference_{config.reference}",
        function="crossnet.components.reference:train_reference",
        output=ReferenceModel,
        inputs={"examples": "example_gen", "schema": "schema_gen", "statistics": "statistics_gen"},
        settings={"kind": config.reference, "params": config.trainer},
        after=("example_validator",),
        libraries=(config.reference,),
    )


def _gate_steps(
    config: Config, models: tuple[str, ...], served: Path, serving_dir: str, force: str
) -> tuple[Step, ...]:
    """Returns the steps that judge the models of the steps `models` and push one."""
    anchor = config.evaluator.anchor
    return (
        Step(
            name="evaluator",
            function="crossnet.components.evaluator:evaluate_models",
            output=Evaluation,
            inputs={
                "examples": "example_gen",
                "schema": "schema_gen",
                "statistics": "statistics_gen",
                "models": models,
                **({} if config.reference == NONE else {"reference": f"reference_{config.reference}"}),
            },
            settings={"params": config.evaluator},
            references={
                "served": ServedModel(served),
                **({} if config.evaluator.total_margin is None else {"anchor": BestBlessed(served, anchor)}),
            },
            engine=True,
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


def artifact_types() -> dict[str, type[Artifact]]:
    """Returns the types of artifacts that the graph makes, by name."""
    graph = build_graph(Config(reference=LIGHTGBM))
    return {step.output.__name__: step.output for step in graph}
