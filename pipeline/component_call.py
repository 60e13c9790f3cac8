"""Calls a step's component with what the graph says that it takes."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import os
import sys
import time
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossnet.components.artifacts.base import Artifact
from crossnet.components.engines import beam, spark
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.engines.beam import BeamEngine
from crossnet.components.engines.local import LocalEngine
from crossnet.components.engines.spark import SparkEngine
from crossnet.components.errors import OwnCodeError, PipelineError, SettingsError
from crossnet.components.files import json_value
from crossnet.components.own_code import in_words
from crossnet.pipeline.config import Config
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.graph import Step, model_kind
from crossnet.pipeline.imports import import_module
from crossnet.pipeline.plugin_contract import place
from crossnet.pipeline.source_code import is_ours
from crossnet.pipeline.threads import limit_threads

_PACKAGES = {"spark": ("pyspark", spark.NOT_INSTALLED), "beam": ("apache_beam", beam.NOT_INSTALLED)}


def call_component(
    step: Step,
    made: Mapping[str, Artifact],
    *,
    output_dir: Path,
    references: Mapping[str, Path | Artifact | None],
    checkpoint_dir: Path | None = None,
    engine: Engine = IN_PROCESS,
) -> Artifact:
    """Imports a step's component, calls it and returns its artifact.

    Args:
      step: The step.
      made: The finished artifacts by step.
      output_dir: An empty folder for the component to fill.
      references: Argument -> what the component reads from outside the run, None where there is none.
      checkpoint_dir: Where a step that keeps checkpoints writes them; None: it keeps none.
      engine: What runs the jobs of a step that has some.
    """
    module, _, function = step.function.partition(":")
    component = getattr(import_module(module), function)
    limit_threads(made.values())
    arguments: dict[str, Any] = {**step.settings, **references}
    for argument, source in step.inputs.items():
        arguments[argument] = (
            made[source] if isinstance(source, str) else {model_kind(name): made[name] for name in source}
        )
    if step.checkpoints:
        arguments["checkpoint_dir"] = checkpoint_dir
    if step.engine:
        arguments["engine"] = engine
    if is_ours(module):
        artifact: Artifact = component(output_dir=output_dir, **arguments)
        return artifact
    return _call_own(step, component, output_dir, arguments)


_OF_THE_SYSTEM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENOMEM)


def _call_own(step: Step, component: Any, output_dir: Path, arguments: Mapping[str, Any]) -> Artifact:
    """Calls a component of a user's project and checks what it returns.

    Raises:
      OwnCodeError: It has raised an exception that is not a PipelineError, or returned something else.
    """
    module = step.function.partition(":")[0]
    try:
        artifact = component(output_dir=output_dir, **arguments)
    except (PipelineError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
            raise
        raise OwnCodeError(f"`{step.name}` has raised {in_words(error, module)}. log.txt has the traceback.") from error
    problem = ""
    if not isinstance(artifact, step.output):
        problem = f"must return {step.output.__name__}. Received {type(artifact).__name__}"
    elif artifact.path != output_dir:
        problem = f"must return an artifact of the folder `output_dir`. Received `{artifact.path}`"
    else:
        try:
            json.dumps(json_value({"counts": artifact.counts, "properties": artifact.properties}))
        except (TypeError, ValueError) as error:
            problem = f"must return counts and properties that are JSON values: {error}"
    if problem:
        raise OwnCodeError(f"`{step.name}` ({place(component)}) {problem}.")
    return typing.cast(Artifact, artifact)


def load_component(step: Step, reporter: Reporter) -> None:
    """Imports a step's component and, where that has started TensorFlow, says how long it took.

    The first step that needs TensorFlow would else be said to take seconds more than the same step after it.
    """
    start, before = time.perf_counter(), "tensorflow" in sys.modules
    with contextlib.suppress(ImportError):  # the call itself says what is missing
        import_module(step.function.partition(":")[0])
    if not before and "tensorflow" in sys.modules:
        reporter.line(f"{'TensorFlow':<19} {'began':<6} {time.perf_counter() - start:6.1f} s")


def check_engine(config: Config) -> None:
    """Raises SettingsError where the engine is not installed, also where no step has work enough to start it."""
    package, problem = _PACKAGES.get(config.engine, ("sys", ""))
    if importlib.util.find_spec(package) is None:
        raise SettingsError(problem)


def make_engine(config: Config) -> LocalEngine | SparkEngine | BeamEngine:
    """Returns the engine that the settings name; it starts nothing before a step has enough to do."""
    if config.engine == "spark":
        return SparkEngine(config.engine_options)
    number = config.num_workers if isinstance(config.num_workers, int) else None
    if config.engine == "beam":
        return BeamEngine(config.engine_options, number)
    return LocalEngine(number or len(os.sched_getaffinity(0)))  # the cores that this process may use
