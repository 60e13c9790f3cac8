"""Tests how a process ends whose main thread does not come back after a signal: seen from outside."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from crossnet.components.signal_watch import descendants
from support import REPOSITORY
from support.processes import is_alive
from support.serving_fixtures import wait_until

# One call of C that lasts for minutes without the lock of Python, as a graph of TensorFlow may: no handler runs.
PROGRAM = """
import hashlib, os, subprocess, sys, threading
from crossnet.components import interrupts, signal_watch

signal_watch.GRACE_SECONDS, after, json, code = float(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
words = lambda number: interrupts.Words("Interrupted in `trainer_dense`.", {"run": "nightly"})
with interrupts.noticed(as_json=json == "json", exit_code=eval(code)):
    with interrupts.last_words(words):
        exec(after)
        sys.stdout = sys.stderr = None
        log, out, stuck = os.open("log", os.O_CREAT | os.O_WRONLY), os.dup(1), threading.Event()
        os.dup2(log, 1), os.dup2(log, 2)  # as a run does
        say = lambda: stuck.wait() and os.write(out, f"{child.pid}\\n".encode())
        threading.Thread(target=say, daemon=True).start()
        sys.setswitchinterval(3600)  # the thread's turn comes when the call of C gives Python's lock away
        stuck.set()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
"""


@pytest.fixture
def start(tmp_path):
    """Starts the program; returns the process, which is stuck, and the process that it has started."""
    started = []

    def run(*, grace: float = 0.2, after: str = "pass", as_json: bool = False, code: int | None = None):
        command = [sys.executable, "-c", PROGRAM, str(grace), after, "json" if as_json else "", str(code)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)}, text=True, **pipes)
        started.append(process)
        return process, int(process.stdout.readline())

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has it ignored
    yield run
    signal.signal(signal.SIGINT, before)
    for process in started:
        for child in descendants(process.pid):
            os.kill(child, signal.SIGKILL)
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stuck_process_ends_with_its_words_and_leaves_no_child(start, tmp_path, number, code):
    process, child = start()
    process.send_signal(number)
    assert process.communicate(timeout=20) == ("", "Interrupted in `trainer_dense`.\n")
    assert process.returncode == code
    wait_until(lambda: not is_alive(child))
    assert (tmp_path / "log").read_text() == ""


def test_stuck_process_prints_the_object_of_its_speaker(start):
    process, _ = start(as_json=True)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (json.loads(out), err) == ({"run": "nightly"}, "Interrupted in `trainer_dense`.\n")


def test_second_signal_ends_at_once(start):
    process, child = start(grace=3600)
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 143  # of the first
    wait_until(lambda: not is_alive(child))


@pytest.mark.parametrize(("after", "code"), [("interrupts.hold()", 143), ("interrupts.settle(3)", 3)])
def test_process_ends_also_where_a_signal_must_not_raise(start, after, code):
    process, _ = start(after=after)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == code


def test_stuck_server_that_is_told_to_stop_ends_with_0_and_no_word(start):
    process, _ = start(code=0)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_speaker_that_fails_keeps_nobody_alive(start):
    process, _ = start(after="interrupts._watch.speakers[-1] = None")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[1] == "Interrupted.\n"
    assert process.returncode == 143


def test_speaker_that_waits_for_what_the_main_thread_holds_keeps_nobody_alive(start):
    waits = "held = threading.Lock(); held.acquire(); interrupts._watch.speakers[-1] = lambda number: held.acquire()"
    process, _ = start(after=waits)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[1] == "Interrupted.\n"
    assert process.returncode == 143


def test_signal_with_another_handler_is_left_to_it(start):
    process, _ = start(after="import signal; signal.signal(signal.SIGTERM, lambda *_: None)")
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.8)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130


@pytest.mark.parametrize("code", ["None", "PyDLL(None)"])  # code of C that gives Python's lock away, or keeps it
def test_worker_ends_with_the_process_that_started_it(tmp_path, code):
    program = f"""
import multiprocessing
from ctypes import CDLL, PyDLL
from crossnet.components.signal_watch import work_for_parent

def work():
    work_for_parent()
    print("ready", flush=True)
    ({code} or CDLL(None)).sleep(60)

if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=work)
    worker.start()
    print(worker.pid, flush=True)
    worker.join()
"""
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, "program.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)}, stdout=subprocess.PIPE
    ) as process:
        worker = int(process.stdout.readline())
        assert process.stdout.readline() == b"ready\n"
        assert worker in descendants(process.pid)
        process.kill()
    wait_until(lambda: not is_alive(worker))


def test_process_without_children_has_no_descendants():
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    assert process.pid in descendants(multiprocessing.current_process().pid)
    process.join()
    assert process.pid not in descendants(multiprocessing.current_process().pid)
