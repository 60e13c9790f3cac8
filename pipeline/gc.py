"""Removes old artifacts.

What a kept run, a version in service, the last blessed run or the best blessed Model of each name needs always stays.
Nothing is removed because of something that could not be read: of a run without a readable record, what its links point
to stays; where anything else that says what is needed cannot be read, everything stays.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from crossnet.components import interrupts
from crossnet.components.artifacts.base import read_facts
from crossnet.components.errors import MissingArtifactError, UnreadableFileError
from crossnet.components.model_folder import read_record, record_problem, versions_in_service
from crossnet.pipeline import notices
from crossnet.pipeline.blessed import model_name_of, ranked, rolled_back
from crossnet.pipeline.run_record import RUN_FILE, RunRecord
from crossnet.pipeline.snapshots import old_snapshots
from crossnet.pipeline.store import TEMPORARY, Store
from crossnet.pipeline.wholeness import DAMAGED


def collect_garbage(store: Store, *, keep: int, dry_run: bool = False) -> tuple[list[Path], int]:
    """Removes artifacts, and checkpoints of finished models, that nothing kept refers to.

    What this program did not make stays: only finished artifacts, their checkpoints and what was set aside as damaged
    are removed; of each query's snapshots, the newest stays.

    Args:
      store: The root; must be locked, unless `dry_run`.
      keep: How many of the newest runs keep all their artifacts. The records of older runs stay.
      dry_run: Remove nothing.

    Returns:
      The folders that were (or would be) removed, and their size in bytes.
    """
    try:
        needed = _needed(store, keep)
    except (MissingArtifactError, UnreadableFileError) as error:
        notices.say(f"Nothing is removed while it is not known what must stay: {error}")
        return [], 0
    unneeded = [path for path in _artifacts(store, "*") if path not in needed]
    models = {path.name for path in _artifacts(store, "trainer_*")}
    unneeded += [path for path in sorted(store.checkpoints.glob("*")) if path.name in models]
    unneeded += sorted(store.artifacts.glob(f"*/{DAMAGED}*"))
    unneeded += old_snapshots(store)
    size = sum(file.stat().st_size for path in unneeded for file in path.rglob("*") if file.is_file())
    if not dry_run:
        for path in unneeded:
            interrupts.check()
            if path.parent != store.checkpoints:  # half of an artifact must not look like one: a run clears the rest
                path = path.rename(path.with_name(f"{TEMPORARY}removed-{path.name}"))
            shutil.rmtree(path)
    return unneeded, size


def _needed(store: Store, keep: int) -> set[Path]:
    """Returns the folders of all artifacts that must stay.

    Raises:
      MissingArtifactError, UnreadableFileError: A file that tells cannot be read.
    """
    needed: set[Path] = set()
    blessed = set[str]()
    records = store.run_records()
    for number, run in enumerate(records.values()):
        last_blessed = run.blessed and run.model_name not in blessed
        if last_blessed:
            blessed.add(run.model_name)
        if number < keep or last_blessed:
            needed |= {store.artifact_path(step, record.fingerprint) for step, record in run.steps.items()}
    for folder in store.run_folders():
        if folder.name not in records:
            needed |= _linked(folder)
    needed |= _in_service(store)
    needed |= _best(store, records)
    _add_inputs(needed, store)
    return needed


def _best(store: Store, records: Mapping[str, RunRecord]) -> set[Path]:
    """Returns the artifact of the best blessed Model of each name, which the next run is compared with."""
    found: dict[str | None, Path] = {}
    without = set().union(*map(rolled_back, served_folders(store)))
    for model in ranked(store, records):
        if model.fingerprint not in without:
            found.setdefault(model_name_of(store, model), model.path(store))
    return set(found.values())


def _linked(run: Path) -> set[Path]:
    """Returns the artifacts that the links in a run's folder point to.

    Raises:
      UnreadableFileError: It has no links.
    """
    try:
        found = {run / os.readlink(path) for path in run.iterdir() if path.is_symlink()}
    except OSError as error:
        raise UnreadableFileError(run, error.strerror or str(error)) from error
    if not found:
        reason = "it is damaged, and no link in its folder tells which artifacts it needs"
        raise UnreadableFileError(run / RUN_FILE, reason, f"Remove `{run}` if you do not need that run.")
    return {Path(os.path.normpath(path)) for path in found}


def _in_service(store: Store) -> set[Path]:
    """Returns the artifacts of all models in service, in this root or where it pushed to, and of their pushes."""
    models, in_service = set(), dict[str, str | None]()
    for folder in served_folders(store):
        for number, path in versions_in_service(folder).items():
            models.add(read_record(folder, number).get("model"))
            in_service[str(path)] = record_problem(folder, number)
    # The artifact of a push knows its Model too, where the record beside the version cannot be read.
    pushes = {path: read_facts(path)["properties"] for path in store.artifact_folders("pusher")}
    destinations = {push.get("destination"): push.get("model") for push in pushes.values()}
    models |= {model for destination, model in destinations.items() if destination in in_service}
    for version, problem in in_service.items():
        if problem and version not in destinations:
            raise MissingArtifactError(f"{problem} Restore that file, or remove it.")
    needed = {path for path, push in pushes.items() if push.get("model") in models}
    return needed | {path for path in _artifacts(store, "trainer_*") if path.name in models}


def served_folders(store: Store) -> set[Path]:
    """Returns the folders of all models that were pushed into this root, or from it; skips pushes without a record."""
    pushes = [facts for path in store.artifact_folders("pusher") if (facts := store.facts(path))]
    return {*store.serving_models.glob("*"), *(Path(push["properties"]["destination"]).parent for push in pushes)}


def _artifacts(store: Store, steps: str) -> list[Path]:
    """Returns the folders of the finished artifacts of all steps that the pattern `steps` matches."""
    return [path for step in sorted(store.artifacts.glob(steps)) for path in store.artifact_folders(step.name)]


def _add_inputs(needed: set[Path], store: Store) -> None:
    """Adds the artifacts that the needed ones were made from, so that their lineage stays complete."""
    finished = set(_artifacts(store, "*"))
    by_name = {path.name: path for path in finished}
    waiting = list(needed)
    while waiting:
        folder = waiting.pop()
        if folder not in finished:
            continue
        facts = read_facts(folder)
        # An artifact that a step was compared with stays too: without it the next plan would choose another.
        for source in [*facts.get("inputs", {}).values(), *facts.get("references", {}).values()]:
            for fingerprint in source.values() if isinstance(source, dict) else [source]:
                path = by_name.get(fingerprint)
                if path is not None and path not in needed:
                    needed.add(path)
                    waiting.append(path)
