"""Runs a plan on this machine, step by step, and records it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crossnet.components import interrupts
from crossnet.components.artifacts.base import Artifact
from crossnet.components.errors import ChangedError, NotBlessedError, PipelineError
from crossnet.components.model_folder import clear_leftovers, record_problems
from crossnet.pipeline import fingerprint as fp
from crossnet.pipeline.changes import noticed
from crossnet.pipeline.config import Config, to_toml
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.execution import call_component
from crossnet.pipeline.plan import Plan, PlannedStep, blocked_steps, make_plan, serving_dir
from crossnet.pipeline.run_record import RunRecord, StepRecord
from crossnet.pipeline.store import Store, utc_now
from crossnet.pipeline.wholeness import MADE_FROM, Repairs, checkpoint_folder, made_from


@dataclass(frozen=True, kw_only=True)
class RunResult(RunRecord):
    """A run's record, and what only this process knows of it.

    Attributes:
      up_to_date: Whether nothing had to run.
      artifacts: The finished artifacts by step.
    """

    up_to_date: bool = False
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)


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
    with store.locked():
        clear_leftovers(serving_dir(config, store))
        plan = make_plan(config, store, until=until, force=force)
        repeated = _repeated_run(plan, store, force) if name is None else None
        folder = store.runs / repeated if repeated else store.new_run(name)
        execution = _Execution(plan, store, reporter, force=bool(force))
        execution.result = _new_result(config, plan, store, folder.name, up_to_date=repeated is not None)
        if repeated:
            execution.run()
            return execution.result
        (folder / "config.toml").write_text(to_toml(config), encoding="utf-8")
        try:
            with reporter.logging_to(folder / "log.txt"):
                execution.run()
        except BaseException:
            execution.change(exit_code=1, error="Internal error or interruption; see log.txt.")
            raise
        finally:
            _record(folder, plan, execution)
        _write_pages(store, folder, reporter)
    return execution.result


def _new_result(config: Config, plan: Plan, store: Store, name: str, *, up_to_date: bool) -> RunResult:
    """Returns what is known of a run before its first step."""
    served = serving_dir(config, store)
    return RunResult(
        run=name,
        number=store.next_run_number(),
        root=str(store.root),
        serving_dir=str(served),
        up_to_date=up_to_date,
        started=utc_now(),
        warnings=record_problems(served / config.pusher.model_name),
        versions=fp.library_versions(tuple(sorted({name for step in plan.values() for name in step.step.libraries}))),
        graph={step: planned.step.input_steps for step, planned in plan.items()},
    )


class _Execution:
    """Runs or reuses the steps of one plan in turn.

    Attributes:
      result: What has come of the run so far.
    """

    result: RunResult

    def __init__(self, plan: Plan, store: Store, reporter: Reporter, *, force: bool) -> None:
        self._plan, self._store, self._reporter, self._force = plan, store, reporter, force
        self._blocked: set[str] = set()  # steps that did not pass; the steps after them are skipped
        self._repairs = Repairs(plan, store, self._make_again, self._warn)

    def change(self, **values: object) -> None:
        """Sets fields of the result."""
        self.result = dataclasses.replace(self.result, **values)  # type: ignore[arg-type]

    def run(self) -> None:
        """Runs, reuses or skips each step."""
        self._repairs.set_aside_others()
        for planned in self._plan.values():
            step = planned.step
            if self._blocked & {*step.input_steps, *step.after} or self.result.exit_code in (1, 2):
                self._blocked.add(step.name)
                self._note(planned, "skipped")
            else:
                self._run_or_reuse(planned)

    def _run_or_reuse(self, planned: PlannedStep) -> None:
        name, start = planned.step.name, time.perf_counter()
        try:
            interrupts.check()
            if self._repairs.is_reusable(planned):
                status, artifact = "reused", planned.load()
            else:
                status = "ran"
                with self._reporter.working(name):
                    artifact = self._run_step(planned)
        except PipelineError as error:
            self._note(planned, "failed", seconds=time.perf_counter() - start)
            self._reporter.line(f"{name:<19} failed")
            words = {"reasons": (str(error),)} if isinstance(error, NotBlessedError) else {"error": str(error)}
            self.change(exit_code=error.exit_code, **words)
            self._blocked.add(name)
            return
        except BaseException:
            self._note(planned, "failed", seconds=time.perf_counter() - start)
            traceback.print_exc()  # into the log; the command line shows it too, as our bug
            raise
        seconds = time.perf_counter() - start
        self._note(planned, status, seconds=seconds, counts=artifact.counts)
        if not self.result.up_to_date:
            self._reporter.line(f"{name:<19} {status:<6} {seconds:6.1f} s  {artifact.headline}")
        self.result = self.result.add(artifact.outcome(force=self._force))
        self.change(artifacts={**self.result.artifacts, name: artifact})
        if not artifact.passes(force=self._force):
            self._blocked.add(name)

    def _run_step(self, planned: PlannedStep) -> Artifact:
        """Makes the artifact of a step, and first those that it reads where they are damaged.

        Damage in shards shows only when a step reads them: then they are made again, and the step runs once more.
        """
        self._repairs.make_room(planned)
        self._repairs.repair_inputs(planned)
        try:
            return self._call(planned)
        except NotBlessedError:
            raise
        except Exception:
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
                with noticed(planned):
                    artifact = call_component(
                        step,
                        self.result.artifacts,
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
                "run_number": self.result.number,
            }
            self._store.finish(artifact, step.name, planned.fingerprint, made_of)
        return planned.load()

    def _make_again(self, planned: PlannedStep) -> None:
        """Makes an artifact again that was damaged after this run had begun to use it."""
        start = time.perf_counter()
        artifact = self._run_step(planned)
        self._note(planned, "ran", seconds=time.perf_counter() - start, counts=artifact.counts)
        self.change(artifacts={**self.result.artifacts, planned.step.name: artifact})

    def _warn(self, sentence: str) -> None:
        self._reporter.line(sentence)
        self.change(warnings=(*self.result.warnings, sentence))

    def _note(
        self, planned: PlannedStep, status: str, *, seconds: float = 0.0, counts: Mapping[str, int] | None = None
    ) -> None:
        is_there = status in ("ran", "reused")
        record = StepRecord(
            status=status,
            seconds=round(seconds, 3),
            artifact=str(planned.path.relative_to(self._store.root)) if is_there else None,
            fingerprint=planned.fingerprint,
            counts=counts or {},
        )
        self.change(steps={**self.result.steps, planned.step.name: record})


def _repeated_run(plan: Plan, store: Store, force: str) -> str | None:
    """Returns the newest complete run of exactly this plan, if nothing in it has to run again."""
    blocked = blocked_steps(plan, force=bool(force))
    if any(not planned.done and name not in blocked for name, planned in plan.items()):
        return None
    wanted = {name: planned.fingerprint for name, planned in plan.items()}
    for name in store.run_names():
        run = store.read_run(name)
        if run.complete and {step: record.fingerprint for step, record in run.steps.items()} == wanted:
            return name
    return None


def _write_pages(store: Store, folder: Path, reporter: Reporter) -> None:
    """Writes the run's page and the index. What was pushed stays pushed, also where a page cannot be drawn."""
    from crossnet.pipeline.report.pages import write_index, write_report

    try:
        write_report(store, folder.name)
        write_index(store)
    except Exception:
        with (folder / "log.txt").open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        reporter.line("report.html could not be written; log.txt says why. This is a bug, please report it.")


def _record(folder: Path, plan: Plan, execution: _Execution) -> None:
    """Writes run.json and a link per finished step."""
    steps = execution.result.steps
    for name, step in steps.items():
        if step.artifact:
            with contextlib.suppress(FileExistsError):
                (folder / name).symlink_to(os.path.relpath(plan[name].path, folder))
    failed = any(step.status == "failed" for step in steps.values())
    execution.change(finished=utc_now(), complete=not failed and len(steps) == len(plan))
    execution.result.write(folder)
