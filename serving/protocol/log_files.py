"""Writes files that get their name once they are whole.

A file has a temporary name and a lock while it is open. One that a killed process left is not locked any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from crossnet.serving.protocol.tfrecord import FOOTER_BYTES, HEADER_BYTES, read_body, read_header
from crossnet.serving.status import UsageError

SUFFIX = ".tfrecord"
TEMPORARY = ".tmp-"
_PIECES_AT_ONCE = 1000  # Linux takes 1,024
_EMPTY_SECONDS = 60.0  # an empty file that is younger may not have its lock yet


class LogFile:
    """An open file of TFRecords.

    Args:
      folder: Where it is.
      name: What makes its name its own, beside the time.

    Raises:
      OSError: It cannot be made.
    """

    def __init__(self, folder: Path, name: str) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._path = folder / f"requests-{stamp}-{name}{SUFFIX}"
        self._unfinished = folder / f"{TEMPORARY}{self._path.name}"
        self._begun, self._size = time.monotonic(), 0
        self._descriptor = os.open(self._unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with contextlib.suppress(OSError):  # some network file systems do not have locks
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def seconds_left(self, most: float) -> float:
        """Returns how many seconds it has until it is `most` seconds old."""
        return self._begun + most - time.monotonic()

    def is_due(self, most_bytes: int, most_seconds: float) -> bool:
        """Returns whether it is as large or as old as it may become."""
        return self._size >= most_bytes or self.seconds_left(most_seconds) <= 0

    def write(self, pieces: Sequence[bytes]) -> None:
        """Writes the pieces of whole records; where that fails, `close` takes back the part that was written.

        Raises:
          OSError: The disk is full, or something else is wrong with it.
        """
        size = 0
        for start in range(0, len(pieces), _PIECES_AT_ONCE):
            some = pieces[start : start + _PIECES_AT_ONCE]
            wanted = sum(map(len, some))
            written = os.writev(self._descriptor, some)
            if written < wanted:
                view = memoryview(b"".join(some))[written:]
                while view:
                    view = view[os.write(self._descriptor, view) :]
            size += wanted
        self._size += size

    def close(self) -> None:
        """Gives the file its name; one without a record is removed.

        Raises:
          OSError: It cannot be named; it keeps its temporary name.
        """
        try:
            if not self._size:
                self._unfinished.unlink()
                return
            os.ftruncate(self._descriptor, self._size)
            os.fsync(self._descriptor)
            self._unfinished.rename(self._path)
        finally:
            os.close(self._descriptor)


def name_left_files(folder: Path) -> None:
    """Gives the files of processes that were killed their names, cut behind their last whole record."""
    for path in sorted(folder.glob(f"{TEMPORARY}*{SUFFIX}")):
        with contextlib.suppress(OSError), path.open("r+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where a process is at work on it
            if not path.exists():
                continue
            if size := whole_bytes(stream):
                stream.truncate(size)
                path.rename(folder / path.name.removeprefix(TEMPORARY))
            elif time.time() - path.stat().st_mtime > _EMPTY_SECONDS:
                path.unlink()


def whole_bytes(stream: BinaryIO) -> int:
    """Returns how many bytes the whole TFRecords take with which a stream begins."""
    size = 0
    while header := stream.read(HEADER_BYTES):
        try:
            length = read_header(header)
            read_body(stream.read(length + FOOTER_BYTES), length)
        except ValueError:
            break
        size += HEADER_BYTES + length + FOOTER_BYTES
    return size


def check_is_writable(folder: Path) -> None:
    """Makes a folder, and a file in it for a moment.

    Raises:
      UsageError: Neither can be made.
    """
    probe = folder / f"{TEMPORARY}probe-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"The request log cannot be written to `{folder}`: {error.strerror}. Name a folder that this user may "
            "write to."
        ) from error
