"""Removes old artifacts.

What a kept run, a version in service or the last blessed run needs always stays.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from crossnet.components import interrupts
from crossnet.components.artifacts.base import ARTIFACT_FILE
from crossnet.components.files import read_json
from crossnet.components.model_folder import read_record, versions_in_service
from crossnet.pipeline.store import Store


def collect_garbage(store: Store, *, keep: int, dry_run: bool = False) -> tuple[list[Path], int]:
    """Removes artifacts, and checkpoints of finished models, that nothing kept refers to.

    What this program did not make stays: only finished artifacts and their checkpoints are removed.

    Args:
      store: The root; must be locked, unless `dry_run`.
      keep: How many of the newest runs keep all their artifacts. The records of older runs stay.
      dry_run: Remove nothing.

    Returns:
      The folders that were (or would be) removed, and their size in bytes.
    """
    needed: set[Path] = set()
    blessed = False
    for number, name in enumerate(store.run_names()):
        run = store.read_run(name)
        last_blessed = run.blessed and not blessed
        blessed |= last_blessed
        if number < keep or last_blessed:
            needed |= {store.artifact_path(step, record.fingerprint) for step, record in run.steps.items()}
    needed |= _in_service(store)
    _add_inputs(needed, store)
    finished = sorted(file.parent for file in store.artifacts.glob(f"*/[!.]*/{ARTIFACT_FILE}"))
    unneeded = [path for path in finished if path not in needed]
    models = {file.parent.name for file in store.artifacts.glob(f"trainer_*/*/{ARTIFACT_FILE}")}
    unneeded += [path for path in sorted(store.checkpoints.glob("*")) if path.name in models]
    size = sum(file.stat().st_size for path in unneeded for file in path.rglob("*") if file.is_file())
    if not dry_run:
        for path in unneeded:
            interrupts.check()
            shutil.rmtree(path)
    return unneeded, size


def _in_service(store: Store) -> set[Path]:
    """Returns the artifacts of all models in service, in this root or where it pushed to, and of their pushes."""
    models, in_service = set(), set()
    for folder in served_folders(store):
        for version, path in versions_in_service(folder).items():
            models.add(read_record(folder, version).get("model"))
            in_service.add(str(path))
    # The artifact of a push knows its Model too, where the record beside the version cannot be read.
    facts = [read_json(file)["properties"] for file in _pushes(store)]
    models |= {push["model"] for push in facts if push["destination"] in in_service}
    pushes = {file.parent for file in _pushes(store) if read_json(file)["properties"]["model"] in models}
    return pushes | {path for path in store.artifacts.glob("trainer_*/[!.]*") if path.name in models}


def served_folders(store: Store) -> set[Path]:
    """Returns the folders of all models that were pushed into this root, or from it."""
    pushed_to = {Path(read_json(file)["properties"]["destination"]).parent for file in _pushes(store)}
    return {*store.serving_models.glob("*"), *pushed_to}


def _pushes(store: Store) -> list[Path]:
    return list(store.artifacts.glob(f"pusher/*/{ARTIFACT_FILE}"))


def _add_inputs(needed: set[Path], store: Store) -> None:
    """Adds the artifacts that the needed ones were made from, so that their lineage stays complete."""
    by_name = {path.name: path for path in store.artifacts.glob("*/[!.]*")}
    waiting = list(needed)
    while waiting:
        file = waiting.pop() / ARTIFACT_FILE
        if not file.is_file():
            continue
        facts = read_json(file)
        # An artifact that a step was compared with stays too: without it the next plan would choose another.
        for source in [*facts["inputs"].values(), *facts.get("references", {}).values()]:
            for fingerprint in source.values() if isinstance(source, dict) else [source]:
                path = by_name.get(fingerprint)
                if path is not None and path not in needed:
                    needed.add(path)
                    waiting.append(path)
