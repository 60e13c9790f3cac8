"""Keeps artifacts and runs in the root folder.

Artifacts are found by step and fingerprint, runs by name. A folder with its final name is whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crossnet.components.artifacts.base import ARTIFACT_FILE, Artifact, read_facts
from crossnet.components.artifacts.integrity import Checks, Damage, checksums, sealed
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import MissingArtifactError, PipelineError, SettingsError, UnreadableFileError
from crossnet.components.files import clear_unfinished, write_json
from crossnet.pipeline import notices
from crossnet.pipeline.remote.places import remote_of
from crossnet.pipeline.run_record import RUN_FILE, RunRecord
from crossnet.pipeline.run_state import take_lock
from crossnet.serving.protocol.suggestions import did_you_mean

TEMPORARY = ".tmp-"
_MAX_NAME_BYTES = 200


class Store:
    """What is on disk below one root.

    File structure:
      artifacts/<step>/<fingerprint>/artifact.json ...
      runs/<run>/run.json, config.toml, log.txt, report.html, model_card.md
      runs/<run>/<step> -> ../../artifacts/<step>/<fingerprint>
      checkpoints/<fingerprint>/
      serving_models/<model>/<version>/saved_model.pb
      snapshots/<query>/<content>/query_rows.parquet, snapshot.json
      .digests.json                what is known of large input files
      .lock, .lock-<step>          locked by who works here

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
        self.snapshots = self.root / "snapshots"
        self.remote = remote_of(self.root)
        self.checks = Checks(self._away)
        self.damaged: dict[Path, tuple[Damage, ...]] = {}
        if self.remote:
            self.remote.pull_once()

    def fetch_rows(self, folder: Path) -> bool:
        """Fetches the rows of an artifact that are in a store only; returns whether there were any."""
        return self.remote is not None and self.remote.fetch_rows(folder)

    def _away(self, folder: Path, fetch: bool) -> Mapping[str, int]:
        if fetch:
            self.fetch_rows(folder)
        return self.remote.away(folder) if self.remote else {}

    @contextlib.contextmanager
    def locked(self, step: str = "") -> Iterator[None]:
        """Keeps other runs out of this root, and clears what a crash left behind.

        Of a root in a store, what was made inside is in the store at the end.

        Args:
          step: Keeps out runs, and other processes that make the same step, but not those that make other steps.

        Raises:
          PipelineError: Another run is at work here, or the root cannot be written.
        """
        with self.remote.claimed(step) if self.remote else contextlib.nullcontext(), self._locked_here(step):
            yield

    @contextlib.contextmanager
    def _locked_here(self, step: str) -> Iterator[None]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with contextlib.ExitStack() as stack:
                root = stack.enter_context((self.root / ".lock").open("a+"))
                take_lock(root, self.root, "run", fcntl.LOCK_SH if step else fcntl.LOCK_EX)
                if step:
                    own = stack.enter_context((self.root / f".lock-{step}").open("a+"))
                    take_lock(own, self.root, f"`{step}`", fcntl.LOCK_EX)
                self._clear_leftovers(step)
                taken = stack.pop_all()
        except OSError as error:
            raise PipelineError(
                f"Cannot write in `{self.root}`: {error.strerror}. Name another folder with --root."
            ) from error
        with taken:
            yield

    def _clear_leftovers(self, step: str) -> None:
        """Removes what killed commands left, of one step alone where others may be at work.

        `report` works without the lock, so its files stay while it lives.
        """
        for leftover in self.artifacts.glob(f"{step or '*'}/{TEMPORARY}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if step:
            return
        with contextlib.suppress(OSError):
            for leftover in self.checkpoints.glob(f"*/{TEMPORARY}*"):
                leftover.unlink()
            for folder in [self.runs, *self.runs.glob("*/")]:
                clear_unfinished(folder)

    def artifact_path(self, step: str, fingerprint: str) -> Path:
        """Returns where the step's artifact is or will be."""
        return self.artifacts / step / fingerprint

    def is_finished(self, step: str, fingerprint: str) -> bool:
        """Whether that artifact is there and its artifact.json can be read."""
        folder = self.artifact_path(step, fingerprint)
        return _holds(folder, ARTIFACT_FILE) and self.facts(folder) is not None

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
        """Writes artifact.json, last, and renames the folder to its final name. Returns the final folder.

        Only artifact.json waits for the disk: after a power cut, a file that did not reach it differs from its checksum
        in there, and the artifact is made again.
        """
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
        if os.path.lexists(final):  # a push that is no longer in service is recorded anew
            final.rename(artifact.path.parent / f"{TEMPORARY}old-{artifact.path.name}")
        artifact.path.rename(final)
        if self.remote:
            self.remote.publish_artifact(final, pushed=isinstance(artifact, PushedModel))
        return final

    def newest_facts(self, step: str) -> dict[str, Any] | None:
        """Returns the artifact.json of the step's youngest artifact, or None. Skips those that cannot be read."""
        facts = [found for folder in self.artifact_folders(step) if (found := self.facts(folder))]
        return max(facts, key=_order, default=None)

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
        return list(self.run_records())

    def next_run_number(self) -> int:
        """Returns a number above that of every run, for a new run; the root must be locked."""
        return max((record.number for record in self.run_records().values()), default=0) + 1

    def run_records(self) -> dict[str, RunRecord]:
        """Returns the records of all runs by name, the newest first. Skips those that cannot be read, and says so."""
        found: dict[str, RunRecord] = {}
        for folder in self.run_folders():
            try:
                found[folder.name] = self._read(folder.name)
            except UnreadableFileError as error:
                notices.say(f"Skipped a run: {error}")

        def order(item: tuple[str, RunRecord]) -> tuple[int, str]:
            return item[1].number, item[1].started  # the number is 0 where an older version wrote the record

        return dict(sorted(found.items(), key=order, reverse=True))

    def facts(self, folder: Path) -> dict[str, Any] | None:
        """Returns the artifact.json of a finished artifact's folder; None, and says so, where it cannot be read."""
        try:
            return read_facts(folder)
        except MissingArtifactError as error:
            notices.say(f"Skipped an artifact: {error}")
            return None

    def run_folders(self) -> list[Path]:
        """Returns the folders of all runs by name, also of those whose record cannot be read."""
        return _with_file(self.runs, RUN_FILE)

    def artifact_folders(self, step: str) -> list[Path]:
        """Returns the folders of a step's finished artifacts, also where artifact.json cannot be read."""
        return _with_file(self.artifacts / step, ARTIFACT_FILE)

    def read_run(self, name: str | None = None) -> RunRecord:
        """Returns the record of a run; None: the newest that can be read, and made its rows for itself where one did.

        Raises:
          MissingArtifactError: There is no such run.
          UnreadableFileError: Its record cannot be read.
        """
        if name is not None and _is_run_name(name):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                return self._read(name)
        records = self.run_records()
        if name is None and records:
            return next((run for run in records.values() if not run.made_for), next(iter(records.values())))
        known = f"There are: {', '.join([*records][:5])}." if records else "There is none yet: call `crossnet run`."
        near = did_you_mean(name, records) if name else ""
        raise MissingArtifactError(f"No run{f' `{name}`' if name else ''} in `{self.root}`.{near} {known}")

    def _read(self, name: str) -> RunRecord:
        """Returns a run's record; its folder, and the root, may have been renamed since it was written."""
        record = RunRecord.read(self.runs / name)
        if record.root and record.serving_dir == str(Path(record.root) / self.serving_models.name):
            record = dataclasses.replace(record, serving_dir=str(self.serving_models))
        return dataclasses.replace(record, run=name)


def _with_file(parent: Path, name: str) -> list[Path]:
    """Returns the folders in `parent`, sorted by name, that hold an entry `name`, whatever it is."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        folders = (folder for folder in parent.iterdir() if not folder.name.startswith("."))
        return sorted(folder for folder in folders if _holds(folder, name))
    return []


def _holds(folder: Path, name: str) -> bool:
    """Whether a folder holds an entry `name`, whatever it is; also where that cannot be found out."""
    try:
        (folder / name).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # no permission: whoever reads it says so
        return True
    return True


def _order(facts: Mapping[str, Any]) -> tuple[int, str]:
    number = facts.get("run_number", 0)
    return number if isinstance(number, int) else 0, str(facts.get("created_at"))


def _is_run_name(name: str) -> bool:
    is_plain = name.isprintable() and "/" not in name and not name.startswith(".")  # surrogates are not printable
    return is_plain and 0 < len(name.encode()) <= _MAX_NAME_BYTES


def utc_now() -> str:
    """Returns the time now, UTC, ISO 8601 to the microsecond."""
    return datetime.datetime.now(datetime.UTC).isoformat()
