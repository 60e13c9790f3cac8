"""Plans a run: the fingerprint of every step, and what must run.

All fingerprints are known before anything runs. Loads no TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossnet.components.artifacts.base import Artifact
from crossnet.components.artifacts.integrity import Damage
from crossnet.components.errors import MissingArtifactError, SettingsError
from crossnet.components.files import json_value
from crossnet.components.formats import counted
from crossnet.components.networks.tfrs_cross import tfrs_problem
from crossnet.pipeline import fingerprint as fp
from crossnet.pipeline.changes import Seen, look
from crossnet.pipeline.config import Config
from crossnet.pipeline.digests import known_digests
from crossnet.pipeline.graph import Step, build_graph
from crossnet.pipeline.reasons import reasons
from crossnet.pipeline.run_record import RunRecord
from crossnet.pipeline.snapshots import with_snapshot
from crossnet.pipeline.source_code import code_digests
from crossnet.pipeline.store import Store
from crossnet.pipeline.wholeness import describe, examine, was_set_aside
from crossnet.serving.protocol.suggestions import did_you_mean


@dataclass(frozen=True)
class PlannedStep:
    """A step with its fingerprint.

    Attributes:
      step: The step.
      fingerprint: 16 hex digits.
      parts: What the fingerprint is made of, JSON values: function, params, inputs, order (of inputs that are several
        models), data, references, code, versions.
      files: The outside files that the step reads, in their order, as they were seen.
      references: Argument -> folder outside the graph, None where there is none.
      path: Where the artifact is or will be.
      done: Whether it is there and whole, fits what its inputs are now and, for a push, is still in service.
      damage: What is damaged in it.
      changed: Steps whose artifacts were made again, with other content, after this one was made from them.
    """

    step: Step
    fingerprint: str
    parts: Mapping[str, Any]
    files: Mapping[Path, Seen]
    references: Mapping[str, Path | None]
    path: Path
    done: bool
    damage: tuple[Damage, ...] = ()
    changed: tuple[str, ...] = ()

    def load(self) -> Artifact:
        """Returns the finished artifact."""
        return self.step.output.load(self.path)


Plan = dict[str, PlannedStep]


def make_plan(config: Config, store: Store, *, until: str | None = None, force: str = "") -> Plan:
    """Returns all planned steps by name, in order; with `until`, up to that step and only what it needs.

    Raises:
      SettingsError: `until` names no step, a model needs a library that is not installed, or a warm start is not there.
      DataError: Input files are not there.
    """
    if problem := tfrs_problem(config.models):
        raise SettingsError(problem)
    config = with_snapshot(config, store)
    graph = build_graph(config, serving_dir=str(serving_dir(config, store)), force=force)
    wanted = _wanted(graph, until)
    plan: Plan = {}
    for step in graph:
        if step.name not in wanted:
            continue
        references = {name: reference.find(store, plan) for name, reference in step.references.items()}
        files = _look(step, store)
        parts = {
            "function": step.function,
            "params": fp.settings_text(step.settings),
            "inputs": {
                argument: plan[source].fingerprint
                if isinstance(source, str)
                else {name: plan[name].fingerprint for name in source}
                for argument, source in step.inputs.items()
            },
            "order": {
                argument: list(source) for argument, source in step.inputs.items() if not isinstance(source, str)
            },
            "data": {name: seen.digest for name, seen in zip(fp.file_names([*files]), files.values(), strict=True)},
            "references": {
                name: None if path is None else step.references[name].digest(path) for name, path in references.items()
            },
            "code": code_digests(*step.modules),
            "versions": fp.counted_versions(fp.library_versions(step.libraries)),
        }
        digest = fp.step_fingerprint(parts)
        path = store.artifact_path(step.name, digest)
        plan[step.name] = PlannedStep(step, digest, parts, files, references, path, *examine(step, path, plan, store))
    return plan


def serving_dir(config: Config, store: Store) -> Path:
    """Returns the folder that servers watch."""
    return Path(config.pusher.serving_dir) if config.pusher.serving_dir else store.serving_models


def blocked_steps(plan: Plan, *, force: bool = False) -> dict[str, str]:
    """Returns the steps that would be skipped because a finished step before them did not pass: step -> that step."""
    blocked: dict[str, str] = {}
    failed: set[str] = set()
    for name, planned in plan.items():
        needs = [*planned.step.input_steps, *planned.step.after]
        shut = next((need for need in needs if need in failed), None) or next(
            (blocked[need] for need in needs if need in blocked), None
        )
        if shut:
            blocked[name] = shut
        elif planned.done and not planned.load().passes(force=force):
            failed.add(name)
    return blocked


def check_others_done(plan: Plan, store: Store, *, force: bool) -> None:
    """Checks that no step but the last of the plan has to run; those behind a closed gate never do.

    Raises:
      MissingArtifactError: One has.
    """
    *before, (last, _) = plan.items()
    blocked = blocked_steps(plan, force=force)
    waiting = {name: planned for name, planned in before if not planned.done and name not in blocked}
    if waiting:
        reasons = "; ".join(f"`{name}`: {differences(planned, store)[0]}" for name, planned in waiting.items())
        raise MissingArtifactError(
            f"`{last}` cannot run before {counted(len(waiting), 'other step')} - {reasons}. Run each with the same "
            f"config and root first, such as `crossnet step {next(iter(waiting))}`, or all with "
            f"`crossnet run --until {last}`."
        )


def differences(planned: PlannedStep, store: Store) -> list[str]:
    """Returns, in words, what differs from the step's youngest artifact; empty when it is that artifact."""
    name = planned.step.name
    if planned.damage:
        return [f"its artifact is damaged: {describe(planned.damage)}"]
    if planned.changed:
        return [f"{source} was made again, with other content" for source in planned.changed]
    made = {run.steps[name].fingerprint for run in store.run_records().values() if _has_made(run, name)}
    if planned.fingerprint in made and not planned.path.is_dir():
        return ["its artifact was damaged and set aside" if was_set_aside(planned.path) else "its artifact was removed"]
    if store.is_finished(name, planned.fingerprint):
        return [] if planned.done else ["its version is no longer the newest in service, or not as it was pushed"]
    facts = store.newest_facts(name)
    if facts is None:
        return ["its artifacts were removed" if made else "it has never run in this root"]
    return reasons(planned.step, facts, json_value(planned.parts))


def _has_made(run: RunRecord, step: str) -> bool:
    """Whether a run made or reused the artifact of a step."""
    return step in run.steps and run.steps[step].artifact is not None


def _wanted(graph: tuple[Step, ...], until: str | None) -> set[str]:
    steps = {step.name: step for step in graph}
    if until is None:
        return set(steps)
    if until not in steps:
        raise SettingsError(f"No step `{until}`.{did_you_mean(until, steps)} The steps are: {', '.join(steps)}.")
    wanted: set[str] = set()
    waiting = [until]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += [*steps[name].input_steps, *steps[name].after]
    return wanted


def _look(step: Step, store: Store) -> dict[Path, Seen]:
    """Returns the outside files that the step reads, with their digests; several are read at the same time."""
    if step.data is None:
        return {}
    try:
        files, known = list(step.data()), known_digests(store.root)
        if len(files) < 2:
            return {file: look(file, known.get(file.absolute())) for file in files}
        before = [known.get(file.absolute()) for file in files]
        readers = ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="digests")
        try:
            return dict(zip(files, readers.map(look, files, before), strict=True))
        finally:
            readers.shutdown(wait=False, cancel_futures=True)  # a signal waits for no file
    except OSError as error:
        raise SettingsError(
            f"Cannot read `{error.filename}`: {error.strerror}. Check `{step.name}` in the config."
        ) from None
