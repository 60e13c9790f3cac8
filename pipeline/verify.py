"""Compares artifacts, versions in service and records with their checksums."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossnet.components import interrupts
from crossnet.components.artifacts.base import ARTIFACT_FILE
from crossnet.components.artifacts.integrity import UNVERIFIABLE, Damage
from crossnet.components.artifacts.model import SERVING_FOLDER
from crossnet.components.damaged_versions import DAMAGED as DAMAGED_VERSION
from crossnet.components.damaged_versions import is_damaged
from crossnet.components.errors import UnreadableFileError
from crossnet.components.files import folder_checksum
from crossnet.components.formats import counted
from crossnet.components.model_folder import read_record, versions_in_service
from crossnet.pipeline.gc import served_folders
from crossnet.pipeline.run_record import RUN_FILE, RunRecord
from crossnet.pipeline.store import Store
from crossnet.pipeline.wholeness import DAMAGED, set_aside

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@dataclass
class Verification:
    """What was verified, and what was found.

    Attributes:
      artifacts, versions, records: How many artifacts, versions in service and run records were looked at.
      size: Bytes that were hashed.
      damaged: Each damaged file: the folder that it is in, and what is wrong.
      unverifiable: Folders that hold no checksum to compare with.
      set_aside: Folders that were set aside as damaged before, by a run, a push or this command.
    """

    artifacts: int = 0
    versions: int = 0
    records: int = 0
    size: int = 0
    damaged: list[tuple[Path, Damage]] = field(default_factory=list)
    unverifiable: list[Path] = field(default_factory=list)
    set_aside: list[Path] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Returns the object that `crossnet verify --json` prints."""
        return {
            "artifacts": self.artifacts,
            "versions": self.versions,
            "records": self.records,
            "bytes": self.size,
            "damaged": [{"folder": str(path), **damage._asdict()} for path, damage in self.damaged],
            "unverifiable": [str(path) for path in self.unverifiable],
            "set_aside": [str(path) for path in self.set_aside],
        }


def verify(store: Store, run: str | None = None, *, everything: bool = False) -> Verification:
    """Hashes every file of the artifacts of one run, and what is in service where it pushed to.

    Args:
      store: The root.
      run: The run's name; None: the newest.
      everything: Verify all artifacts, all records of runs and all versions that were pushed from this root, too.

    Raises:
      MissingArtifactError, UnreadableFileError: There is no such run, or its record cannot be read.
    """
    record = store.read_run(run)
    folders = [store.root / step.artifact for step in record.steps.values() if step.artifact]
    served = [path for path in sorted(Path(record.serving_dir).glob("*")) if record.serving_dir]
    result = Verification()
    if everything:
        folders = list(dict.fromkeys([*folders, *_all_artifacts(store)]))
        served = sorted({*served, *served_folders(store)})
        _verify_records(store, result)
    for folder in folders:
        _verify_artifact(store, folder, result)
    for folder in served:
        _verify_versions(store, folder, result)
    result.set_aside = [*sorted(store.artifacts.glob(f"*/{DAMAGED}*"))]
    result.set_aside += [path for folder in served for path in sorted(folder.glob(f"*{DAMAGED_VERSION}"))]
    return result


def set_aside_damaged(store: Store, result: Verification) -> list[Path]:
    """Sets the damaged artifacts aside, so that the next run makes them again. Returns their new folders.

    Args:
      store: The root; must be locked.
      result: What was found.

    Raises:
      PipelineError: A folder cannot be renamed.
    """
    found = dict.fromkeys(path for path, _ in result.damaged if path.parent.parent == store.artifacts)
    return [set_aside(path) for path in found if path.is_dir()]


def describe(result: Verification, store: Store, *, was_set_aside: bool = False) -> Iterator[str]:
    """Yields a line per damaged file, one per folder that was set aside, a summary and what to do.

    Args:
      result: What was found.
      store: The root.
      was_set_aside: Whether the damaged artifacts were set aside just now.
    """

    def where(path: Path) -> str:
        return str(path.relative_to(store.root) if path.is_relative_to(store.root) else path)

    yield from (f"{where(path)}: {damage}" for path, damage in result.damaged)
    yield from (f"{where(path)}: was set aside" for path in result.set_aside)
    counts = [counted(result.artifacts, "artifact"), counted(result.versions, "version")]
    counts += [counted(result.records, "record")] if result.records else []
    found = f"{counted(len(result.damaged), 'file')} damaged" if result.damaged else "nothing is damaged"
    yield f"Verified {', '.join(counts)}, {result.size / 2**20:.1f} MiB: {found}."
    if result.unverifiable:
        yield f"{counted(len(result.unverifiable), 'folder')} could not be verified: no checksum was kept."
    artifacts = {path for path, _ in result.damaged if path.parent.parent == store.artifacts}
    if artifacts and was_set_aside:
        yield "`crossnet run` makes what was set aside again."
    elif artifacts:
        yield "Call `crossnet verify --set-aside` with the same arguments: `crossnet run` makes it again."
    if any(path.name.isdecimal() for path, _ in result.damaged if path not in artifacts):
        yield (
            "A damaged version that is in service is replaced when its config is run again; `crossnet rollback` takes "
            "the newest out of service."
        )


def _all_artifacts(store: Store) -> Iterator[Path]:
    """Yields the folders of all artifacts, also of those whose record is gone."""
    for folder in sorted(store.artifacts.glob("*/[!.]*")):
        if folder.is_dir() and (_FINGERPRINT.fullmatch(folder.name) or (folder / ARTIFACT_FILE).exists()):
            yield folder


def _verify_artifact(store: Store, folder: Path, result: Verification) -> None:
    interrupts.check()
    before = store.checks.hashed
    damages = store.checks.damage(folder)
    result.artifacts += 1
    result.size += store.checks.hashed - before
    if damages == [UNVERIFIABLE]:
        result.unverifiable.append(folder)
    else:
        result.damaged += [(folder, damage) for damage in damages]


def _verify_records(store: Store, result: Verification) -> None:
    for folder in store.run_folders():
        result.records += 1
        try:
            RunRecord.read(folder)
        except UnreadableFileError as error:
            result.damaged.append((folder, Damage(RUN_FILE, f"cannot be read ({error.reason})", "the record of a run")))


def _verify_versions(store: Store, folder: Path, result: Verification) -> None:
    for version, path in versions_in_service(folder).items():
        interrupts.check()
        result.versions += 1
        record = read_record(folder, version)
        if record.get("checksum") is None:
            result.unverifiable.append(path)
            continue
        result.size += sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        if is_damaged(folder, version, path):
            result.damaged += [(path, damage) for damage in _version_damage(store, path, record)]


def _version_damage(store: Store, path: Path, record: dict[str, Any]) -> list[Damage]:
    """Returns what is damaged in a version, file by file where its Model is still in the root and whole."""
    for model in store.artifacts.glob(f"trainer_*/{record.get('model')}"):
        if not store.checks.damage(model) and (found := store.checks.compare(path, model, part=SERVING_FOLDER)):
            return found
    checksum = str(record["checksum"])
    return [Damage("./", f"has checksum {folder_checksum(path)[:12]}…", f"{checksum[:12]}…, which was pushed")]
