from __future__ import annotations

import threading
import time

import pytest

from crossnet.serving.embedded.call_threads import CallThreads
from support.serving_fixtures import wait_until


@pytest.fixture
def before():
    return set(threading.enumerate())


@pytest.fixture
def threads(before):
    made = CallThreads(2)
    yield made
    made.shutdown()
    wait_until(lambda: not running(before))


def running(before):
    return [t for t in threading.enumerate() if t not in before and t.name in ("call", "call-threads")]


def test_call_threads_return_what_calls_return_and_raise(threads):
    assert threads.submit(divmod, 7, 2).result(10) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 7, 0).result(10)


def test_quick_calls_share_the_first_threads(threads, before):
    names = [threads.submit(threading.get_ident) for _ in range(500)]
    assert 1 <= len({name.result(10) for name in names}) <= 2
    assert len(running(before)) == 3


def test_calls_one_by_one_go_to_the_thread_that_was_busy_last(threads):
    names = set()
    for _ in range(50):
        wait_until(lambda: len(threads._idle) == 2)
        names.add(threads.submit(threading.get_ident).result(10))
    assert len(names) == 1


def test_a_call_is_answered_while_others_hold_their_threads_and_the_added_threads_end(threads, before):
    released = threading.Event()
    held = [threads.submit(released.wait, 60) for _ in range(300)]
    assert threads.submit(lambda: "answered").result(30) == "answered"
    assert len(running(before)) > 300
    released.set()
    assert all(call.result(10) for call in held)
    wait_until(lambda: len(running(before)) == 3)
    assert threads.submit(lambda: "answered").result(10) == "answered"


def test_call_threads_notice_a_held_call_after_a_rest(threads):
    assert threads.submit(lambda: 1).result(10) == 1
    time.sleep(0.1)  # nobody watches any more
    released = threading.Event()
    held = [threads.submit(released.wait, 60) for _ in range(2)]
    time.sleep(0.1)
    assert threads.submit(lambda: 2).result(10) == 2
    released.set()
    assert all(call.result(10) for call in held)


def test_a_cancelled_call_does_not_run(threads):
    released, ran = threading.Event(), []
    held = [threads.submit(released.wait, 60) for _ in range(2)]
    waiting = threads.submit(ran.append, 1)
    if waiting.cancel():  # unless a thread was added in between
        released.set()
        assert all(call.result(10) for call in held)
        assert threads.submit(lambda: ran).result(10) == []
    released.set()


def test_call_threads_go_on_when_the_system_gives_no_more_for_a_while(threads, monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    released = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        held = [threads.submit(released.wait, 60) for _ in range(2)]
        waiting = threads.submit(lambda: "answered")
        time.sleep(0.1)
        assert not waiting.done()
    assert waiting.result(10) == "answered"
    released.set()
    assert all(call.result(10) for call in held)


def test_shutdown_waits_for_running_calls_and_cancels_those_that_wait(before):
    threads = CallThreads(1)
    begun = threading.Event()
    running_call = threads.submit(lambda: (begun.set(), time.sleep(0.2)))
    assert begun.wait(10)
    waiting = [threads.submit(time.sleep, 0.2) for _ in range(20)]
    threads.shutdown(cancel_futures=True)
    assert running_call.done()
    assert any(call.cancelled() for call in waiting)
    assert all(call.done() for call in waiting)
    assert not running(before)


def test_call_threads_finish_what_waits_when_they_are_shut_down(before):
    threads = CallThreads(1)
    calls = [threads.submit(time.sleep, 0.01) for _ in range(5)]
    threads.shutdown()
    assert [call.result(10) for call in calls] == [None] * 5
    wait_until(lambda: not running(before))
    with pytest.raises(RuntimeError, match="These threads are shut down"):
        threads.submit(time.sleep, 0)
