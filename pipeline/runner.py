"""Runs a plan on this machine, step by step, and records it."""

from __future__ import annotations

import contextlib
import signal
import traceback
from pathlib import Path

from crossnet.components import interrupts
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.damaged_versions import damaged_in_service
from crossnet.components.files import write_file
from crossnet.components.model_folder import clear_leftovers, record_problems
from crossnet.components.params.trainer import MULTI_WORKER
from crossnet.pipeline import fingerprint as fp
from crossnet.pipeline import notices, snapshots
from crossnet.pipeline.component_call import check_engine, make_engine
from crossnet.pipeline.config import Config, as_values, to_toml
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.digests import keep_digests
from crossnet.pipeline.execution import Execution
from crossnet.pipeline.faults import explain, explained
from crossnet.pipeline.helping_worker import cluster_of, help_with, refuse_run
from crossnet.pipeline.plan import Plan, blocked_steps, check_others_done, make_plan, serving_dir
from crossnet.pipeline.plugin_trial import try_networks
from crossnet.pipeline.recording import Recording, RunResult, removed_on_error
from crossnet.pipeline.reuse import is_refused
from crossnet.pipeline.run_state import FINISHED, KILLED, LOG_FILE, RUNNING, at_work
from crossnet.pipeline.store import Store, utc_now
from crossnet.pipeline.tracking.begin import begin_tracking, tracking
from crossnet.pipeline.tracking.lineage import Lineage, check_lineage


def run_pipeline(
    config: Config,
    root: Path,
    *,
    name: str | None = None,
    until: str | None = None,
    force: str = "",
    jobs: int = 1,
    reporter: Reporter | None = None,
    config_name: str = "",
    made_for: str = "",
) -> RunResult:
    """Runs every step whose artifact is not there yet.

    A run without a `name` in which nothing has to run is not recorded again: the run that it repeats is returned.

    Args:
      config: All settings.
      root: The folder for artifacts, runs and pushed models.
      name: The run's name; None: the time.
      until: The last step to run; None: all.
      force: Push in spite of the gate, and why; empty: do not.
      jobs: How many steps may run at the same time, each in a process of its own. No result depends on it.
      reporter: Where progress is shown.
      config_name: The config file as it was named, for the record.
      made_for: The command whose rows are made, "tune"; empty: the run is one of its own.

    Returns:
      The result; its `error` and `exit_code` tell of failures that have a name.

    Raises:
      PipelineError: The run cannot start.
    """
    return _run(config, Store(root), name, until, force, jobs, reporter, config_name, made_for)


def run_step(
    config: Config,
    root: Path,
    step: str,
    *,
    name: str | None = None,
    force: str = "",
    reporter: Reporter | None = None,
    config_name: str = "",
) -> RunResult:
    """Runs one step from the finished artifacts of those before it; other processes may run other steps meanwhile.

    For orchestrators, which call the steps in their order and repeat one that has failed. A trainer whose strategy is
    multi_worker runs on every worker at the same time; worker 0 alone records it and writes in the root.

    Args:
      config: All settings.
      root: The folder for artifacts, runs and pushed models, which all steps share.
      step: The step.
      name: The run's name; None: the time.
      force: Push in spite of the gate, and why; empty: do not.
      reporter: Where progress is shown.
      config_name: The config file as it was named, for the record.

    Returns:
      The result, with the steps that it reads as reused.

    Raises:
      PipelineError: The step cannot start: one before it has to run first, or it runs in another process.
    """
    cluster = cluster_of(config, step)
    if cluster is not None and not cluster.is_chief:
        return help_with(config, Store(root), step, cluster, reporter or Reporter(quiet=True))
    return _run(config, Store(root), name, step, force, 1, reporter, config_name, alone=True)


def _run(
    config: Config,
    store: Store,
    name: str | None,
    until: str | None,
    force: str,
    jobs: int,
    reporter: Reporter | None,
    config_name: str,
    made_for: str = "",
    *,
    alone: bool = False,
) -> RunResult:
    """Runs all steps up to `until`, or that one `alone`."""
    reporter = reporter or Reporter(quiet=True)
    check_lineage(config.lineage)
    with explained("The run", store.root), store.locked(until or "" if alone else ""):
        with interrupts.last_words(_not_begun):
            _prepare(config, store, reporter, snapshot=not alone or until == "example_gen")
            plan = make_plan(config, store, until=until, force=force)
            if alone:
                check_others_done(plan, store, force=bool(force))
            else:
                refuse_run(config, plan)
            check_engine(config)
            if not alone or config.trainer.strategy != MULTI_WORKER:  # workers come together before TensorFlow begins
                try_networks(plan, reporter)
            keep_digests(store.root, {path: seen for step in plan.values() for path, seen in step.files.items()})
            repeated = _repeated_run(plan, store, force) if name is None else None
            tracked = None if repeated else begin_tracking(config, reporter)
            folder = store.runs / repeated if repeated else store.new_run(name)
            _tell_of_a_kill(store)
            engine = make_engine(config)
            lineage = Lineage(config.lineage, str(store.root), folder.name, config.pusher.model_name, _inputs(plan))
            recording = Recording(_new_result(config, plan, store, folder.name, bool(repeated)), folder, lineage)
            recording.change(config=config_name, model_name=config.pusher.model_name, made_for=made_for)
            execution = Execution(plan, store, reporter, recording, engine, force=bool(force), jobs=jobs)
            if repeated:
                execution.run()
                return recording.result
            with removed_on_error(folder):
                write_file(folder / "config.toml", to_toml(config))
        with engine, tracking(tracked, recording, reporter, as_values(config)):
            _work(execution, recording, store, reporter)
    return recording.result


def _inputs(plan: Plan) -> dict[str, list[Path]]:
    """Returns what each step reads: files from outside, artifacts of other steps and of other runs."""
    return {
        name: [
            *planned.files,
            *(plan[source].path for source in planned.step.input_steps),
            *filter(None, planned.references.values()),
        ]
        for name, planned in plan.items()
    }


def _prepare(config: Config, store: Store, reporter: Reporter, *, snapshot: bool) -> None:
    """Clears what a killed push left, and takes the rows of a query."""
    clear_leftovers(serving_dir(config, store))
    if snapshot:
        snapshots.take(config, store, reporter.line)


def _work(execution: Execution, recording: Recording, store: Store, reporter: Reporter) -> None:
    """Runs the steps, records the end of the run, and writes its pages."""
    folder = recording.folder
    with contextlib.ExitStack() as stack:
        with removed_on_error(folder):
            stack.enter_context(at_work(folder))
            stack.enter_context(interrupts.last_words(recording.interrupted))
            recording.write(RUNNING)
        try:
            with reporter.logging_to(folder / LOG_FILE):
                execution.run()
                interrupts.check()  # a signal that came while a push was recorded
        except BaseException as error:
            if interrupts.signal_of(error) is None:
                _record_bug(recording)
            raise
        _finish(recording, store)
        _write_pages(store, folder, reporter, recording.result.error or "")
        interrupts.settle(recording.result.exit_code)


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


def _repeated_run(plan: Plan, store: Store, force: str) -> str | None:
    """Returns the newest complete run of exactly this plan, if nothing in it has to run again.

    Or the one whose push `evaluator.max_reuse` has refused, if it refuses it still.
    """
    blocked = blocked_steps(plan, force=bool(force))
    waiting = [planned.step for name, planned in plan.items() if not planned.done and name not in blocked]
    if waiting and (force or [step.output for step in waiting] != [PushedModel]):
        return None
    wanted = {name: planned.fingerprint for name, planned in plan.items()}
    for name, run in store.run_records().items():
        if {step: record.fingerprint for step, record in run.steps.items()} != wanted:
            continue
        if run.complete and not waiting:
            return name
        if waiting and run.steps[waiting[0].name].status == "failed" and is_refused(plan, store):
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


def _write_pages(store: Store, folder: Path, reporter: Reporter, said: str) -> None:
    """Writes the run's page and the index. What was pushed stays pushed, also where a page cannot be drawn.

    Args:
      store: The root.
      folder: The run's.
      reporter: Where it is told that a page cannot be drawn.
      said: Why the run has failed; the same reason is not told twice.
    """
    from crossnet.pipeline.report.pages import write_index, write_report

    try:
        write_report(store, folder.name)
        write_index(store)
    except Exception as error:
        with contextlib.suppress(OSError), (folder / LOG_FILE).open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        bug = "report.html could not be written; log.txt says why. This is a bug, please report it."
        sentence = explain(error, "The report", store.root) or bug
        if (sentence.partition(" failed: ")[2] or sentence) not in said:
            reporter.line(sentence)
