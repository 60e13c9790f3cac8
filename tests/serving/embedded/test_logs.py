"""The server's log: few lines a second of each kind, and how many there were."""

from __future__ import annotations

import io
import logging
import subprocess
import sys

import pytest

from crossnet.serving.embedded import logs
from crossnet.serving.embedded.logs import LineLimit
from support.serving_fixtures import wait_until


@pytest.fixture
def log(monkeypatch):
    """A logger, and the stream that it writes to with at most two lines of a kind in 50 ms."""
    monkeypatch.setattr(logs, "_SECONDS", 0.05)
    stream, logger = io.StringIO(), logging.Logger("limited")
    handler = logging.StreamHandler(stream)
    handler.addFilter(LineLimit(handler, per_second=2))
    logger.addHandler(handler)
    return logger, stream


def lines(stream):
    return stream.getvalue().splitlines()


def test_a_kind_of_line_is_written_a_few_times_and_then_counted(log, monkeypatch):
    logger, stream = log
    monkeypatch.setattr(logs, "_SECONDS", 0.5)  # all lines must fall into it, on a busy machine too
    for number in range(20):
        logger.warning("request %d failed", number)
    wait_until(lambda: len(lines(stream)) == 3)
    assert lines(stream) == ["request 0 failed", "request 1 failed", "18 more like it: request %d failed"]
    logger.warning("request %d failed", 20)
    assert lines(stream)[-1] == "request 20 failed"


def test_other_kinds_are_not_held_back(log):
    logger, stream = log
    for number in range(5):
        logger.warning("one %d", number)
        logger.error("two %d", number)
    wait_until(lambda: len(lines(stream)) == 6)
    assert lines(stream)[:4] == ["one 0", "two 0", "one 1", "two 1"]
    assert sorted(lines(stream)[4:]) == ["3 more like it: one %d", "3 more like it: two %d"]


def test_lines_at_a_slow_pace_are_all_written(log, monkeypatch):
    logger, stream = log
    now = 0.0
    monkeypatch.setattr(logs.time, "monotonic", lambda: now)
    for number in range(10):
        now = number * 0.04
        logger.warning("now and then %d", number)
    assert len(lines(stream)) == 10


def test_the_number_of_kinds_is_bounded(log, monkeypatch):
    logger, stream = log
    monkeypatch.setattr(logs, "_MAX_KINDS", 10)
    for number in range(100):
        logger.warning(f"kind {number}")
    assert len(lines(stream)) == 100
    assert len(logger.handlers[0].filters[0]._seen) <= 10


def test_a_traceback_that_repeats_is_limited_too():
    code = """
import logging, time
from crossnet.serving.embedded.logs import log_to_stderr
log_to_stderr()
for _ in range(100):
    try:
        1 / 0
    except ZeroDivisionError:
        logging.exception("a bug")
logging.info("last")
time.sleep(1.2)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stderr.count("Traceback") == 5
    assert done.stderr.splitlines()[-2:] == ["last", "95 more like it: a bug"]
