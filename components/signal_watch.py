"""Reads signals beside the main thread, and ends the process in time.

Python runs a signal's handler between two instructions of the main thread. While that is inside TensorFlow no handler
runs; and what a handler raises inside a `__del__` or a callback of C is forgotten. So a second thread reads the signals
from the pipe that `signal.set_wakeup_fd` names, to which C writes at once. It sends a forgotten signal again, and where
the main thread does not end in time, it says the last words in its place and ends the process. Artifacts are whole by
construction: what is cut off lies in a `.tmp-` folder, which the next run clears.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

GRACE_SECONDS = 3.0  # from a signal until the process is ended in spite of what it does
_NUDGE_SECONDS = 1.5  # from a signal until it is sent again, to break a clean-up that waits for something
_TICK_SECONDS = 0.05
_ONE_SIGNAL_SECONDS = 0.2  # `timeout` and a terminal may send a signal twice; what comes later is a second one
_PR_SET_PDEATHSIG = 1  # prctl(2)
_HOLD_SECONDS = 1.0  # how long a forced end waits for what cannot be undone, and for words that are being said
_WORDS_SECONDS = 0.8  # how long it waits for words at least
_SHORT_SECONDS = 0.005


class Words(NamedTuple):
    """What is said when the process ends after a signal.

    Attributes:
      sentence: For standard error.
      facts: The object that `--json` prints; None: one with the sentence as its `error`.
    """

    sentence: str = "Interrupted."
    facts: Mapping[str, Any] | None = None

    @property
    def json(self) -> str:
        """The one line that `--json` prints."""
        return json.dumps(self.facts or {"error": self.sentence})


Speaker = Callable[[signal.Signals], Words]


class SignalWatch:
    """What is known of the signals, and the thread that reads them.

    Args:
      exit_code: The exit code after a signal; None: 128 and its number.
      as_json: Whether a forced end prints a JSON object on standard output.
      is_ours: Whether a signal's present handler is the one that `received` is set by.

    Attributes:
      received: The first signal that the main thread has noticed.
      held: Whether signals wait for something that cannot be undone.
      settled: The exit code that no signal changes any more.
      forgotten: Whether Python could not raise what the handler raised, or the handler could not raise where it was.
      speakers: Who can say where the process is, the innermost last.
      writer: The file descriptor to which C writes the number of each signal.
    """

    def __init__(self, *, exit_code: int | None, as_json: bool, is_ours: Callable[[int], bool]) -> None:
        self.received: signal.Signals | None = None
        self.held = False
        self.settled: int | None = None
        self.forgotten = False
        self.speakers: list[Speaker] = []
        self._exit_code, self._as_json, self._is_ours = exit_code, as_json, is_ours
        self._words: Words | None = None
        self._asked = threading.Lock()  # taken for good by the thread that asks a speaker
        self._printed = threading.Lock()  # taken for good by the thread that prints
        self._nudges = 0  # signals of our own whose bytes were not read yet
        self._nudged = False
        self._out, self._err = os.dup(1), os.dup(2)  # `run` points 1 and 2 to its log
        self._reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        self._main = threading.get_ident()
        self._thread = threading.Thread(target=self._work, name="signals", daemon=True)
        self._thread.start()

    @property
    def is_deaf(self) -> bool:
        """Whether a signal must not raise: it is held, the end is settled, or the words are being said."""
        return self.held or self.settled is not None or self._asked.locked()

    def exit_code(self, number: signal.Signals) -> int:
        """The exit code after a signal."""
        return 128 + number if self._exit_code is None else self._exit_code

    def words(self, number: signal.Signals) -> Words:
        """Returns the innermost speaker's words. In the main thread only."""
        self._ask(number)
        while self._words is None:  # the other thread asks, and ends the process
            time.sleep(_TICK_SECONDS)
        return self._words

    def may_print(self) -> bool:
        """Whether the caller is the one that prints the words: the first that asks."""
        return self._printed.acquire(blocking=False)

    def close(self) -> None:
        """Ends the thread."""
        os.close(self.writer)
        self._thread.join()
        for descriptor in (self._reader, self._out, self._err):
            os.close(descriptor)

    def _ask(self, number: signal.Signals) -> None:
        """Sets the words, where no other thread asks for them."""
        if self._asked.acquire(blocking=False):
            words = Words()
            with contextlib.suppress(Exception):  # nothing that goes wrong here may keep the process alive
                words = self.speakers[-1](number) if self.speakers else words
            self._words = words

    def _work(self) -> None:
        first: tuple[float, signal.Signals] | None = None
        while True:
            if select.select([self._reader], [], [], None if first is None else _TICK_SECONDS)[0]:
                numbers = os.read(self._reader, 64)
                if not numbers:
                    return
                for number in filter(self._is_ours, numbers):  # else, as in `crossnet serve`, it is another handler's
                    if self._nudges:
                        self._nudges -= 1
                    elif first is None:
                        first = time.monotonic(), signal.Signals(number)
                    elif time.monotonic() - first[0] > _ONE_SIGNAL_SECONDS:
                        self._end(first[1])
            if first is not None:
                self._hurry(time.monotonic() - first[0], first[1])

    def _hurry(self, passed: float, number: signal.Signals) -> None:
        """Does what is due `passed` seconds after the signal."""
        if passed > GRACE_SECONDS:
            self._end(number)
        slow = passed > _NUDGE_SECONDS and not self._nudged
        if self.forgotten or slow:
            self._nudged |= slow
            self.forgotten = False
            self._nudges += 1
            signal.pthread_kill(self._main, number)

    def _end(self, number: signal.Signals) -> NoReturn:
        """Ends the process in the place of the main thread, which is busy."""
        patience = time.monotonic() + _HOLD_SECONDS
        while self.held and time.monotonic() < patience:
            time.sleep(_TICK_SECONDS)
        if self.settled is not None:
            leave(self.settled)
        # In a thread of its own: the main thread may hold what a speaker waits for.
        with contextlib.suppress(RuntimeError):  # no thread can be started
            threading.Thread(target=self._ask, args=(number,), name="last-words", daemon=True).start()
        patience = max(patience, time.monotonic() + _WORDS_SECONDS)
        while self._words is None and time.monotonic() < patience:  # that thread asks, or the main thread does
            time.sleep(_SHORT_SECONDS)
        code = self.exit_code(number)
        if code and self.may_print():
            words = self._words or Words()
            restored = "\r\x1b[K\x1b[?25h" if os.isatty(self._err) else ""  # of a live line: its text and the cursor
            with contextlib.suppress(OSError):
                os.write(self._err, f"{restored}{words.sentence}\n".encode())
            with contextlib.suppress(OSError):
                os.write(self._out, f"{words.json}\n".encode() if self._as_json else b"")
        leave(code)


def leave(code: int) -> NoReturn:
    """Ends this process and the processes that it started, without waiting for threads."""
    for child in reversed(descendants(os.getpid())):
        with contextlib.suppress(OSError):
            if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes():  # it clears up, then ends
                os.kill(child, signal.SIGKILL)
    os._exit(code)


def descendants(process: int) -> list[int]:
    """Returns the processes that `process` started, and those that these started. Empty where there is no /proc."""
    children: list[int] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += map(int, file.read_text().split())
    return [*children, *(deeper for child in children for deeper in descendants(child))]


def work_for_parent() -> None:
    """Makes a worker process leave Ctrl-C to the process that started it, and end when that one does.

    On Linux the kernel ends it, whatever it is doing, when the thread that started it is gone.
    """
    import multiprocessing

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    end_with_parent()
    threading.Thread(target=follow, name="follow-parent", daemon=True).start()


def end_with_parent() -> None:
    """Asks Linux for SIGKILL at the parent's end: code of C that keeps Python's lock would outlive it otherwise."""
    with contextlib.suppress(ImportError, OSError, AttributeError):  # another system
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
