"""Remembers Ctrl-C and SIGTERM, so that a run stops.

A signal handler raises wherever Python is at that moment. Inside a `__del__`, of which TensorFlow has many, Python
prints the exception and goes on; so a run would finish, and push, after it was told to stop. Code that runs long, or
that cannot be undone, calls `check`.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGTERM_EXIT_CODE = 128 + signal.SIGTERM

_received: signal.Signals | None = None


@contextlib.contextmanager
def noticed() -> Iterator[None]:
    """Inside, SIGINT raises KeyboardInterrupt and SIGTERM SystemExit: at once, and again in each `check`.

    Outside the main thread, where Python takes no signals, it does nothing.
    """
    global _received
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received = None
    # A shell starts a command in the background with SIGINT ignored: it stays ignored.
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, _note) for number in numbers}
    try:
        yield
    finally:
        _received = None
        for number, handler in before.items():
            signal.signal(number, handler)


def check() -> None:
    """Raises if a signal came.

    Raises:
      KeyboardInterrupt: SIGINT.
      SystemExit: SIGTERM; the exit code is 143.
    """
    if _received == signal.SIGINT:
        raise KeyboardInterrupt
    if _received == signal.SIGTERM:
        raise SystemExit(_SIGTERM_EXIT_CODE)


def _note(number: int, frame: FrameType | None) -> None:
    global _received
    _received = signal.Signals(number)
    check()
