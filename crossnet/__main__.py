"""Starts the command line: `python -m crossnet` is `crossnet`."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> None:
    """Runs the command line and exits. A signal ends it without a traceback from the first moment on."""
    _open_standard_streams()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    if _is_memory_limited():
        _run_watched()
    else:
        _run()


def _run() -> None:
    from crossnet.pipeline.cli import main as run

    run()


def _is_memory_limited() -> bool:
    try:
        import resource
    except (ImportError, MemoryError):  # which is a file of its own that may find no room
        _end_unbegun()
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return any(limit != resource.RLIM_INFINITY for limit in limits)


def _run_watched() -> None:
    """Runs the command line in a child process: where a library ends that, this one says why."""
    try:
        import logging

        logging.disable()  # hashlib logs a traceback for each function that it cannot load
        import hashlib  # noqa: F401

        logging.disable(logging.NOTSET)
        from crossnet.pipeline import memory_guard

        memory_guard.watch()
    except Exception:  # not MemoryError alone: an import without memory also ends with SystemError or ImportError
        _end_unbegun()
    try:
        _run()
    except Exception as error:
        memory_guard.end_unheard(error)
        memory_guard.tell(1)
        raise


def _end_unbegun() -> NoReturn:
    os.write(2, _NOT_BEGUN)
    os.write(1, b'{"error": "%s"}\n' % _NOT_BEGUN.strip() if "--json" in sys.argv else b"")
    os._exit(1)


_NOT_BEGUN = (
    b"`crossnet` failed: the system refused it memory before it began. Allow this one more memory (`ulimit -v`).\n"
)


def _open_standard_streams() -> None:
    """Connects closed descriptors 0, 1 and 2 to the null device: else the next file that is opened takes their place.

    `sys.stdout` stays None where it was closed: who must write there says so.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # as long as the process lives


def _end(number: int, frame: FrameType | None) -> None:
    """Ends the process while the command line itself is being imported."""
    serves = sys.argv[1:2] == ["serve"]  # which ends by a signal as it should
    if not serves:
        os.write(2, b"Interrupted before anything was done.\n")
        os.write(1, b'{"error": "Interrupted before anything was done."}\n' if "--json" in sys.argv else b"")
    os._exit(0 if serves else 128 + number)


if __name__ == "__main__":
    main()
