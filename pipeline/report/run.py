"""Reads one run from disk for its report, without TensorFlow."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from crossnet.components.artifacts.base import ARTIFACT_FILE, Artifact, read_facts
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import MissingArtifactError, PipelineError
from crossnet.pipeline import notices
from crossnet.pipeline.config import Config, load_recorded
from crossnet.pipeline.graph import artifact_types, build_graph, model_kind
from crossnet.pipeline.run_record import RunRecord
from crossnet.pipeline.store import Store
from crossnet.serving.protocol.dtypes import Array

Kind = TypeVar("Kind", bound=Artifact)

LOG_LINES = 40


@dataclass(frozen=True)
class Run:
    """One run as read from disk.

    Attributes:
      name: Its name.
      record: What run.json holds.
      config_text: config.toml.
      settings: The same, parsed.
      config: The same, checked; None where this version no longer knows a setting.
      artifacts: By step, those that still exist.
      log: The last lines of log.txt.
    """

    name: str
    record: RunRecord
    config_text: str
    settings: Mapping[str, Any]
    config: Config | None = None
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    log: str = ""

    def get(self, kind: type[Kind], step: str) -> Kind | None:
        """Returns a step's artifact; None where it does not exist or has another type."""
        artifact = self.artifacts.get(step)
        return artifact if isinstance(artifact, kind) else None

    @property
    def evaluation(self) -> Evaluation | None:
        """What the Evaluator made."""
        return self.get(Evaluation, "evaluator")

    @property
    def models(self) -> dict[str, Model]:
        """The trained models by kind, in order of preference."""
        return {model_kind(name): item for name, item in self.artifacts.items() if isinstance(item, Model)}

    def why_missing(self, step: str) -> str:
        """Returns, as a sentence, why there is nothing to show of a step."""
        record = self.record.steps.get(step)
        if record is None and step in self.record.graph:
            return f"`{step}` was not reached."
        if record is None:
            return f"`{step}` was not part of this run."
        if record.status in ("failed", "interrupted"):
            return f"`{step}` {'failed' if record.status == 'failed' else 'was interrupted'}."
        if record.status == "running":
            return f"`{step}` is running."
        if record.status == "skipped":
            return f"`{step}` did not run, because a step before it did not pass."
        return f"The artifact of `{step}` is no longer there, or was written by another version."


def load_facts(store: Store, name: str) -> Run:
    """Returns a run without its artifacts, as the index of runs needs it."""
    folder = store.runs / name
    text, settings = _text(folder / "config.toml"), dict[str, Any]()
    try:
        settings = tomllib.loads(text)
    except ValueError as error:
        notices.say(f"Skipped the settings of a run: `{folder / 'config.toml'}` is not valid TOML: {error}.")
    return Run(name, store.read_run(name), text, settings)


def load_run(store: Store, name: str) -> Run:
    """Returns a run with its artifacts and the end of its log."""
    run, folder = load_facts(store, name), store.runs / name
    config = None
    with contextlib.suppress(PipelineError):
        config = load_recorded(folder / "config.toml")
    types, found = artifact_types(), dict[str, Artifact]()
    own = {*run.record.steps} - {step.name for step in build_graph(config)} if config and config.plugins else set()
    for step, record in run.record.steps.items():
        path = store.root / (record.artifact or "")
        if not os.path.lexists(path / ARTIFACT_FILE):
            continue
        try:
            facts = read_facts(path)
            if kind := types.get(facts["type"]):
                store.fetch_rows(path)
                found[step] = kind.load(path)
            elif step in own:  # its class is in a user's project
                found[step] = Artifact(path, facts["counts"], facts["properties"], facts["fingerprint"])
        except MissingArtifactError as error:
            notices.say(f"Skipped an artifact: {error}")
    log = "\n".join(_text(folder / "log.txt").splitlines()[-LOG_LINES:])
    return dataclasses.replace(run, config=config, artifacts=found, log=log)


def _text(file: Path) -> str:
    """Returns a file's text; empty where it is not there or cannot be read, which the page then lacks."""
    try:
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    except OSError as error:
        notices.say(f"Skipped `{file}`: it cannot be read: {error.strerror}.")
        return ""


def needs(run: Run) -> dict[str, list[str]]:
    """Returns, for each step of a run, the steps that must come before it."""
    if run.config is None:
        return {name: list(inputs) for name, inputs in run.record.graph.items()}
    graph = {step.name: [*step.input_steps, *step.after] for step in build_graph(run.config)}
    return {name: graph.get(name, list(inputs)) for name, inputs in run.record.graph.items()}


def ordered_steps(run: Run) -> list[str]:
    """Returns the steps of a run in an order in which each comes after what it needs; ties as in the graph."""
    before = needs(run)
    waiting = list(before)
    kinds = [f"trainer_{kind}" for kind in run.settings.get("models", ())]
    waiting.sort(key=lambda name: kinds.index(name) if name in kinds else -1)
    done: list[str] = []
    while waiting:
        ready = [name for name in waiting if not set(before[name]) & set(waiting)] or waiting
        done.append(ready[0])
        waiting.remove(ready[0])
    return done


def history(model: Model) -> dict[str, Array]:
    """Returns the RMSE of each epoch in the label's unit, float64 (epochs,): `train`, and others that are kept.

    They are `validation`, rows of train that were held out, and `eval`.
    """
    with contextlib.suppress(OSError, ValueError):
        found = model.history
        curves = {"train": found.get("loss"), "validation": found.get("validation_loss")}
        curves |= {"eval": found.get("eval_loss", found.get("val_loss"))}
        return {
            split: np.sqrt(np.array([math.nan if v is None else v for v in losses], np.float64))
            for split, losses in curves.items()
            if isinstance(losses, Sequence) and losses
        }
    return {}


def lineage(run: Run, store: Store) -> list[dict[str, Any]]:
    """Returns what the pushed model was made from, back to the data: one entry per artifact, the push first."""
    pushed = run.get(PushedModel, "pusher")
    if pushed is None:
        return []
    steps = {record.fingerprint: name for name, record in run.record.steps.items()}
    found: dict[str, dict[str, Any]] = {}
    waiting = [pushed.fingerprint]
    while waiting:
        fingerprint = waiting.pop(0)
        step = steps.get(fingerprint)
        if step is None or fingerprint in found or not store.is_finished(step, fingerprint):
            continue
        facts = read_facts(store.artifact_path(step, fingerprint))
        inputs = [_chosen(value, pushed) for value in facts.get("inputs", {}).values()]
        found[fingerprint] = {
            "step": step,
            "fingerprint": fingerprint,
            "created_at": facts["created_at"],
            "type": facts["type"],
            "inputs": [steps.get(other, other) for group in inputs for other in group],
            "data": facts.get("data", {}),
        }
        waiting += [other for group in inputs for other in group]
    names = ordered_steps(run)
    return sorted(found.values(), key=lambda entry: -names.index(entry["step"]))


def _chosen(value: Any, pushed: PushedModel) -> list[str]:
    """Returns an input's fingerprints: of several models, the one that was pushed where it is among them."""
    several = [str(item) for item in value.values()] if isinstance(value, Mapping) else [str(value)]
    model = pushed.model
    return [model] if model in several else several
