"""Runs the steps of a plan, or reuses what they made."""

from __future__ import annotations

import importlib
import os
import shutil
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossnet.components import interrupts
from crossnet.components.artifacts.base import Artifact
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.engines.local import LocalEngine
from crossnet.components.errors import ChangedError, NotBlessedError, PipelineError
from crossnet.pipeline.changes import noticed
from crossnet.pipeline.config import Config
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.faults import FaultError, explain, explained
from crossnet.pipeline.graph import Step, model_kind
from crossnet.pipeline.plan import Plan, PlannedStep
from crossnet.pipeline.recording import Recording, RunResult
from crossnet.pipeline.run_state import RUNNING
from crossnet.pipeline.store import Store
from crossnet.pipeline.wholeness import MADE_FROM, Repairs, checkpoint_folder, made_from


class Execution:
    """Runs or reuses the steps of one plan in turn.

    Args:
      plan: The steps.
      store: Where artifacts are.
      reporter: Where progress is shown.
      recording: What is told of each step.
      engine: What runs the jobs of steps.
      force: Whether a model is pushed in spite of the gate.
    """

    def __init__(
        self, plan: Plan, store: Store, reporter: Reporter, recording: Recording, engine: Engine, *, force: bool
    ) -> None:
        self._plan, self._store, self._reporter, self._force = plan, store, reporter, force
        self._recording, self._engine = recording, engine
        self._blocked: set[str] = set()  # steps that did not pass; the steps after them are skipped
        self._repairs = Repairs(plan, store, self._make_again, self._warn)

    @property
    def _result(self) -> RunResult:
        return self._recording.result

    def run(self) -> None:
        """Runs, reuses or skips each step."""
        self._repairs.set_aside_others()
        for planned in self._plan.values():
            step = planned.step
            if self._blocked & {*step.input_steps, *step.after} or self._result.exit_code in (1, 2):
                self._blocked.add(step.name)
                self._recording.note(planned, "skipped")
            else:
                try:
                    self._run_or_reuse(planned)
                finally:
                    interrupts.release()  # what the pusher holds: the push is recorded

    def _run_or_reuse(self, planned: PlannedStep) -> None:
        name = planned.step.name
        self._recording.note(planned, RUNNING)
        try:
            interrupts.check()
            if self._repairs.is_reusable(planned):
                status, artifact = "reused", planned.load()
            else:
                status = "ran"
                with self._reporter.working(name):
                    artifact = self._run_step(planned)
        except PipelineError as error:
            if isinstance(error, FaultError) and not self._result.up_to_date:
                traceback.print_exception(error.__cause__)  # into the log
            self._fail(planned, error)
            return
        except BaseException as error:
            if interrupts.signal_of(error) is not None:
                raise
            if not self._result.up_to_date:
                traceback.print_exc()  # into the log; the command line shows it too, as our bug
            sentence = explain(error, f"`{name}`", self._store.root)
            if sentence is not None and isinstance(error, Exception):
                self._fail(planned, FaultError(sentence))
                return
            self._recording.note(planned, "failed")
            raise
        self._recording.result = self._result.add(artifact.outcome(force=self._force))
        self._recording.note(planned, status, counts=artifact.counts)
        if not self._result.up_to_date:
            seconds = self._result.steps[name].seconds
            self._reporter.line(f"{name:<19} {status:<6} {seconds:6.1f} s  {artifact.headline}")
        self._recording.change(artifacts={**self._result.artifacts, name: artifact})
        if not artifact.passes(force=self._force):
            self._blocked.add(name)

    def _fail(self, planned: PlannedStep, error: PipelineError) -> None:
        interrupts.check()  # a server that got the same signal has failed the step
        name = planned.step.name
        self._recording.note(planned, "failed")
        self._reporter.line(f"{name:<19} failed")
        words = {"reasons": (str(error),)} if isinstance(error, NotBlessedError) else {"error": str(error)}
        self._recording.change(exit_code=error.exit_code, **words)
        self._blocked.add(name)

    def _run_step(self, planned: PlannedStep) -> Artifact:
        """Makes the artifact of a step, and first those that it reads where they are damaged.

        Damage in shards shows only when a step reads them: then they are made again, and the step runs once more.
        """
        self._repairs.make_room(planned)
        self._repairs.repair_inputs(planned)
        try:
            return self._call(planned)
        except (NotBlessedError, FaultError):
            raise
        except Exception:
            interrupts.check()
            if not self._repairs.repair_inputs(planned, shards=True):
                raise
        return self._call(planned)

    def _call(self, planned: PlannedStep) -> Artifact:
        """Calls the component in a folder of its own and makes its artifact final."""
        step = planned.step
        references = {
            argument: None if folder is None else step.references[argument].load(folder)
            for argument, folder in planned.references.items()
        }
        checkpoints = checkpoint_folder(planned, self._plan, self._store) if step.checkpoints else None
        with self._store.working_folder(step.name) as folder:
            try:
                # explained here, while what the step has written still takes its space
                with explained(f"`{step.name}`", self._store.root), noticed(planned):
                    artifact = call_component(
                        step,
                        self._result.artifacts,
                        output_dir=folder,
                        references=references,
                        checkpoint_dir=checkpoints,
                        engine=self._engine,
                    )
            except ChangedError:
                if checkpoints:
                    shutil.rmtree(checkpoints, ignore_errors=True)  # other code may have trained it
                raise
            made_of = {
                **planned.parts,
                MADE_FROM: made_from(step, self._plan),
                "run_number": self._result.number,
            }
            with explained(f"`{step.name}`", self._store.root):
                self._store.finish(artifact, step.name, planned.fingerprint, made_of)
        return planned.load()

    def _make_again(self, planned: PlannedStep) -> None:
        """Makes an artifact again that was damaged after this run had begun to use it."""
        start = time.perf_counter()
        artifact = self._run_step(planned)
        self._recording.note(planned, "ran", seconds=time.perf_counter() - start, counts=artifact.counts)
        self._recording.change(artifacts={**self._result.artifacts, planned.step.name: artifact})

    def _warn(self, name: str, sentence: str) -> None:
        self._reporter.line(f"{name:<19} damaged")
        self._recording.change(warnings=(*self._result.warnings, sentence))


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
    component = getattr(importlib.import_module(module), function)
    arguments: dict[str, Any] = {**step.settings, **references}
    for argument, source in step.inputs.items():
        arguments[argument] = (
            made[source] if isinstance(source, str) else {model_kind(name): made[name] for name in source}
        )
    if step.checkpoints:
        arguments["checkpoint_dir"] = checkpoint_dir
    if step.engine:
        arguments["engine"] = engine
    artifact: Artifact = component(output_dir=output_dir, **arguments)
    return artifact


def make_engine(config: Config) -> LocalEngine:
    """Returns the engine that the settings name; it starts nothing before a step has enough to do."""
    if isinstance(config.num_workers, int):
        return LocalEngine(config.num_workers)
    return LocalEngine(len(os.sched_getaffinity(0)))  # the cores that this process may use
