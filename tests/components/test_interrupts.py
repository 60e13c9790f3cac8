from __future__ import annotations

import functools
import logging
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from crossnet.components import interrupts
from support import REPOSITORY
from support.toy_steps import Interrupted

SIGNALS = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@pytest.mark.usefixtures("interruptible")
@SIGNALS
def test_signal_that_python_swallows_is_raised_by_the_next_check(number, code):
    with pytest.raises(interrupts.Interrupted), interrupts.noticed():
        Interrupted(number)  # gone at once
        reached = True
        interrupts.check()
    assert reached
    interrupts.check()  # outside, nothing is left of it


@pytest.mark.usefixtures("interruptible")
@SIGNALS
def test_signal_that_python_swallows_is_sent_again(number, code, capfd):
    with pytest.raises(interrupts.Interrupted), interrupts.noticed():
        Interrupted(number)
        threading.Event().wait(10)
        raise AssertionError("the signal was forgotten")
    assert capfd.readouterr().err == ""  # Python prints what it swallows, with a traceback


@pytest.mark.usefixtures("interruptible")
@SIGNALS
def test_signal_is_raised_at_once(number, code):
    before = signal.getsignal(number)
    with pytest.raises(interrupts.Interrupted) as caught, interrupts.noticed():
        os.kill(os.getpid(), number)
        threading.Event().wait(10)
        raise AssertionError("the signal did nothing")
    assert (caught.value.number, caught.value.exit_code) == (number, code)
    assert signal.getsignal(number) is before


@pytest.mark.usefixtures("interruptible")
def test_signal_waits_while_it_is_held():
    with pytest.raises(interrupts.Interrupted), interrupts.noticed():
        interrupts.hold()
        os.kill(os.getpid(), signal.SIGTERM)
        interrupts.check()  # not yet
        interrupts.release()
        released = True
        interrupts.check()
    assert released


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("too_late", [interrupts.hold, lambda: interrupts.settle(0)])
def test_signal_that_came_before_is_raised_where_it_is_not_too_late(too_late):
    with pytest.raises(interrupts.Interrupted), interrupts.noticed():
        Interrupted()
        too_late()


@pytest.mark.usefixtures("interruptible")
def test_signal_changes_nothing_once_the_end_is_settled():
    with interrupts.noticed():
        interrupts.settle(3)
        os.kill(os.getpid(), signal.SIGINT)
        interrupts.check()


@pytest.mark.usefixtures("interruptible")
def test_last_words_are_those_of_the_innermost_block():
    def words(text):
        return lambda number: interrupts.Words(f"{text}: {number.name}")

    with (
        pytest.raises(interrupts.Interrupted) as caught,
        interrupts.noticed(),
        interrupts.last_words(words("outside")),
        interrupts.last_words(words("inside")),
    ):
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.words.sentence == "inside: SIGTERM"
    assert caught.value.words.json == '{"error": "inside: SIGTERM"}'


@pytest.mark.usefixtures("interruptible")
def test_error_after_a_signal_counts_as_the_interruption():
    with (
        pytest.raises(interrupts.Interrupted) as caught,
        interrupts.noticed(),
        interrupts.last_words(lambda number: interrupts.Words("Interrupted here.")),
    ):
        Interrupted()  # gone at once
        raise ConnectionError("the server got the signal too")
    assert caught.value.words.sentence == "Interrupted here."


class Lock:
    """A lock that a signal meets as soon as it is taken, where Python runs handlers."""

    def __init__(self, number):
        self.real, self.number, self.signals = threading.RLock(), number, 1

    def acquire(self, *_):
        self.real.acquire()
        if self.signals:
            self.signals = 0
            os.kill(os.getpid(), self.number)
        return True

    def release(self, *_):
        self.real.release()

    __enter__, __exit__ = acquire, release

    def is_free(self):
        """Whether another thread gets it."""
        seen = []

        def take():
            seen.append(self.real.acquire(timeout=2))
            if seen[0]:
                self.real.release()

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        return seen[0]


@pytest.mark.usefixtures("interruptible")
@SIGNALS
def test_signal_leaves_no_lock_of_logging_taken(number, code):
    handler = logging.NullHandler()
    handler.handle = functools.partial(logging.Handler.handle, handler)  # that of each other handler
    handler.lock = lock = Lock(number)
    with pytest.raises(interrupts.Interrupted), interrupts.noticed():
        handler.handle(logging.makeLogRecord({"msg": "a sentence"}))
        logged = True
        threading.Event().wait(10)
        raise AssertionError("the signal was forgotten")
    assert logged
    assert lock.is_free()


@pytest.mark.usefixtures("interruptible")
def test_signal_is_not_raised_between_a_lock_and_the_block_that_gives_it_back(monkeypatch):
    condition = threading.Condition()
    taken = functools.partial(signal.raise_signal, signal.SIGTERM)  # of C: the handler runs in `Condition.__enter__`
    monkeypatch.setattr(condition, "_lock", SimpleNamespace(__enter__=taken, __exit__=lambda *_: given.append(True)))
    given = []
    with pytest.raises(interrupts.Interrupted), interrupts.noticed():
        with condition:
            pass
        threading.Event().wait(10)
        raise AssertionError("the signal was forgotten")
    assert given == [True]


def test_ctrl_c_in_a_program_that_uses_the_package_stays_what_it_is():
    said = []
    with pytest.raises(KeyboardInterrupt), interrupts.last_words(said.append):
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="bug"), interrupts.last_words(said.append):
        raise ValueError("bug")
    assert said == [signal.SIGINT]


@pytest.mark.usefixtures("interruptible")
def test_error_that_no_signal_caused_is_printed_as_ever(capfd, monkeypatch):
    class Broken:
        def __del__(self):
            raise ValueError("a bug in __del__")

    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(str(unraisable.exc_value)))
    with interrupts.noticed():
        Broken()  # gone at once
    assert seen == ["a bug in __del__"]


def test_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for `command &`
    try:
        with interrupts.noticed():
            os.kill(os.getpid(), signal.SIGINT)
            interrupts.check()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_leave_signals_alone():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work():
        with interrupts.noticed():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize("loaded", [True, False])
def test_the_process_ends_when_its_last_line_is_printed(loaded):
    """What TensorFlow holds takes Python seconds to free; the system frees it at once. Threads and hooks are heard."""
    code = (
        "import atexit, sys, threading, types\n"
        "from crossnet.components import interrupts\n"
        f"if {loaded}: sys.modules['tensorflow'] = types.ModuleType('tensorflow')\n"
        "class Freed:\n    def __del__(self): print('freed one by one', flush=True)\n"
        "held = Freed()\n"
        "atexit.register(print, 'hook')\n"
        "started = threading.Event()\n"
        "threading.Thread(target=lambda: (started.wait(), print('thread'))).start()\n"
        "threading.Timer(0.01, started.set).start()\n"
        "interrupts.end(3)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines() == ["thread", "hook", *(() if loaded else ("freed one by one",))]


@pytest.mark.usefixtures("interruptible")
def test_a_signal_of_a_library_is_a_lack_of_memory(monkeypatch):
    for name in ("_tell", "_is_from_library"):
        monkeypatch.setattr(interrupts, name, None)
    interrupts.be_watched(lambda code: None, lambda number: number == signal.SIGINT)
    with interrupts.noticed():
        with pytest.raises(MemoryError):
            signal.raise_signal(signal.SIGINT)
        interrupts.check()  # nothing is left of it
        with pytest.raises(interrupts.Interrupted):
            signal.raise_signal(signal.SIGTERM)


def test_an_end_is_told(monkeypatch):
    told = []
    for name in ("_tell", "_is_from_library"):
        monkeypatch.setattr(interrupts, name, None)
    interrupts.be_watched(told.append, lambda number: False)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.delitem(sys.modules, "tensorflow")  # else it ends this process
    try:
        with pytest.raises(SystemExit):
            interrupts.end(3)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert told == [3]
