"""Keeps a copy of the versions in a store's folder for serving.

A version appears in the copy by one rename, when it is whole and holds the files that its push recorded in
`<version>.json`. While the store cannot be read, the copy stays as it is, also over a restart.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import logging
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crossnet.serving.config.versions import MODEL_FILES, ModelConfig
from crossnet.serving.protocol.dtypes import MAX_INT64
from crossnet.serving.protocol.folder_checksum import folder_checksum
from crossnet.serving.status import ServingError
from crossnet.serving.storage.folder import Entry, StoreError, StoreFolder
from crossnet.serving.storage.uris import identity

LOGGER = logging.getLogger(__name__)
RETRY_SECONDS = 5.0
_BUG_SECONDS = 60.0
_STOP_SECONDS = 1.0
_NUMBER = re.compile(r"[0-9]+")
_TEMPORARY = ".tmp-"
_SOURCE = ".source.json"


class Mirror:
    """Copies the versions that a policy chooses from a store's folder to a folder here, and removes the others.

    File structure:
      versions/<version>/saved_model.pb ...   there after the first look that could read the store
      <version>.source.json                   what the store said of its files, and their checksum here
      .lock                                   locked by the server that uses the copy

    Args:
      config: The model; its `source` is the URI.
      cache: Holds one folder for each source and policy. Another server that uses it gets a folder of its own.
      poll_seconds: Time between looks at the store; 0 looks until it could be read once, a negative number never.
      on_change: Called after the copy has changed.

    Attributes:
      folder: The versions; it does not hold one that is damaged.

    Raises:
      ServingError: The copy's folder cannot be made.
    """

    def __init__(self, config: ModelConfig, cache: Path, *, poll_seconds: float, on_change: Callable[[], None]) -> None:
        self._name = config.name
        self._store = StoreFolder(config.source)
        self._policy = config.policy
        self._poll_seconds = poll_seconds
        self._on_change = on_change
        self._last_problem = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="model-mirror", daemon=True)
        key = hashlib.sha256(repr((identity(config.source), config.policy)).encode()).hexdigest()[:16]
        try:
            self._home, self._lock = _take(cache, key)
            self.folder = self._home / "versions"
            self._clear()
        except OSError as error:
            raise ServingError(
                f"Cannot keep a copy of `{self._store.name}` in `{cache}`: {error.strerror}. Name a folder that can be "
                "written in `--model_cache_dir`."
            ) from error

    def start(self) -> None:
        """Starts to look at the store, unless `poll_seconds` is negative."""
        if self._poll_seconds >= 0:
            self._thread.start()

    def stop(self) -> None:
        """Stops looking. A call that waits for the store is left behind; what it brings is not used."""
        self._stopping.set()
        if self._thread.ident:
            self._thread.join(_STOP_SECONDS)
        self._lock.close()

    def look(self) -> bool:
        """Makes the copy what the store has now; returns whether it changed.

        Raises:
          StoreError: The store cannot be read, or a version is not what its push recorded. What is whole was copied;
            nothing is removed.
          OSError: The copy cannot be written.
        """
        listing = self._store.entries()
        if listing is None:
            raise StoreError(f"`{self._store.name}` does not exist.")
        changed, problems = not self.folder.is_dir(), []
        self._versions.mkdir(exist_ok=True)
        chosen = self._chosen(listing)
        for number, (name, files) in sorted(chosen.items(), reverse=True):
            record = listing.get(f"{number}.json")
            if self._stopping.is_set():
                return changed
            if not self._is_copied(number, files, record):
                try:
                    self._copy(number, name, files or self._files(name), record)
                    changed = True
                except StoreError as error:
                    problems.append(error)
        for number in self._copied() - chosen.keys() if not problems else ():
            self._remove(number)
            changed = True
        if not problems or self._copied():
            self._versions.rename(self.folder)  # its own name already, after the first look
        if problems:
            raise problems[0]
        return changed

    def _chosen(self, listing: Mapping[str, Entry]) -> dict[int, tuple[str, dict[str, Entry]]]:
        """Returns the versions to serve: number -> name in the store, and its files, empty where those are known."""
        names = {
            int(name): name
            for name, entry in sorted(listing.items())
            if entry.is_folder and _NUMBER.fullmatch(name) and int(name) <= MAX_INT64
        }
        found: dict[int, tuple[str, dict[str, Entry]]] = {}
        for number, name in sorted(names.items(), reverse=True):
            if self._policy.kind == "specific" and number not in self._policy.versions:
                continue
            is_known = self._is_copied(number, {}, listing.get(f"{number}.json"))
            files = {} if is_known else self._files(name)
            if is_known or any(file in files for file in MODEL_FILES):
                found[number] = name, files
            if self._policy.kind == "latest" and len(found) == self._policy.num_versions:
                break
        return found

    def _files(self, name: str) -> dict[str, Entry]:
        return self._store.entries(name, deep=True) or {}

    def _is_copied(self, number: int, files: Mapping[str, Entry], record: Entry | None) -> bool:
        """Whether the copy of a version is what the store has: by the record of its push, else by all its files."""
        source = self._source(number)
        if source is None or source["record"] != _of(record):
            return False
        return bool(source["is_final"] or (files and source["files"] == _facts(files)))

    def _copy(self, number: int, name: str, files: Mapping[str, Entry], record: Entry | None) -> None:
        staging = self._home / f"{_TEMPORARY}{number}"
        shutil.rmtree(staging, ignore_errors=True)
        for file in sorted(files):
            self._store.download(f"{name}/{file}", staging / file)
            if self._stopping.is_set():
                return
        checksum = folder_checksum(staging)
        expected = self._expected(number) if record else None
        if expected not in (None, checksum):
            raise StoreError(
                f"Version {number} in `{self._store.name}` does not hold the files that were pushed (checksum "
                f"{checksum[:12]}, expected {str(expected)[:12]}). Push it again, or remove it."
            )
        source = {
            "from": self._store.name,
            "checksum": checksum,
            "record": _of(record),
            "is_final": expected is not None,
            "files": _facts(files),
        }
        self._remove(number)
        staging.rename(self._versions / str(number))
        (self._home / f"{number}{_SOURCE}").write_text(json.dumps(source), encoding="utf-8")
        LOGGER.info("Model `%s` version %d is copied from `%s`.", self._name, number, self._store.name)

    def _expected(self, number: int) -> str | None:
        """Returns the checksum that a push recorded; None where a file of that name is not a push's."""
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(self._store.read(f"{number}.json"))
            if isinstance(record, dict) and isinstance(record.get("checksum"), str):
                return str(record["checksum"])
        return None

    # ---- The copy ----

    def _clear(self) -> None:
        """Removes what is not whole, so that it is not served from the start."""
        for number in self._copied():
            source = self._source(number)
            if source is None or folder_checksum(self._versions / str(number)) != source["checksum"]:
                self._remove(number)
        for leftover in self._home.glob(f"{_TEMPORARY}*"):
            shutil.rmtree(leftover, ignore_errors=True)

    @property
    def _versions(self) -> Path:
        return self.folder if self.folder.is_dir() else self._home / f"{_TEMPORARY}versions"

    def _copied(self) -> set[int]:
        return {int(path.name) for path in self._versions.glob("*") if _NUMBER.fullmatch(path.name)}

    def _source(self, number: int) -> dict[str, Any] | None:
        with contextlib.suppress(OSError, ValueError, RecursionError):
            source = json.loads((self._home / f"{number}{_SOURCE}").read_bytes())
            if isinstance(source, dict) and {"checksum", "record", "is_final", "files"} <= source.keys():
                return source if (self._versions / str(number)).is_dir() else None
        return None

    def _remove(self, number: int) -> None:
        (self._home / f"{number}{_SOURCE}").unlink(missing_ok=True)
        gone = self._home / f"{_TEMPORARY}gone-{number}"
        with contextlib.suppress(FileNotFoundError):
            (self._versions / str(number)).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    # ---- The thread ----

    def _work(self) -> None:
        while not self._stopping.is_set():
            seconds = self._look_once()
            if seconds is None or self._stopping.wait(seconds):
                return

    def _look_once(self) -> float | None:
        """Looks, and returns the seconds until the next look; None: none. Logs each problem once."""
        problem = ""
        seconds: float | None = self._poll_seconds or None
        try:
            if self.look():
                self._on_change()
        except (StoreError, OSError) as error:
            problem = str(error) if isinstance(error, StoreError) else f"`{self.folder}`: {error.strerror}."
            seconds = max(self._poll_seconds, RETRY_SECONDS)
            self._on_change()
        except Exception:
            LOGGER.exception("Model `%s`: this is a bug of the server. Its versions stay in service.", self._name)
            seconds = max(self._poll_seconds, _BUG_SECONDS)
        if self._stopping.is_set():
            return None
        if problem and problem != self._last_problem:
            LOGGER.warning(
                "Model `%s`: %s Loaded versions are still served; the server looks again every %g s.",
                *(self._name, problem, seconds),
            )
        elif self._last_problem and not problem:
            LOGGER.info("Model `%s`: `%s` can be read again.", self._name, self._store.name)
        self._last_problem = problem
        return seconds


def _take(cache: Path, key: str) -> tuple[Path, Any]:
    """Returns the first folder of that name, or with a number behind it, that no server uses, and its lock."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    for attempt in itertools.count(1):
        folder = cache / (key if attempt == 1 else f"{key}-{attempt}")
        folder.mkdir(exist_ok=True)
        lock = (folder / ".lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return folder, lock
        except BlockingIOError:
            lock.close()
    raise AssertionError("there is always another name")


def _facts(files: Mapping[str, Entry]) -> dict[str, list[int]]:
    return {name: [entry.size, entry.changed] for name, entry in sorted(files.items())}


def _of(record: Entry | None) -> list[int] | None:
    return [record.size, record.changed] if record else None
