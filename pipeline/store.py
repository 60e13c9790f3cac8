"""Keeps artifacts and runs in the root folder.

Artifacts are found by step and fingerprint, runs by name. A folder with its final name is whole.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crossnet.components.artifacts.base import ARTIFACT_FILE, Artifact
from crossnet.components.artifacts.integrity import Checks, Damage, checksums, sealed
from crossnet.components.errors import MissingArtifactError, PipelineError, SettingsError
from crossnet.components.files import read_json, write_json
from crossnet.pipeline.run_record import RUN_FILE, RunRecord

TEMPORARY = ".tmp-"
_MAX_NAME_BYTES = 200


class Store:
    """What is on disk below one root.

    File structure:
      artifacts/<step>/<fingerprint>/artifact.json ...
      runs/<run>/run.json, config.toml, log.txt, report.html, <step> -> ../../artifacts/<step>/<fingerprint>
      checkpoints/<fingerprint>/
      serving_models/<model>/<version>/saved_model.pb

    Attributes:
      checks: What this process knows of the files' checksums.
      damaged: By folder, the damage that was found and not mended yet.
    """

    def __init__(self, root: Path):
        self.root = root.absolute()
        self.artifacts = self.root / "artifacts"
        self.runs = self.root / "runs"
        self.checkpoints = self.root / "checkpoints"
        self.serving_models = self.root / "serving_models"
        self.checks = Checks()
        self.damaged: dict[Path, tuple[Damage, ...]] = {}

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other runs out of this root, and clears what a crash left behind.

        Raises:
          PipelineError: Another run is at work here, or the root cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / ".lock").open("a+")
        except OSError as error:
            raise PipelineError(
                f"Cannot write in `{self.root}`: {error.strerror}. Name another folder with --root."
            ) from error
        with lock as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise PipelineError(
                    f"Another run (process {file.read().strip() or 'unknown'}) is at work in `{self.root}`. "
                    "Wait for it, or name another folder with --root."
                ) from None
            with contextlib.suppress(OSError):  # a full disk: the lock holds without its holder's number
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
            for leftover in self.artifacts.glob(f"*/{TEMPORARY}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield

    def artifact_path(self, step: str, fingerprint: str) -> Path:
        """Returns where the step's artifact is or will be."""
        return self.artifacts / step / fingerprint

    def is_finished(self, step: str, fingerprint: str) -> bool:
        """Whether that artifact is there."""
        return (self.artifact_path(step, fingerprint) / ARTIFACT_FILE).is_file()

    @contextlib.contextmanager
    def working_folder(self, step: str) -> Iterator[Path]:
        """A folder for a step to fill; gone afterwards unless `finish` has renamed it."""
        parent = self.artifacts / step
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=parent))
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def finish(self, artifact: Artifact, step: str, fingerprint: str, made_of: Mapping[str, Any]) -> Path:
        """Writes artifact.json, last, and renames the folder to its final name. Returns the final folder."""
        facts = {
            "type": type(artifact).__name__,
            "format": artifact.FORMAT,
            "producer": step,
            "created_at": utc_now(),
            "fingerprint": fingerprint,
            "counts": artifact.counts,
            "properties": artifact.properties,
            **made_of,
            **checksums(artifact.path),
        }
        write_json(artifact.path / ARTIFACT_FILE, sealed(facts))
        final = self.artifact_path(step, fingerprint)
        if final.exists():  # a push that is no longer in service is recorded anew
            final.rename(artifact.path.parent / f"{TEMPORARY}old-{artifact.path.name}")
        artifact.path.rename(final)
        return final

    def newest_facts(self, step: str) -> dict[str, Any] | None:
        """Returns the artifact.json of the step's youngest artifact, or None."""
        files = (self.artifacts / step).glob(f"[!.]*/{ARTIFACT_FILE}")
        facts = [read_json(file) for file in files]
        return max(facts, key=lambda item: (item.get("run_number", 0), str(item["created_at"])), default=None)

    def new_run(self, name: str | None) -> Path:
        """Makes and returns the folder of a new run, named after the time unless `name` is given.

        Raises:
          SettingsError: The name is taken or no plain folder name.
        """
        if name is not None and not _is_run_name(name):
            raise SettingsError(
                f"A run's name must be a plain folder name: no `/`, no dot in front, at most {_MAX_NAME_BYTES} bytes "
                f"of printable text. Received {name!r}."
            )
        base = name or datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        for number in range(1, 1000):
            folder = self.runs / (base if number == 1 else f"{base}-{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                if name is not None:
                    raise SettingsError(
                        f"There is a run `{name}` already in `{self.runs}`. Choose another --run."
                    ) from None
                continue
            except OSError as error:
                raise PipelineError(
                    f"Cannot write in `{self.runs}`: {error.strerror}. Name another folder with --root."
                ) from error
            return folder
        raise PipelineError(f"`{self.runs}` has a thousand runs of this second. Name one with --run.")

    def run_names(self) -> list[str]:
        """Returns the names of all runs, the newest first, also where the clock was set back between them."""
        return [name for _, name in sorted(self._numbered_runs(), reverse=True)]

    def next_run_number(self) -> int:
        """Returns a number above that of every run, for a new run; the root must be locked."""
        return max((number for (number, _), _ in self._numbered_runs()), default=0) + 1

    def _numbered_runs(self) -> list[tuple[tuple[int, str], str]]:
        """Returns ((number, start), name) of each run; the number is 0 where an older version wrote the record."""
        records = {file.parent.name: read_json(file) for file in self.runs.glob(f"*/{RUN_FILE}")}
        return [((facts.get("number", 0), str(facts["started"])), name) for name, facts in records.items()]

    def read_run(self, name: str | None = None) -> RunRecord:
        """Returns the record of a run; None: the newest.

        Raises:
          MissingArtifactError: There is no such run.
        """
        names = self.run_names()
        if name is None and names:
            name = names[0]
        if name is None or name not in names:
            known = f"There are: {', '.join(names[:5])}." if names else "There is none yet: call `crossnet run`."
            raise MissingArtifactError(f"No run{f' `{name}`' if name else ''} in `{self.root}`. {known}")
        return RunRecord.read(self.runs / name)


def _is_run_name(name: str) -> bool:
    is_plain = name.isprintable() and "/" not in name and not name.startswith(".")  # surrogates are not printable
    return is_plain and 0 < len(name.encode()) <= _MAX_NAME_BYTES


def utc_now() -> str:
    """Returns the time now, UTC, ISO 8601 to the microsecond."""
    return datetime.datetime.now(datetime.UTC).isoformat()
