"""Reads and writes run.json, the record of one run."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from crossnet.components.artifacts.base import Outcome
from crossnet.components.artifacts.evaluation import BLESSED, NOT_MODELS
from crossnet.components.errors import UnreadableFileError
from crossnet.components.files import json_value, read_object, write_json
from crossnet.components.formats import counted
from crossnet.pipeline.run_state import FINISHED, INTERRUPTED, KILLED, RUNNING, is_at_work

RUN_FILE = "run.json"
FORMAT = 1  # raised when an older program could not read the file

# What `--json` prints of a run, of a model and of a step; run.json keeps more.
SUMMARY_KEYS = ("run", "root", "verdict", "reasons", "pushed_version", "serving_dir", "champion")
MODEL_KEYS = ("num_parameters", "train_rmse", "eval_rmse")
STEP_KEYS = ("status", "seconds", "artifact")

# How a run ended, in a word. DONE: without a verdict, as with --until. NOT_PUSHED: blessed, but not by the server.
STATUSES = ("BLESSED", "NOT_BLESSED", "NOT_PUSHED", "FAILED", "INTERRUPTED", "KILLED", "RUNNING", "DONE")


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One step of a run.

    Attributes:
      status: "ran", "reused", "failed", "skipped" or "interrupted"; "running" while it does.
      seconds: Wall-clock time.
      artifact: The artifact's folder, relative to the root; None where there is none.
      fingerprint: The step's fingerprint, 16 hex digits.
      counts: The artifact's counts.
    """

    status: str = ""
    seconds: float = 0.0
    artifact: str | None = None
    fingerprint: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What is kept of a run.

    Attributes:
      run: The run's name.
      number: Its place in the order of the root's runs, from 1, whatever the clock said; 0: an older version wrote it.
      root: The root folder.
      started, finished: Times, UTC, ISO 8601.
      verdict: "BLESSED", "NOT_BLESSED", or None before the Evaluator.
      reasons: Why nothing was pushed.
      pushed_version: The version in service after the run, or None.
      serving_dir: The folder that servers watch.
      champion: The blessed model's name, or None.
      models: By model: num_parameters, train_rmse, eval_rmse and further metrics.
      steps: By step, in the order of the graph.
      state: "finished"; "running", of a run whose process lives; "interrupted" by a signal; "killed" without a word.
      complete: Whether every step of the plan was reached and none failed.
      exit_code: 0 done, 1 failed, 2 wrong usage, 3 the gate is closed, 130 SIGINT, 143 SIGTERM. JSON has null for a run
        that is running or was killed.
      error: The failure in words; None without one.
      warnings: What is worth knowing and stops nothing.
      eval_rows: What the eval rows are: 16 hex digits of their content; empty before the Evaluator.
      judged: How many different candidates these rows have judged in this root, with those of this run.
      versions: Versions of Python and of the libraries that change results.
      graph: By step, the steps whose artifacts it reads.
      config: The config file that it was started with, as it was named; "" where none was.
      model_name: `pusher.model_name`; "" where an older version wrote the record.
      made_for: The command whose rows it made, "tune"; "" for a run of its own.
      format: Which version of this file it is.
    """

    run: str = ""
    number: int = 0
    root: str = ""
    started: str = ""
    finished: str = ""
    verdict: str | None = None
    reasons: tuple[str, ...] = ()
    pushed_version: int | None = None
    serving_dir: str = ""
    champion: str | None = None
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    steps: Mapping[str, StepRecord] = field(default_factory=dict)
    state: str = FINISHED
    complete: bool = False
    exit_code: int = 0
    error: str | None = None
    warnings: tuple[str, ...] = ()
    eval_rows: str = ""
    judged: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    graph: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    config: str = ""
    model_name: str = ""
    made_for: str = ""
    format: int = FORMAT

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """Returns the record that run.json holds; what an older version did not write has its default."""
        known = {item.name for item in dataclasses.fields(cls)}
        values = {name: value for name, value in facts.items() if name in known}
        values["exit_code"] = values.get("exit_code") or 0
        for name in ("reasons", "warnings"):
            values[name] = tuple(values.get(name, ()))
        fields = {item.name for item in dataclasses.fields(StepRecord)}
        values["steps"] = {
            step: StepRecord(**{name: value for name, value in record.items() if name in fields})
            for step, record in values.get("steps", {}).items()
        }
        values["graph"] = {step: tuple(inputs) for step, inputs in values.get("graph", {}).items()}
        return cls(**values)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Returns the record of the run in `folder`. One that says "running" and has no process was killed.

        Raises:
          FileNotFoundError: It has no run.json.
          UnreadableFileError: That cannot be read, or does not hold a run.
        """
        file = folder / RUN_FILE
        advice = f"Remove the folder `{folder}` if you do not need that run."
        try:
            facts = read_object(file)
        except UnreadableFileError as error:
            raise error.advise(advice) from error
        if problem := _problem(facts):
            raise UnreadableFileError(file, problem, advice)
        record = cls.from_json(facts)
        if record.state != RUNNING or is_at_work(folder):
            return record
        steps = {
            name: dataclasses.replace(step, status=INTERRUPTED) if step.status == RUNNING else step
            for name, step in record.steps.items()
        }
        return dataclasses.replace(record, state=KILLED, steps=steps, error=record.error or _killed(steps))

    def write(self, folder: Path) -> None:
        """Writes run.json into `folder`; steps and models keep their order."""
        write_json(folder / RUN_FILE, self.to_json(), sort=False)

    def to_json(self) -> dict[str, Any]:
        """Returns the record as JSON values."""
        facts = {item.name: getattr(self, item.name) for item in dataclasses.fields(RunRecord)}
        facts["steps"] = {name: dataclasses.asdict(step) for name, step in self.steps.items()}
        if not self.has_exit_code:
            facts["exit_code"] = None
        return dict(json_value(facts))

    def summary(self) -> dict[str, Any]:
        """Returns the object that `crossnet run --json` prints, JSON values."""
        facts = self.to_json()
        kept = {name: facts[name] for name in SUMMARY_KEYS}
        kept["models"] = {
            name: {key: metrics[key] for key in MODEL_KEYS}
            for name, metrics in facts["models"].items()
            if name not in NOT_MODELS
        }
        kept["steps"] = {name: {key: step[key] for key in STEP_KEYS} for name, step in facts["steps"].items()}
        if self.exit_code not in (0, 3):
            kept["error"] = self.error
        return kept

    def add(self, outcome: Outcome) -> Self:
        """Returns the record with what an artifact adds to it."""
        return dataclasses.replace(
            self,
            verdict=outcome.verdict or self.verdict,
            champion=outcome.champion or self.champion,
            models=outcome.models or self.models,
            pushed_version=outcome.pushed_version or self.pushed_version,
            reasons=(*self.reasons, *outcome.reasons),
            # All models may say the same.
            warnings=tuple(dict.fromkeys((*self.warnings, *outcome.warnings))),
            error=outcome.error or self.error,
            exit_code=outcome.exit_code or self.exit_code,
        )

    @property
    def stopped_in(self) -> tuple[str, ...]:
        """The steps that are running, or were interrupted or killed; none between two steps."""
        return tuple(name for name, step in self.steps.items() if step.status in (RUNNING, INTERRUPTED))

    @property
    def has_exit_code(self) -> bool:
        """Whether the run has ended by itself or by a signal that it noticed."""
        return self.state not in (RUNNING, KILLED)

    @property
    def status(self) -> str:
        """How the run ended: one of `STATUSES`."""
        if self.state != FINISHED:
            return self.state.upper()
        if self.exit_code in (1, 2):
            return "FAILED"
        if self.verdict == BLESSED and self.exit_code:
            return "NOT_PUSHED"
        return self.verdict or "DONE"

    @property
    def why(self) -> str:
        """Why the run did not push: the failure, or the first reason; empty where it did, or was not to."""
        if self.made_for and not self.error:
            return f"It made the rows for `crossnet {self.made_for}`."
        return self.error or next(iter(self.reasons), "")

    @property
    def seconds(self) -> float:
        """Wall-clock time of its steps, one after the other."""
        return sum(step.seconds for step in self.steps.values() if step.status != "reused")

    @property
    def blessed(self) -> bool:
        """Whether the Evaluator blessed a model."""
        return self.verdict == BLESSED


def _killed(steps: Mapping[str, StepRecord]) -> str:
    """Returns the sentence for a run whose process is gone."""
    stopped = [name for name, step in steps.items() if step.status == INTERRUPTED]
    return (
        f"Killed{in_steps(stopped)}: the process ended without a word, as after kill -9, a power cut or a lack of "
        f"memory. {kept_steps(steps)}"
    )


def in_steps(names: Sequence[str]) -> str:
    """Returns where a run is or was, such as " in `trainer_dense`", to be put behind a verb; empty: in no step."""
    return f" in {' and '.join(f'`{name}`' for name in names)}" if names else ""


def kept_steps(steps: Mapping[str, StepRecord]) -> str:
    """Returns how many finished steps the next run reuses, and what to do, as a sentence."""
    kept = sum(step.status in ("ran", "reused") for step in steps.values())
    if not kept:
        return "No step was finished. Run again to begin anew."
    return f"{counted(kept, 'finished step')} {'is' if kept == 1 else 'are'} kept. Run again to go on."


def _problem(facts: Mapping[str, Any]) -> str:
    """Returns why these JSON values are not the record of a run; empty where they are."""
    if isinstance(version := facts.get("format", FORMAT), int) and version > FORMAT:
        return f"a newer version of this program wrote it (format {version}, this one reads {FORMAT})"
    for name, hint in _hints(RunRecord).items():
        if name in facts and not _fits(facts[name], int | None if name == "exit_code" else hint):
            return f"`{name}` holds another type of value than expected"
    try:
        for name in ("started", "finished"):
            if facts.get(name):
                datetime.datetime.fromisoformat(facts[name])
    except ValueError:
        return f"`{name}` is not a time"
    if facts.get("champion") not in (None, *facts.get("models", {})):
        return "`champion` is not among `models`"
    for model, metrics in facts.get("models", {}).items():
        for name in MODEL_KEYS:
            if not isinstance(metrics.get(name), int | float | None):
                return f"`{name}` of `{model}` is not a number"
    return ""


@functools.cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value can fill a field of this type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin is types.UnionType:
        return any(_fits(value, argument) for argument in arguments)
    if origin is tuple:
        return isinstance(value, list) and all(_fits(item, arguments[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, dict) and all(_fits(item, arguments[1]) for item in value.values())
    if dataclasses.is_dataclass(hint):
        fields = _hints(typing.cast(type, hint))
        return isinstance(value, dict) and all(_fits(value[name], fields[name]) for name in fields if name in value)
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, hint)
