"""Runs a plan on this machine, step by step, and records it."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
import traceback
from pathlib import Path

from crossnet.components import interrupts
from crossnet.components.artifacts.base import Artifact
from crossnet.components.damaged_versions import damaged_in_service
from crossnet.components.engines.base import Engine
from crossnet.components.errors import ChangedError, NotBlessedError, PipelineError
from crossnet.components.files import write_file
from crossnet.components.model_folder import clear_leftovers, record_problems
from crossnet.pipeline import fingerprint as fp
from crossnet.pipeline import notices, snapshots
from crossnet.pipeline.changes import noticed
from crossnet.pipeline.config import Config, to_toml
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.execution import call_component, make_engine
from crossnet.pipeline.faults import FaultError, explain, explained
from crossnet.pipeline.plan import Plan, PlannedStep, blocked_steps, make_plan, serving_dir
from crossnet.pipeline.recording import Recording, RunResult, removed_on_error
from crossnet.pipeline.run_state import FINISHED, KILLED, LOG_FILE, RUNNING, at_work
from crossnet.pipeline.store import Store, utc_now
from crossnet.pipeline.wholeness import MADE_FROM, Repairs, checkpoint_folder, made_from


def run_pipeline(
    config: Config,
    root: Path,
    *,
    name: str | None = None,
    until: str | None = None,
    force: str = "",
    reporter: Reporter | None = None,
) -> RunResult:
    """Runs every step whose artifact is not there yet.

    A run without a `name` in which nothing has to run is not recorded again: the run that it repeats is returned.

    Args:
      config: All settings.
      root: The folder for artifacts, runs and pushed models.
      name: The run's name; None: the time.
      until: The last step to run; None: all.
      force: Push in spite of the gate, and why; empty: do not.
      reporter: Where progress is shown.

    Returns:
      The result; its `error` and `exit_code` tell of failures that have a name.

    Raises:
      PipelineError: The run cannot start.
    """
    reporter = reporter or Reporter(quiet=True)
    store = Store(root)
    with explained("The run", store.root), store.locked():
        with interrupts.last_words(_not_begun):
            _prepare(config, store, reporter)
            plan = make_plan(config, store, until=until, force=force)
            repeated = _repeated_run(plan, store, force) if name is None else None
            folder = store.runs / repeated if repeated else store.new_run(name)
            _tell_of_a_kill(store)
            engine = make_engine(config)
            recording = Recording(_new_result(config, plan, store, folder.name, bool(repeated)), folder)
            execution = _Execution(plan, store, reporter, recording, engine, force=bool(force))
            if repeated:
                execution.run()
                return recording.result
            with removed_on_error(folder):
                write_file(folder / "config.toml", to_toml(config))
        with contextlib.ExitStack() as stack:
            with removed_on_error(folder):
                stack.enter_context(at_work(folder))
                stack.enter_context(interrupts.last_words(recording.interrupted))
                recording.write(RUNNING)
            try:
                with reporter.logging_to(folder / LOG_FILE), engine:
                    execution.run()
                    interrupts.check()  # a signal that came while a push was recorded
            except BaseException as error:
                if interrupts.signal_of(error) is None:
                    _record_bug(recording)
                raise
            _finish(recording, store)
            _write_pages(store, folder, reporter)
            interrupts.settle(recording.result.exit_code)
    return recording.result


def _prepare(config: Config, store: Store, reporter: Reporter) -> None:
    """Clears what a killed push left, and takes the rows of a query."""
    clear_leftovers(serving_dir(config, store))
    snapshots.take(config, store, reporter.line)


def _new_result(config: Config, plan: Plan, store: Store, name: str, up_to_date: bool) -> RunResult:
    """Returns what is known of a run before its first step."""
    served = serving_dir(config, store) / config.pusher.model_name
    return RunResult(
        run=name,
        number=store.next_run_number(),
        root=str(store.root),
        serving_dir=str(served.parent),
        up_to_date=up_to_date,
        started=utc_now(),
        warnings=(*record_problems(served), *damaged_in_service(served)),
        versions=fp.library_versions(tuple(sorted({name for step in plan.values() for name in step.step.libraries}))),
        graph={step: planned.step.input_steps for step, planned in plan.items()},
    )


def _not_begun(number: signal.Signals) -> interrupts.Words:
    return interrupts.Words("Interrupted while the run was planned. No step was begun.")


class _Execution:
    """Runs or reuses the steps of one plan in turn."""

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


def _repeated_run(plan: Plan, store: Store, force: str) -> str | None:
    """Returns the newest complete run of exactly this plan, if nothing in it has to run again."""
    blocked = blocked_steps(plan, force=bool(force))
    if any(not planned.done and name not in blocked for name, planned in plan.items()):
        return None
    wanted = {name: planned.fingerprint for name, planned in plan.items()}
    for name, run in store.run_records().items():
        if run.complete and {step: record.fingerprint for step, record in run.steps.items()} == wanted:
            return name
    return None


def _tell_of_a_kill(store: Store) -> None:
    """Says what is known of the last run, where the system has ended it without a word."""
    last = next(iter(store.run_records().values()), None)
    if last is not None and last.state == KILLED:
        notices.say(f"Run {last.run} before this one: {last.error}")


def _record_bug(recording: Recording) -> None:
    recording.change(exit_code=1, error="Internal error; see log.txt.")
    with contextlib.suppress(OSError):
        recording.write(FINISHED)


def _finish(recording: Recording, store: Store) -> None:
    """Records the end of the run. Where that cannot be written, the run has failed."""
    try:
        recording.write(FINISHED)
    except OSError as error:
        sentence = explain(error, "The record of the run", store.root) or str(error)
        sentences = " ".join(filter(None, (recording.result.error, sentence)))
        recording.change(exit_code=recording.result.exit_code or 1, error=sentences)


def _write_pages(store: Store, folder: Path, reporter: Reporter) -> None:
    """Writes the run's page and the index. What was pushed stays pushed, also where a page cannot be drawn."""
    from crossnet.pipeline.report.pages import write_index, write_report

    try:
        write_report(store, folder.name)
        write_index(store)
    except Exception as error:
        with contextlib.suppress(OSError), (folder / LOG_FILE).open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        bug = "report.html could not be written; log.txt says why. This is a bug, please report it."
        reporter.line(explain(error, "The report", store.root) or bug)
