"""Runs the steps of a plan, or reuses what they made."""

from __future__ import annotations

import contextlib
import shutil
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from crossnet.components import interrupts
from crossnet.components.artifacts.base import Artifact
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.engines.base import Engine
from crossnet.components.errors import ChangedError, NotBlessedError, OwnCodeError, PipelineError
from crossnet.pipeline.changes import noticed
from crossnet.pipeline.component_call import call_component, load_component
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.faults import FaultError, explain, explained
from crossnet.pipeline.plan import Plan, PlannedStep
from crossnet.pipeline.recording import Recording, RunResult
from crossnet.pipeline.reuse import count_reuse, refuse_push
from crossnet.pipeline.run_state import RUNNING
from crossnet.pipeline.step_process import StepProcess, results
from crossnet.pipeline.store import Store
from crossnet.pipeline.wholeness import MADE_FROM, Repairs, checkpoint_folder, made_from

Call = Callable[..., Artifact]
# Makes a step's artifact: yields what calls the component, is sent what that returns, and returns the final artifact.
Making = Generator[Call, Artifact, Artifact]


class Execution:
    """Runs or reuses the steps of one plan.

    Args:
      plan: The steps.
      store: Where artifacts are.
      reporter: Where progress is shown.
      recording: What is told of each step.
      engine: What runs the jobs of steps.
      force: Whether a model is pushed in spite of the gate.
      jobs: How many steps may run at the same time.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        reporter: Reporter,
        recording: Recording,
        engine: Engine,
        *,
        force: bool,
        jobs: int = 1,
    ) -> None:
        self._plan, self._store, self._reporter, self._force = plan, store, reporter, force
        self._recording, self._engine, self._jobs = recording, engine, jobs
        self._blocked: set[str] = set()  # steps that did not pass; the steps after them are skipped
        self._repairs = Repairs(plan, store, self._make_again, self._warn)

    @property
    def _result(self) -> RunResult:
        return self._recording.result

    def run(self) -> None:
        """Runs, reuses or skips each step."""
        self._repairs.set_aside_others()
        for group in _independent(self._plan):
            together = [step for step in group if self._must_run(step)] if self._jobs > 1 else []
            if len(together) > 1:
                self._run_together(together)
            for planned in group:
                if planned.step.name not in self._result.steps:
                    self._run_reuse_or_skip(planned)

    def _run_reuse_or_skip(self, planned: PlannedStep) -> None:
        if self._is_shut(planned):
            self._blocked.add(planned.step.name)
            self._recording.note(planned, "skipped")
            return
        try:
            self._run_or_reuse(planned)
        finally:
            interrupts.release()  # what the pusher holds: the push is recorded

    def _is_shut(self, planned: PlannedStep) -> bool:
        """Whether a step before this one did not pass, or any has failed."""
        return bool(self._blocked & {*planned.step.input_steps, *planned.step.after}) or self._has_failed

    @property
    def _has_failed(self) -> bool:
        return self._result.exit_code in (1, 2)

    def _must_run(self, planned: PlannedStep) -> bool:
        return not self._is_shut(planned) and not self._repairs.is_reusable(planned)

    def _run_or_reuse(self, planned: PlannedStep) -> None:
        artifact = None
        self._recording.note(planned, RUNNING)
        with self._failures_noted(planned):
            interrupts.check()
            if self._repairs.is_reusable(planned):
                status, artifact = "reused", planned.load()
            else:
                status = "ran"
                if planned.step.output is PushedModel and not self._force:
                    refuse_push(self._plan, self._result)
                with self._reporter.working(planned.step.name):
                    load_component(planned.step, self._reporter)
                    self._recording.note(planned, RUNNING)  # its time begins here
                    artifact = self._make(planned)
        if artifact is not None:
            self._note_made(planned, status, artifact)

    def _run_together(self, steps: list[PlannedStep]) -> None:
        """Runs steps that do not need each other, each in a process, at most `jobs` of them at the same time.

        After one has failed, those at work come to their end and no other begins.
        """
        waiting = deque(steps)
        at_work: dict[str, tuple[PlannedStep, Making, StepProcess]] = {}
        with contextlib.ExitStack() as stack:

            def go_on(planned: PlannedStep, making: Making, advance: Callable[[], Call]) -> None:
                name, artifact = planned.step.name, None
                with self._failures_noted(planned):
                    try:
                        process = stack.enter_context(StepProcess(name, advance()))
                        at_work[name] = planned, making, process
                        return
                    except StopIteration as made:
                        artifact = made.value
                self._reporter.end(name)
                if artifact is not None:
                    self._note_made(planned, "ran", artifact)

            while True:
                while waiting and len(at_work) < self._jobs and not self._has_failed:
                    planned = waiting.popleft()
                    making = self._making(planned)
                    stack.callback(making.close)  # after its process has ended
                    self._recording.note(planned, RUNNING)
                    self._reporter.begin(planned.step.name)
                    stack.callback(self._reporter.end, planned.step.name)
                    go_on(planned, making, partial(next, making))
                if not at_work:
                    return
                for process, found in results([process for *_, process in at_work.values()]):
                    process.kill()
                    planned, making, _ = at_work.pop(process.step)
                    if isinstance(found, Exception):
                        go_on(planned, making, partial(making.throw, found))
                    else:
                        go_on(planned, making, partial(making.send, found))

    @contextlib.contextmanager
    def _failures_noted(self, planned: PlannedStep) -> Iterator[None]:
        """Inside, a failure that has a name is recorded, and raised no further; any other is recorded and raised."""
        try:
            yield
        except PipelineError as error:
            if isinstance(error, FaultError | OwnCodeError) and not self._result.up_to_date:
                traceback.print_exception(error.__cause__ or error)  # into the log
            self._fail(planned, error)
        except BaseException as error:
            if interrupts.signal_of(error) is not None:
                raise
            if not self._result.up_to_date:
                traceback.print_exc()  # into the log; the command line shows it too, as our bug
            sentence = explain(error, f"`{planned.step.name}`", self._store.root)
            if sentence is not None and isinstance(error, Exception):
                self._fail(planned, FaultError(sentence))
                return
            self._recording.note(planned, "failed")
            raise

    def _note_made(self, planned: PlannedStep, status: str, artifact: Artifact) -> None:
        name = planned.step.name
        self._recording.result = self._result.add(artifact.outcome(force=self._force))
        if isinstance(artifact, Evaluation):
            reuse = count_reuse(self._plan, self._store, artifact)
            said = (*self._result.warnings, *filter(None, [reuse.sentence]))
            self._recording.change(eval_rows=reuse.eval_rows, judged=reuse.judged, warnings=said)
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
        self._recording.note(planned, "failed", error=str(error))
        self._reporter.line(f"{name:<19} failed")
        words: dict[str, Any] = {"error": str(error)}
        if isinstance(error, NotBlessedError):
            words = {"reasons": (str(error),)}
        elif self._result.error:  # of another step that was at work: each is said once
            words["error"] = "\n".join(dict.fromkeys([*self._result.error.split("\n"), str(error)]))
        self._recording.change(exit_code=error.exit_code, **words)
        self._blocked.add(name)

    def _make(self, planned: PlannedStep) -> Artifact:
        """Makes the artifact of a step in this process."""
        making = self._making(planned)
        try:
            call = next(making)
            while True:
                try:
                    made = call(engine=self._engine)
                except BaseException as error:
                    call = making.throw(error)
                else:
                    call = making.send(made)
        except StopIteration as end:
            artifact: Artifact = end.value
            return artifact

    def _making(self, planned: PlannedStep) -> Making:
        """Makes the artifact of a step, and first those that it reads where they are damaged.

        Damage in shards shows only when a step reads them: then they are made again, and the step runs once more.
        """
        self._repairs.make_room(planned)
        self._repairs.repair_inputs(planned)
        before = self._repairs.made
        try:
            return (yield from self._attempt(planned))
        except (NotBlessedError, FaultError):
            raise
        except Exception:
            interrupts.check()
            # What another step has had made again meanwhile, this one may have read while it was damaged.
            if not self._repairs.repair_inputs(planned, shards=True) and self._repairs.made == before:
                raise
        return (yield from self._attempt(planned))

    def _attempt(self, planned: PlannedStep) -> Making:
        """Has the component called with a folder of its own and makes its artifact final."""
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
                    artifact = yield partial(
                        call_component,
                        replace(step, data=None, references={}),  # what finds them cannot be pickled
                        {name: self._result.artifacts[name] for name in step.input_steps},
                        output_dir=folder,
                        references=references,
                        checkpoint_dir=checkpoints,
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
        artifact = self._make(planned)
        self._recording.note(planned, "ran", seconds=time.perf_counter() - start, counts=artifact.counts)
        self._recording.change(artifacts={**self._result.artifacts, planned.step.name: artifact})

    def _warn(self, name: str, sentence: str) -> None:
        self._reporter.line(f"{name:<19} damaged")
        self._recording.change(warnings=(*self._result.warnings, sentence))


def _independent(plan: Plan) -> Iterator[list[PlannedStep]]:
    """Yields the steps in their order, in groups of neighbours of which none needs another."""
    group: list[PlannedStep] = []
    for planned in plan.values():
        if {other.step.name for other in group} & {*planned.step.input_steps, *planned.step.after}:
            yield group
            group = []
        group.append(planned)
    if group:
        yield group
