"""Keeps the versions of one served model, one writer at a time.

Servers watch `<serving_dir>/<model>/`. Whoever changes something in it, from whatever root or machine, holds its lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import platform
import re
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crossnet.components import interrupts
from crossnet.components.errors import PipelineError, UnreadableFileError
from crossnet.components.files import json_text, read_object

ROLLED_BACK = ".rolled_back"
RECORD = ".json"
CARD = ".md"
LOCK_FILE = ".lock"
MAX_VERSION = 2**63 - 1  # servers skip names above it
MAX_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.05
_STAGING = ".tmp-"
_LEFTOVER = re.compile(r"\.tmp-([0-9]+)(-[0-9]+|\.json|\.md)")
_NUMBER = re.compile(r"[0-9]+")


class FolderBusyError(PipelineError):
    """Another process is changing the model's folder, and did not finish in the time that was given."""


def make_folder(folder: Path) -> None:
    """Makes `<serving_dir>/<model>` where it is not there, as readable as `<serving_dir>` is, whatever the umask."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        share(folder, as_folder=folder.parent)


@contextlib.contextmanager
def locked(folder: Path, *, wait_seconds: float | None = None) -> Iterator[None]:
    """Keeps other pushes and rollbacks out of a model's folder, and clears what a killed one left in it.

    Args:
      folder: `<serving_dir>/<model>`, which must be there.
      wait_seconds: How long to wait for another process; None: `MAX_WAIT_SECONDS`.

    Raises:
      FolderBusyError: Another process still holds the lock then.
      OSError: The folder cannot be written.
    """
    wait_seconds = MAX_WAIT_SECONDS if wait_seconds is None else wait_seconds
    deadline = time.monotonic() + wait_seconds
    while (descriptor := _try_lock(folder)) is None:
        if time.monotonic() >= deadline:
            raise FolderBusyError(
                f"Process {_holder(folder)} has been at work in `{folder}` for {wait_seconds:.0f} s or more. Nothing "
                "was changed. Wait until it has finished, or stop it, and call again."
            )
        interrupts.check()
        time.sleep(_POLL_SECONDS)
    try:
        for leftover in folder.iterdir():
            _clear(leftover)
        yield
    finally:
        os.close(descriptor)  # which gives the lock back, as the end of the process does


def clear_leftovers(serving_dir: Path) -> None:
    """Clears what killed pushes left below `serving_dir`; nothing of a live process, and nothing that others made."""
    with contextlib.suppress(OSError):
        for folder in {path.parent for path in serving_dir.glob(f"*/{_STAGING}*") if _LEFTOVER.fullmatch(path.name)}:
            with contextlib.suppress(OSError, FolderBusyError), locked(folder, wait_seconds=0):
                pass


def staging_folder(folder: Path, version: int) -> Path:
    """Returns where a push of `version` is made ready."""
    return folder / f"{_STAGING}{version}-{os.getpid()}"


def share(path: Path, *, as_folder: Path) -> None:
    """Gives a file or folder, and all below it, the permissions and the group of a folder, but never write to all.

    A version has the permissions of the folder that servers read, neither those of the process that pushes it nor those
    of the artifact.
    """
    facts = as_folder.stat()
    mode = stat.S_IMODE(facts.st_mode) & 0o2775 | 0o700
    for item in [path, *path.rglob("*")]:
        with contextlib.suppress(PermissionError):  # a group that this user is not in
            os.chown(item, -1, facts.st_gid)
        item.chmod(mode if item.is_dir() else mode & 0o666)


def versions_in_service(folder: Path) -> dict[int, Path]:
    """Returns the versions below `folder` and their folders, the newest first. `00000123` is version 123."""
    if not folder.is_dir():
        return {}
    versions = {int(path.name): path for path in folder.iterdir() if _NUMBER.fullmatch(path.name) and path.is_dir()}
    return {number: path for number, path in sorted(versions.items(), reverse=True) if number <= MAX_VERSION}


def versions_rolled_back(folder: Path) -> dict[int, Path]:
    """Returns the versions below `folder` that were taken out of service and their folders, the newest first."""
    found = {
        int(path.name.removesuffix(ROLLED_BACK)): path
        for path in folder.glob(f"*{ROLLED_BACK}")
        if _NUMBER.fullmatch(path.name.removesuffix(ROLLED_BACK))
    }
    return dict(sorted(found.items(), reverse=True))


def next_version(folder: Path) -> int:
    """Returns the time in seconds, or one above the highest number ever used: in service, rolled back or recorded.

    Raises:
      PipelineError: There is no number above it.
    """
    names = (path.name.removesuffix(ROLLED_BACK).removesuffix(RECORD) for path in folder.iterdir())
    highest = max((int(name) for name in names if _NUMBER.fullmatch(name)), default=0)
    if highest >= MAX_VERSION:
        raise PipelineError(
            f"No version number is left in `{folder}`: `{highest}` was used there, and servers know numbers up to "
            f"{MAX_VERSION}. Nothing was pushed. Move what has that number to another folder."
        )
    return max(int(time.time()), highest + 1)


def read_record(folder: Path, version: int) -> dict[str, Any]:
    """Returns what was recorded when `version` was pushed; only its number where it was put there by hand.

    A record that cannot be read counts as none; `record_problem` says why.
    """
    try:
        return read_object(folder / f"{version}{RECORD}")
    except (FileNotFoundError, UnreadableFileError):
        return {"version": version}


def record_problem(folder: Path, version: int) -> str | None:
    """Returns, in a sentence, why the record of `version` cannot be read; None where it can, or where there is none."""
    try:
        read_object(folder / f"{version}{RECORD}")
    except FileNotFoundError:
        pass
    except UnreadableFileError as error:
        return f"{error} Version {version} counts as put there by hand."
    return None


def record_problems(folder: Path) -> tuple[str, ...]:
    """Returns the problems of the records of all versions in service."""
    found = (record_problem(folder, version) for version in versions_in_service(folder))
    return tuple(problem for problem in found if problem)


def record_version(folder: Path, version: int, record: Mapping[str, Any]) -> None:
    """Writes the record of a new version, whole and never over another one.

    Raises:
      FileExistsError: There is one.
      OSError: It cannot be written.
    """
    prepared = prepare_record(folder, version, record)
    try:
        os.close(os.open(folder / f"{version}{RECORD}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        prepared.replace(folder / f"{version}{RECORD}")
    except BaseException:
        prepared.unlink(missing_ok=True)
        raise


def prepare_record(folder: Path, version: int, record: Mapping[str, Any]) -> Path:
    """Writes what is to become the record of `version` beside it, and returns its path; the caller renames it.

    Raises:
      OSError: It cannot be written; then there is nothing.
    """
    return _prepare(folder, f"{version}{RECORD}", json_text(record))


def write_card(folder: Path, version: int, text: str) -> None:
    """Writes the model card of `version` beside its record, whole; the caller holds the folder's lock.

    Raises:
      OSError: It cannot be written; then nothing has changed.
    """
    _prepare(folder, f"{version}{CARD}", text).replace(folder / f"{version}{CARD}")


def _prepare(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{_STAGING}{name}"
    try:
        path.write_text(text, encoding="utf-8")
        share(path, as_folder=folder)
        flush(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def flush(path: Path) -> None:
    """Has the system write a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def user_name() -> str:
    """Returns the name of the user who runs this process, or the number where the system has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in this container
        return f"uid {os.getuid()}"


def _try_lock(folder: Path) -> int | None:
    """Returns the open lock file, which holds the lock until it is closed; None while another process has it."""
    path = folder / LOCK_FILE
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino != path.stat().st_ino:  # it was removed while another process held it
            raise FileNotFoundError
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    with contextlib.suppress(OSError):  # a full disk, or another user's file: the lock holds all the same
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} on {platform.node()}".encode(), 0)
        share(path, as_folder=folder)
    return descriptor


def _holder(folder: Path) -> str:
    """Returns the number and the machine of the process that has the lock, as far as it is known."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if text := (folder / LOCK_FILE).read_text(encoding="utf-8"):
            return text
    return "(unknown)"


def _clear(path: Path) -> None:
    """Removes what a push left that was killed: the copy and, where its version never appeared, its record."""
    if not (found := _LEFTOVER.fullmatch(path.name)):
        return
    version, kind = found.groups()
    if kind in (RECORD, CARD):
        path.unlink(missing_ok=True)
        return
    if not any((path.parent / f"{version}{ending}").exists() for ending in ("", ROLLED_BACK)):
        (path.parent / f"{version}{RECORD}").unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
