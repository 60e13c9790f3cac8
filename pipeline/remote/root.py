"""Keeps a copy of a root in a store.

Every command works in the copy, as in any root. What is in the store is fetched before: all but the rows, which a step
fetches when it reads them. What was made is put there, the file last that makes it whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crossnet.components.artifacts.base import ARTIFACT_FILE
from crossnet.components.artifacts.integrity import FILES, FOLDERS
from crossnet.components.errors import PipelineError, UnreadableFileError
from crossnet.components.files import read_object, write_json
from crossnet.pipeline.remote.claims import Claim
from crossnet.pipeline.remote.units import RUNS, SERVED, by_unit, is_shard, is_whole, local_units, marker_of, unit_of
from crossnet.pipeline.run_record import RUN_FILE, RunRecord
from crossnet.serving.storage.folder import Entry, StoreError, StoreFolder

_KNOWN_FILE = ".store.json"
_TEMPORARY = ".tmp-"
_THREADS = 8


class RemoteRoot:
    """A root in a store.

    File structure:
      .store.json    what the store said of each file that is here, and the file's size and time here
      all else       as in every root

    Args:
      uri: Its URI.
      folder: The copy.
    """

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri, self.store = uri, StoreFolder(uri)
        self.folder = folder
        self._known: dict[str, list[int]] = {}
        self._listing: dict[str, Entry] = {}
        self._units: set[str] = set()  # in the store and here, after the last `pull`
        self._claim: Claim | None = None
        self._was_pulled = False

    # ---- From the store ----

    def pull_once(self) -> None:
        """Calls `pull` unless it was called before in this process."""
        if not self._was_pulled:
            self.pull()

    def pull(self, kind: str = "") -> None:
        """Makes the copy what the store has, but for the rows of Examples.

        Args:
          kind: Only the units below this folder of the root, for who reads those alone and puts nothing there.

        Raises:
          PipelineError: The store cannot be read, or the copy not be written.
        """
        with self._in_words():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._known = self._read_known()
            self._listing = self._list()
            units = {
                unit: files
                for unit, files in by_unit(self._listing).items()
                if is_whole(unit, files) and unit.startswith(kind)
            }
            for unit in {unit for path in self._known if (unit := unit_of(path))} - units.keys():
                if unit.startswith(kind):
                    self._forget(unit)  # removed there
            wanted = {
                unit: [path for path in files if not is_shard(path) and not self._is_here(path)]
                for unit, files in units.items()
            }
            self._fetch({unit: files for unit, files in wanted.items() if files})
            self._units = set(units)
            self._write_known()
        self._was_pulled = not kind

    def away(self, folder: Path) -> dict[str, int]:
        """Returns the files of an artifact that are in the store and not here: relative name -> size in bytes."""
        unit = self._unit(folder)
        return {
            path.removeprefix(f"{unit}/"): entry.size
            for path, entry in self._listing.items()
            if path.startswith(f"{unit}/") and is_shard(path) and not (self.folder / path).exists()
        }

    def fetch_rows(self, folder: Path) -> bool:
        """Fetches the rows of an artifact that are not here; returns whether there were any.

        Raises:
          PipelineError: As `pull`.
        """
        if not (names := self.away(folder)):
            return False
        with self._in_words():
            self._fetch({self._unit(folder): [f"{self._unit(folder)}/{name}" for name in names]})
            self._write_known()
        return True

    # ---- To the store ----

    @contextlib.contextmanager
    def claimed(self, step: str = "") -> Iterator[None]:
        """Inside, the root is this process's; at the end all that was made or removed is in the store.

        Raises:
          PipelineError: Another process is at work in it, or the store cannot be read or written.
        """
        with self._in_words(), contextlib.ExitStack() as stack:
            claim = Claim(self.store, step)
            stack.enter_context(claim.held())
            taken = stack.pop_all()
        with taken:
            self._claim = claim
            try:
                self.pull()
                try:
                    yield
                except Exception:
                    with contextlib.suppress(PipelineError):  # the first error is the one to tell
                        self.publish()
                    raise
                self.publish()
            finally:
                self._claim = None

    def publish(self, *, kind: str = "", removes: bool = True) -> None:
        """Puts what was made here into the store, and removes there what was removed here since `pull`.

        Args:
          kind: Only the units below this folder of the root.
          removes: Whether anything is removed there.

        Raises:
          PipelineError: The store cannot be written. What is in it is whole.
        """
        with self._in_words(was_made=True):
            units = {unit: files for unit, files in local_units(self.folder).items() if unit.startswith(kind)}
            changed = {unit: [path for path in files if not self._is_here(path)] for unit, files in units.items()}
            changed = {unit: files for unit, files in changed.items() if files}
            gone = {unit for unit in self._units if not (self.folder / unit).exists()} if removes else set()
            if (changed or gone) and self._claim:
                self._claim.check()
            for unit in sorted(gone):  # first: a version that is taken out of service is so before anything else
                self._remove_there(unit, keep=())
            for unit, files in changed.items():
                self._put(unit, files)
            if changed or gone:
                self._listing = self._list()
                self._note(path for files in changed.values() for path in files)
                self._units = (self._units | changed.keys()) - gone
                self._write_known()

    def publish_artifact(self, folder: Path, *, pushed: bool) -> None:
        """Puts a finished artifact into the store; of a push, the version in service first.

        Raises:
          PipelineError: As `publish`.
        """
        if pushed:
            self.publish(kind=SERVED, removes=False)
        self.publish(kind=self._unit(folder), removes=False)

    def _put(self, unit: str, files: list[str]) -> None:
        """Puts the files of a unit, the marker last; one that is replaced is not whole meanwhile."""
        marker = marker_of(unit)
        if marker in self._listing and unit.partition("/")[0] != RUNS:
            self.store.remove(marker)
            files = [*(path for path in files if path != marker), marker]
        for path in files:
            self.store.upload(self.folder / path, path)
        with contextlib.suppress(FileNotFoundError, UnreadableFileError):
            record = read_object(self.folder / marker).get(FILES)
            if isinstance(record, dict):  # an artifact: what does not belong to it would count as damage
                self._remove_there(unit, keep=[marker, *(f"{unit}/{name}" for name in record)])

    def _remove_there(self, unit: str, *, keep: Iterable[str]) -> None:
        kept = set(keep)
        there = [path for path in by_unit(self._listing).get(unit, ()) if path not in kept]
        for path in sorted(there, key=lambda path: path != marker_of(unit)):
            self.store.remove(path)

    # ---- The copy ----

    def _fetch(self, wanted: Mapping[str, list[str]]) -> None:
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch") as threads:
            list(threads.map(self._fetch_unit, wanted, wanted.values()))
        self._note(path for files in wanted.values() for path in files)

    def _fetch_unit(self, unit: str, files: list[str]) -> None:
        """Fetches files of a unit: of a new one, it appears by one rename; else each file does, the marker last."""
        place = self.folder / unit
        staging = place.parent / f"{_TEMPORARY}{place.name}-{os.getpid()}"
        shutil.rmtree(staging, ignore_errors=True)
        try:
            for path in files:
                self.store.download(path, staging / Path(path).relative_to(unit) if path != unit else staging)
            _make_folders(staging)
            if not place.exists():
                with contextlib.suppress(FileExistsError):
                    staging.rename(place)
                    return
            for path in files:
                target = self.folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                (staging / target.relative_to(place) if path != unit else staging).replace(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            staging.unlink(missing_ok=True)
            if unit.startswith(f"{RUNS}/"):
                self._link(place)

    def _link(self, run: Path) -> None:
        """Makes the links to the artifacts of a run, which no store holds."""
        if (run / RUN_FILE).is_file():
            with contextlib.suppress(UnreadableFileError):
                for step, record in RunRecord.read(run).steps.items():
                    if record.artifact and not os.path.lexists(run / step):
                        (run / step).symlink_to(os.path.relpath(self.folder / record.artifact, run))

    def _forget(self, unit: str) -> None:
        place = self.folder / unit
        if place.is_dir():
            gone = place.parent / f"{_TEMPORARY}gone-{place.name}-{os.getpid()}"
            place.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
        self._known = {path: facts for path, facts in self._known.items() if unit_of(path) != unit}

    def _unit(self, folder: Path) -> str:
        return folder.relative_to(self.folder).as_posix() if folder.is_relative_to(self.folder) else "-"

    def _list(self) -> dict[str, Entry]:
        return self.store.entries(deep=True) or {}

    def _is_here(self, path: str) -> bool:
        """Whether a file is the same here and in the store."""
        entry, here = self._listing.get(path), self._here(path)
        return entry is not None and here is not None and self._known.get(path) == [entry.size, entry.changed, *here]

    def _note(self, paths: Iterable[str]) -> None:
        for path in paths:
            entry, here = self._listing.get(path), self._here(path)
            if entry is not None and here is not None:
                self._known[path] = [entry.size, entry.changed, *here]

    def _here(self, path: str) -> tuple[int, int] | None:
        try:
            status = (self.folder / path).lstat()
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns

    def _read_known(self) -> dict[str, list[int]]:
        with contextlib.suppress(FileNotFoundError, UnreadableFileError):
            return {path: facts for path, facts in read_object(self.folder / _KNOWN_FILE).items() if unit_of(path)}
        return {}

    def _write_known(self) -> None:
        write_json(self.folder / _KNOWN_FILE, self._known)

    @contextlib.contextmanager
    def _in_words(self, *, was_made: bool = False) -> Iterator[None]:
        """Turns errors of the store, and of the copy's disk, into sentences."""
        try:
            yield
        except StoreError as error:
            kept = f" What was made is kept in `{self.folder}`, and the next run puts it there." if was_made else ""
            raise PipelineError(f"{error} Check the store and the credentials, and call again.{kept}") from error
        except OSError as error:
            raise PipelineError(
                f"Cannot keep the copy of `{self.store.name}` in `{self.folder}`: {error.strerror or error}. Name "
                "another folder for copies in the environment variable XDG_CACHE_HOME."
            ) from error


def _make_folders(artifact: Path) -> None:
    """Makes the folders that the record of an artifact names: a store does not hold those that are empty."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, UnreadableFileError):
        for name in read_object(artifact / ARTIFACT_FILE).get(FOLDERS, ()):
            if ".." not in Path(name).parts and not Path(name).is_absolute():
                (artifact / name).mkdir(parents=True, exist_ok=True)
