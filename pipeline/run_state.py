"""Tells a run that is at work from one that was killed.

A run keeps its log.txt locked while it works; the system drops the lock with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from crossnet.components.errors import PipelineError

LOG_FILE = "log.txt"

# States of a run. The first three are what run.json says; who reads "running" from the dead says "killed".
RUNNING = "running"
FINISHED = "finished"
INTERRUPTED = "interrupted"
KILLED = "killed"


@contextlib.contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Inside, `is_at_work(folder)` is true, for every process."""
    with (folder / LOG_FILE).open("a") as file:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_at_work(folder: Path) -> bool:
    """Whether the run of that folder has a process that lives."""
    try:
        with (folder / LOG_FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def take_lock(file: TextIO, root: Path, what: str, kind: int) -> None:
    """Locks a file of a root and writes this process's number into it.

    Raises:
      PipelineError: Another process holds the lock; `what` says what it runs.
    """
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise PipelineError(
            f"Another {what} (process {file.read().strip() or 'unknown'}) is at work in `{root}`. "
            "Wait for it, or name another folder with --root."
        ) from None
    with contextlib.suppress(OSError):  # a full disk: the lock holds without its holder's number
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
