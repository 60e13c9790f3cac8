"""Knows whether memory is limited, and what a library's refusal looks like."""

from __future__ import annotations

import errno
import mmap
import os
import re
import resource
import threading
import time
from pathlib import Path

LIMITS = {resource.RLIMIT_AS: "-v", resource.RLIMIT_DATA: "-d"}  # with the options of `ulimit`
_IN_TEXT = ("Failed to launch worker thread", "can't start new thread", os.strerror(errno.ENOMEM))
_SIZE = re.compile(r"alloc of size (\d+)")  # of Arrow
_THREADS = 2  # that read ahead for Arrow
_THEIR_BYTES = 16 << 20  # that are left for what they do
_MAX_EXIT_SECONDS = 1.0


def is_limited() -> bool:
    """Returns whether this process may have a part of the machine's memory only."""
    return any(resource.getrlimit(kind)[0] != resource.RLIM_INFINITY for kind in LIMITS)


def is_refusal(error: BaseException) -> bool:
    """Returns whether `error`, of a library that reads a file, says that memory or a thread was refused.

    A damaged file may name a size that no machine has: that is not a refusal.
    """
    text = str(error)
    if any(words in text for words in _IN_TEXT):
        return True
    if not isinstance(error, MemoryError):
        return False
    size = _SIZE.search(text)
    return is_limited() if size is None else int(size.group(1)) < _physical_bytes()


def check_threads() -> None:
    """Checks, where memory is limited, that threads can be started, and have something left to work with.

    Arrow 26 waits for ever for the second of them where only one could be started (2026-11-30, `pyarrow.csv.open_csv`
    with 9 to 16 MiB left; on a busy machine with 22 and 24 at times). The C library keeps the memory of these threads
    for the next ones, which are Arrow's.

    Raises:
      MemoryError: They cannot.
    """
    if not is_limited():
        return
    gate, threads = threading.Event(), []
    try:
        for _ in range(_THREADS):
            threads.append(threading.Thread(target=gate.wait, daemon=True))
            threads[-1].start()
        mmap.mmap(-1, _THEIR_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (RuntimeError, OSError) as error:
        raise MemoryError(str(error)) from error
    finally:
        gate.set()
    for thread in threads:
        thread.join()  # which returns before the thread has left its memory
    until = time.monotonic() + _MAX_EXIT_SECONDS
    while any(Path(f"/proc/self/task/{thread.native_id}").exists() for thread in threads) and time.monotonic() < until:
        time.sleep(0.0001)


def _physical_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
