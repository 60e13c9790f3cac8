"""Compares two runs: settings, data, metrics, and what was made again."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from crossnet.components.errors import SettingsError
from crossnet.components.files import json_value
from crossnet.pipeline.config import Config, to_toml
from crossnet.pipeline.diff.data import compare_data
from crossnet.pipeline.diff.metrics import compare_metrics
from crossnet.pipeline.graph import Step, build_graph
from crossnet.pipeline.reasons import reasons
from crossnet.pipeline.report.headline import headline
from crossnet.pipeline.report.run import Run, load_run
from crossnet.pipeline.run_record import StepRecord
from crossnet.pipeline.store import Store

_ABSENT = StepRecord(status="not part of it")
_PROCESSES = ("engine", "num_workers", "root")  # no result depends on them


def diff_runs(store: Store, before: str, after: str) -> dict[str, Any]:
    """Returns what differs between two runs of a root, JSON values.

    `runs` (name, verdict in a word and a sentence), `notes` (what cannot be compared, and why), `settings` (setting,
    before, after), `data`, `metrics` and `steps` (step, before, after, and `because`, one sentence for each reason).

    Raises:
      MissingArtifactError: The run does not exist.
      SettingsError: Both are one run.
    """
    one, other = load_run(store, store.read_run(before).run), load_run(store, store.read_run(after).run)
    if one.name == other.name:
        raise SettingsError(f"Run `{one.name}` is named twice. Name two runs: `crossnet runs` lists them.")
    notes: list[str] = []
    facts = {
        "runs": [{"run": run.name, "started": run.record.started, **_end(run)} for run in (one, other)],
        "settings": list(_settings(one, other)),
        "data": compare_data(one, other, notes),
        "metrics": compare_metrics(one, other, store, notes),
        "steps": list(_steps(one, other, store)),
        "notes": notes,
    }
    return dict(json_value(facts))


def _end(run: Run) -> dict[str, str]:
    words = headline(run.record)
    return {"verdict": words["word"], "css": words["css"], "lead": words["lead"]}


def _settings(one: Run, other: Run) -> Iterator[dict[str, Any]]:
    """Yields the settings that differ, in the order of the reference; one that a run's file lacks has its default."""
    defaults = _flat(tomllib.loads(to_toml(Config())))
    before, after = (_flat(run.settings) for run in (one, other))
    for name in [*defaults, *(name for name in {**before, **after} if name not in defaults)]:
        old, new = (values.get(name, defaults.get(name)) for values in (before, after))
        if old != new and name not in _PROCESSES:
            yield {"setting": name, "before": old, "after": new}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns settings as users name them: `trainer.epochs`."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and not prefix:
            found |= _flat(value, f"{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _steps(one: Run, other: Run, store: Store) -> Iterator[dict[str, Any]]:
    """Yields the steps whose artifact or end differs."""
    graph = {} if other.config is None else {step.name: step for step in build_graph(other.config)}
    for name in dict.fromkeys([*one.record.graph, *other.record.graph]):
        old, new = (run.record.steps.get(name, _ABSENT) for run in (one, other))
        if old.artifact == new.artifact and (old.artifact or old.status == new.status):
            continue
        yield {
            "step": name,
            "before": old.status,
            "after": new.status,
            "because": list(_because(old, new, graph.get(name), store)) if old.artifact and new.artifact else [],
        }


def _because(old: StepRecord, new: StepRecord, step: Step | None, store: Store) -> Iterator[str]:
    """Yields why two artifacts of a step differ."""
    facts = [store.facts(store.root / (record.artifact or "")) for record in (old, new)]
    if step is None or facts[0] is None or facts[1] is None:
        yield "an artifact is not there any more, or another version made it"
        return
    for sentence in reasons(step, facts[0], facts[1]):
        yield sentence.partition(": `crossnet why")[0]  # asks of a plan, not of a run
