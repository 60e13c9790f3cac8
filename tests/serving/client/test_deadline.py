"""Pauses between attempts, and the time that a call has left."""

from __future__ import annotations

from crossnet.serving.client.deadline import Deadline, pause_before_retry


def test_pauses_double_up_to_a_second_and_jitter_halves_them():
    assert [pause_before_retry(i, 1.0) for i in (0, 1, 4, 5, 50)] == [0.05, 0.1, 0.8, 1.0, 1.0]
    assert pause_before_retry(5, 0.0) == 0.5


def test_deadline_of_infinity_never_comes():
    assert Deadline(float("inf")).left() > 9e8


def test_deadline_is_never_below_zero(monkeypatch):
    now = 100.0
    monkeypatch.setattr("crossnet.serving.client.deadline.time.monotonic", lambda: now)
    deadline = Deadline(2.0)
    assert (deadline.seconds, deadline.left()) == (2.0, 2.0)
    now = 101.5
    assert deadline.left() == 0.5
    now = 103.0
    assert deadline.left() == 0.0
