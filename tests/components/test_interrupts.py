from __future__ import annotations

import os
import signal
import threading

import pytest

from crossnet.components import interrupts
from support.toy_steps import Interrupted


@pytest.mark.usefixtures("interruptible")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_signal_that_python_swallows_is_raised_by_the_next_check(number, error):
    with pytest.raises(error), interrupts.noticed():
        Interrupted(number)  # gone at once
        reached = True
        interrupts.check()
    assert reached
    interrupts.check()  # outside, nothing is left of it


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_signal_is_raised_at_once(number, error):
    before = signal.getsignal(number)
    with pytest.raises(error) as caught, interrupts.noticed():
        os.kill(os.getpid(), number)
        threading.Event().wait(10)
        raise AssertionError("the signal did nothing")
    assert number == signal.SIGINT or caught.value.code == 143
    assert signal.getsignal(number) is before


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
