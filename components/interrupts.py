"""Makes Ctrl-C and SIGTERM end a command within seconds.

A signal raises Interrupted wherever the main thread is, but never while that takes or gives back a lock: it would stay
taken for good, and a thread that wants it would wait for ever. Where that does not end the process in time,
`signal_watch` does. Code that runs long, or that cannot be undone, calls `check` or `hold`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

from crossnet.components.signal_watch import SignalWatch, Speaker, Words, leave

__all__ = [
    "Interrupted",
    "Words",
    "be_watched",
    "check",
    "end",
    "hold",
    "last_words",
    "may_print",
    "noticed",
    "release",
]
__all__ += ["settle"]

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
# Python's own functions that take and give back a lock, in modules whose names are those of `__name__`: between the
# lock and the `try` or `with` that guards it, an exception would leave it taken.
_LOCKING_MODULES = ("threading", "importlib._bootstrap", "_frozen_importlib")
_LOCKING = frozenset({"__enter__", "__exit__", "acquire", "release", "_acquire_restore", "_release_save"})

_watch: SignalWatch | None = None
_tell: Callable[[int], object] | None = None
_is_from_library: Callable[[int], bool] | None = None


class Interrupted(BaseException):
    """The process was told to end. Like SystemExit, `except Exception` lets it pass.

    Attributes:
      number: The signal.
      words: What to say; None as long as no `last_words` has been asked.
    """

    def __init__(self, number: signal.Signals, words: Words | None = None) -> None:
        super().__init__(number.name)
        self.number = number
        self.words = words

    @property
    def exit_code(self) -> int:
        """The process's: 130 after SIGINT, 143 after SIGTERM, where `noticed` was not told another."""
        return 128 + self.number if _watch is None else _watch.exit_code(self.number)


def be_watched(tell: Callable[[int], object], is_from_library: Callable[[int], bool]) -> None:
    """Lets another process know how this one ends.

    Args:
      tell: Is called with the exit code where the process ends by itself.
      is_from_library: Whether a signal that has just come is a library's, which has got no memory; it may wait.
    """
    global _tell, _is_from_library
    _tell, _is_from_library = tell, is_from_library


@contextlib.contextmanager
def noticed(*, exit_code: int | None = None, as_json: bool = False) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM raise Interrupted; the process ends within 5 s, after a second signal at once.

    Outside the main thread, where Python takes no signals, it does nothing.

    Args:
      exit_code: The process's after a signal; None: 128 and the signal's number.
      as_json: Whether a forced end prints a JSON object on standard output.
    """
    global _watch
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _watch = watch = SignalWatch(
        exit_code=exit_code,
        as_json=as_json,
        is_ours=lambda number: signal.getsignal(number) is _note and not _is_librarys(number),
    )
    hook = sys.unraisablehook

    def forgotten(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, Interrupted):
            watch.forgotten = True
        else:
            hook(unraisable)

    sys.unraisablehook = forgotten
    # A shell starts a command in the background with SIGINT ignored: it stays ignored.
    numbers = [number for number in _NUMBERS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    descriptor = signal.set_wakeup_fd(watch.writer, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _note) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is _note:  # else `end` has set another one
                signal.signal(number, handler)
        signal.set_wakeup_fd(descriptor)
        sys.unraisablehook = hook
        _watch = None
        watch.close()


def check() -> None:
    """Raises if a signal came. Code that runs long, or that cannot be undone, calls it.

    Raises:
      Interrupted: SIGINT or SIGTERM came, and nothing holds it.
    """
    if _watch is not None and _watch.received is not None and not _watch.is_deaf:
        raise Interrupted(_watch.received)


def hold() -> None:
    """Raises if a signal came; from here on signals wait for `release`, while something is done that cannot be undone.

    Raises:
      Interrupted: It is not too late.
    """
    check()
    if _watch is not None:
        _watch.held = True


def release() -> None:
    """Ends `hold`: the next `check` raises if a signal came meanwhile."""
    if _watch is not None:
        _watch.held = False


def settle(code: int) -> None:
    """Raises if a signal came; from here on the process ends with `code`, whatever comes.

    Raises:
      Interrupted: It is not too late.
    """
    check()
    if _watch is not None:
        _watch.settled = code


def signal_of(error: BaseException) -> signal.Signals | None:
    """Returns the signal because of which `error` is on its way; None where it has another reason.

    After a signal any error counts: a server that got the same signal fails its client, a library wraps what it caught.
    """
    if isinstance(error, Interrupted):
        return error.number
    if _watch is not None and _watch.received is not None and not _watch.is_deaf:
        return _watch.received
    return signal.SIGINT if isinstance(error, KeyboardInterrupt) else None


@contextlib.contextmanager
def last_words(speaker: Speaker) -> Iterator[None]:
    """Asks `speaker` for the words, once, if a signal ends the block and no block inside this one has said any.

    The speaker may also record the end. Where the main thread does not come back, another thread calls it.

    Raises:
      Interrupted: With the words. A KeyboardInterrupt outside `noticed` stays what it is.
    """
    watch = _watch
    if watch is not None:
        watch.speakers.append(speaker)
    try:
        yield
    except BaseException as error:
        number = signal_of(error)
        if number is None or getattr(error, "words", None) is not None:
            raise
        words = speaker(number) if watch is None else watch.words(number)
        if watch is None and not isinstance(error, Interrupted):
            raise
        raise Interrupted(number, words) from None
    finally:
        if watch is not None:
            watch.speakers.remove(speaker)


def may_print() -> bool:
    """Whether the words are not printed yet; who is told so prints them."""
    return _watch is None or _watch.may_print()


def end(code: int) -> NoReturn:
    """Exits with `code`. From here on signals change nothing, and after one no child and no thread is waited for.

    Raises:
      SystemExit: No signal came, and TensorFlow is not loaded.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):  # a closed pipe: Python would try again when it exits, and print an error
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
    for number in _NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    if _tell is not None:
        _tell(code)
    if _watch is not None and _watch.received is not None:
        leave(code)
    if "tensorflow" in sys.modules:
        _end_at_once(code)
    sys.exit(code)


def _end_at_once(code: int) -> NoReturn:
    """Ends as `sys.exit` does, but leaves what Python holds to the system.

    Freeing TensorFlow's objects one by one took 4.6 s after the last line of a run (2026-11-29, 2 shared cores).
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are not daemons
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _is_librarys(number: int) -> bool:
    return _is_from_library is not None and _is_from_library(number)


def _note(number: int, frame: FrameType | None) -> None:
    if _watch is None:
        return
    if _is_librarys(number):
        raise MemoryError
    _watch.received = _watch.received or signal.Signals(number)
    if not _watch.is_deaf and _is_locking(frame):
        _watch.forgotten = True  # it is sent again in a moment
    else:
        check()


def _is_locking(frame: FrameType | None) -> bool:
    """Whether an exception in `frame` could leave a lock taken; of logging, all is short and under one."""
    if frame is None:
        return False
    if frame.f_globals.get("__name__") in _LOCKING_MODULES and frame.f_code.co_name in _LOCKING:
        return True
    caller: FrameType | None = frame
    while caller is not None:
        if str(caller.f_globals.get("__name__")).partition(".")[0] == "logging":
            return True
        caller = caller.f_back
    return False
