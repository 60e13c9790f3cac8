"""Runs the plan on this machine: reuses what is finished, runs the rest, stops where a gate is shut."""

from __future__ import annotations

import contextlib
import importlib
import os
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossnet.components import interrupts
from crossnet.components.artifacts.anomalies import Anomalies
from crossnet.components.artifacts.base import Artifact
from crossnet.components.artifacts.evaluation import MEAN_PREDICTOR, Evaluation
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.errors import DataAnomalyError, NotBlessedError, PipelineError
from crossnet.components.files import json_value, write_json
from crossnet.pipeline import fingerprint as fp
from crossnet.pipeline.config import Config, to_toml
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.graph import Step, model_kind
from crossnet.pipeline.plan import Plan, PlannedStep, blocked_steps, make_plan, passes, serving_dir
from crossnet.pipeline.store import RUN_FILE, Store, utc_now

MODEL_KEYS = ("num_parameters", "train_rmse", "eval_rmse")
STEP_KEYS = ("status", "seconds", "artifact")


@dataclass
class RunResult:
    """What came of a run: the object that `--json` prints, and run.json keeps.

    Attributes:
      run: The run's name.
      root: The root folder.
      steps: By step: status "ran" | "reused" | "failed" | "skipped", seconds, artifact (relative to the root),
        fingerprint, counts.
      verdict: "BLESSED", "NOT_BLESSED", or None before the Evaluator.
      reasons: Why nothing was pushed.
      models: By kind: num_parameters, train_rmse, eval_rmse and further metrics.
      warnings: What is worth knowing and stops nothing.
      exit_code: 0 done, 1 failed, 2 wrong usage, 3 the gate is closed.
      error: The failure in words; None without one.
      up_to_date: Whether nothing had to run.
      artifacts: The finished artifacts by step.
    """

    run: str
    root: str
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    verdict: str | None = None
    reasons: list[str] = field(default_factory=list)
    pushed_version: int | None = None
    serving_dir: str = ""
    champion: str | None = None
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    exit_code: int = 0
    error: str | None = None
    up_to_date: bool = False
    artifacts: dict[str, Artifact] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints; run.json keeps more of each model and step."""
        keys = ("run", "root", "verdict", "reasons", "pushed_version", "serving_dir", "champion")
        facts = {key: getattr(self, key) for key in keys}
        facts["models"] = {
            kind: _only(model, MODEL_KEYS) for kind, model in self.models.items() if kind != MEAN_PREDICTOR
        }
        facts["steps"] = {name: _only(step, STEP_KEYS) for name, step in self.steps.items()}
        if self.exit_code in (1, 2):
            facts["error"] = self.error
        return dict(json_value(facts))


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
        plan = make_plan(config, store, until=until, force=force)
        repeated = _repeated_run(plan, store, force) if name is None else None
        folder = store.runs / repeated if repeated else store.new_run(name)
        result = RunResult(folder.name, str(store.root), serving_dir=str(serving_dir(config, store)))
        result.up_to_date = repeated is not None
        if repeated:
            _execute(plan, store, result, reporter, force)
            return result
        (folder / "config.toml").write_text(to_toml(config), encoding="utf-8")
        started = utc_now()
        try:
            with reporter.logging_to(folder / "log.txt"):
                _execute(plan, store, result, reporter, force)
        except BaseException:
            result.exit_code, result.error = 1, "Internal error or interruption; see log.txt."
            raise
        finally:
            _record(folder, config, plan, result, started)
        _write_pages(store, folder, reporter)
    return result


def _execute(plan: Plan, store: Store, result: RunResult, reporter: Reporter, force: str) -> None:
    """Runs or reuses each step in turn, and fills `result`."""
    blocked: set[str] = set()  # steps that did not pass; what comes after them is skipped
    for name, planned in plan.items():
        needs = {*planned.step.input_steps, *planned.step.after}
        if blocked & needs or result.exit_code in (1, 2):
            blocked.add(name)
            _note(result, planned, "skipped", store)
            continue
        start = time.perf_counter()
        status = "reused"
        try:
            interrupts.check()
            if planned.done:
                artifact = planned.load()
            else:
                status = "ran"
                with reporter.working(name):
                    artifact = _run_step(planned, store, result.artifacts)
        except PipelineError as error:
            _note(result, planned, "failed", store, seconds=time.perf_counter() - start)
            reporter.line(f"{name:<19} failed")
            result.exit_code = error.exit_code
            if isinstance(error, NotBlessedError):
                result.reasons = [str(error)]
            else:
                result.error = str(error)
            blocked.add(name)
            continue
        except BaseException:
            _note(result, planned, "failed", store, seconds=time.perf_counter() - start)
            traceback.print_exc()  # into the log; the command line shows it too, as our bug
            raise
        result.artifacts[name] = artifact
        seconds = time.perf_counter() - start
        _note(result, planned, status, store, seconds=seconds, counts=artifact.counts)
        if not result.up_to_date:
            reporter.line(f"{name:<19} {status:<6} {seconds:6.1f} s  {_summary(artifact)}")
        _judge(artifact, result, force)
        if not passes(artifact, force=bool(force)):
            blocked.add(name)


def _run_step(planned: PlannedStep, store: Store, made: dict[str, Artifact]) -> Artifact:
    """Calls the component in a folder of its own and makes its artifact final."""
    step = planned.step
    module, _, function = step.function.partition(":")
    component = getattr(importlib.import_module(module), function)
    arguments: dict[str, Any] = dict(step.settings)
    for argument, source in step.inputs.items():
        arguments[argument] = (
            made[source] if isinstance(source, str) else {model_kind(name): made[name] for name in source}
        )
    for argument, path in planned.references.items():
        arguments[argument] = _load_reference(step, argument, path)
    if step.output is Model:
        arguments["checkpoint_dir"] = store.checkpoints / planned.fingerprint
    with store.working_folder(step.name) as folder:
        artifact = component(output_dir=folder, **arguments)
        store.finish(artifact, step.name, planned.fingerprint, planned.parts)
    return planned.load()


def _load_reference(step: Step, argument: str, path: Path | None) -> Path | Artifact | None:
    """Returns a reference as the component takes it: an artifact of an earlier run, or a plain folder."""
    kind = {"previous_statistics": Statistics, "previous_schema": Schema}
    wanted: type[Artifact] | None = kind.get(step.references[argument])
    return wanted.load(path) if wanted and path else path


def _judge(artifact: Artifact, result: RunResult, force: str) -> None:
    """Takes over what an artifact says about the whole run."""
    if isinstance(artifact, Anomalies):
        if artifact.has_errors:
            result.exit_code, result.error = DataAnomalyError.exit_code, artifact.summary
        elif artifact.summary:
            result.warnings.append(artifact.summary)
    elif isinstance(artifact, Evaluation):
        result.verdict = "BLESSED" if artifact.blessed else "NOT_BLESSED"
        result.champion, result.reasons = artifact.champion, artifact.reasons
        result.models = {name: artifact.metrics[name] for name in artifact.verdict["models"]}
        result.exit_code = 0 if passes(artifact, force=bool(force)) else NotBlessedError.exit_code
    elif isinstance(artifact, InfraValidation) and not artifact.blessed:
        result.reasons = [*result.reasons, *artifact.reasons]
        result.exit_code = NotBlessedError.exit_code
    elif isinstance(artifact, PushedModel):
        result.pushed_version = artifact.version


def _only(facts: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: facts[key] for key in keys}


def _note(result: RunResult, planned: PlannedStep, status: str, store: Store, **facts: Any) -> None:
    there = status in ("ran", "reused")
    result.steps[planned.step.name] = {
        "status": status,
        "seconds": round(facts.pop("seconds", 0.0), 3),
        "artifact": str(planned.path.relative_to(store.root)) if there else None,
        "fingerprint": planned.fingerprint,
        **facts,
    }


def _summary(artifact: Artifact) -> str:
    if isinstance(artifact, PushedModel):
        return f"version {artifact.version}" + ("" if artifact.counts["pushed"] else " (was there already)")
    if isinstance(artifact, Evaluation | InfraValidation):
        return "blessed" if artifact.blessed else "not blessed"
    return ", ".join(f"{name} {count:,}" for name, count in artifact.counts.items())


def _repeated_run(plan: Plan, store: Store, force: str) -> str | None:
    """Returns the newest complete run of exactly this plan, if nothing in it has to run again."""
    blocked = blocked_steps(plan, force=bool(force))
    if any(not planned.done and name not in blocked for name, planned in plan.items()):
        return None
    wanted = {name: planned.fingerprint for name, planned in plan.items()}
    for name in store.run_names():
        run = store.read_run(name)
        if {step: facts["fingerprint"] for step, facts in run["steps"].items()} == wanted and run["complete"]:
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


def _record(folder: Path, config: Config, plan: Plan, result: RunResult, started: str) -> None:
    """Writes run.json and a link per finished step."""
    for name, facts in result.steps.items():
        if facts["artifact"]:
            with contextlib.suppress(FileExistsError):
                (folder / name).symlink_to(os.path.relpath(plan[name].path, folder))
    failed = any(facts["status"] == "failed" for facts in result.steps.values())
    write_json(
        folder / RUN_FILE,
        {
            **result.to_json(),
            "models": result.models,
            "steps": result.steps,
            "started": started,
            "finished": utc_now(),
            "complete": not failed and len(result.steps) == len(plan),
            "exit_code": result.exit_code,
            "error": result.error,
            "warnings": result.warnings,
            "versions": fp.library_versions(),
            "graph": {name: [*planned.step.input_steps] for name, planned in plan.items()},
        },
        sort=False,  # steps and models stay in their order
    )
