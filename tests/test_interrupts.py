from __future__ import annotations

import os
import signal
import threading

import pytest

from components import interrupts


class Swallows:
    """An object whose end is interrupted: Python reports the exception and goes on."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        os.kill(os.getpid(), self.number)
        for _ in range(1000):
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_signal_that_python_swallows_is_raised_by_the_next_check(number, error):
    with pytest.raises(error), interrupts.noticed():
        Swallows(number)  # gone at once
        reached = True
        interrupts.check()
    assert reached
    interrupts.check()  # outside, nothing is left of it


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_signal_is_raised_at_once(number, error):
    before = signal.getsignal(number)
    with pytest.raises(error) as caught, interrupts.noticed():
        os.kill(os.getpid(), number)
        threading.Event().wait(10)
        raise AssertionError("the signal did nothing")
    assert number == signal.SIGINT or caught.value.code == 143
    assert signal.getsignal(number) is before


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
