"""Workers that stay in touch, in threads of this process: what they share, and how they hear of a loss."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from crossnet.components.errors import TrainingError
from crossnet.components.training.meeting import Meeting
from support.meetings import SECONDS, together


def test_what_the_chief_has_all_get() -> None:
    payload = bytes(range(256)) * 10_000
    assert together(lambda m: m.share(payload), *[lambda m: m.share(b"")] * 2) == [payload] * 3


def test_what_all_have_the_chief_joins_in_their_order_and_all_get() -> None:
    given = [b"a" * 300_000, b"", b"c"]
    work = [lambda m, own=own: m.combine(own, b"-".join) for own in given]
    assert together(*work) == [b"-".join(given)] * 3


def test_bytes_go_to_the_chief_and_from_him_to_one() -> None:
    def chief(meeting: Meeting) -> bytes:
        found = meeting.take(2) + meeting.take(1)
        meeting.give(1, found)
        return found

    def first(meeting: Meeting) -> bytes:
        meeting.give(0, b'{"error": 1}')
        return meeting.take(0)

    expected = b'second{"error": 1}'
    assert together(chief, first, lambda m: m.give(0, b"second")) == [expected, expected, None]


def test_who_waits_for_bytes_of_the_chief_is_told_his_error() -> None:
    def chief(meeting: Meeting) -> None:
        raise TrainingError("The checkpoint comes from another training.")

    waiting = [lambda m: m.share(b""), lambda m: m.combine(b"own", b"".join)]
    found = together(chief, *waiting)
    assert [str(error) for error in found] == ["The checkpoint comes from another training."] * 3
    assert all(isinstance(error, TrainingError) for error in found)


def test_who_ends_before_he_has_given_his_part_is_named_to_all() -> None:
    work = [lambda m: m.combine(b"", b"".join)] * 2
    for error in together(*work, lambda m: None)[:2]:
        assert isinstance(error, TrainingError)
        assert str(error).startswith("Worker 2 (127.0.0.1:")


def test_others_wait_until_the_chief_is_done_and_he_hears_who_differs() -> None:
    chief_done = threading.Event()

    def chief(meeting: Meeting) -> list[int]:
        found = meeting.compare("digest")
        chief_done.set()
        return found

    def other(digest: str) -> Callable[[Meeting], Any]:
        def work(meeting: Meeting) -> tuple[list[int], bool]:
            return meeting.compare(digest), chief_done.is_set()

        return work

    assert together(chief, other("digest"), other("another")) == [[2], ([], True), ([], True)]


def test_the_error_of_the_chief_is_told_to_all() -> None:
    def chief(meeting: Meeting) -> None:
        meeting.compare("a")
        raise TrainingError("The disk is full.")

    found = together(chief, lambda meeting: meeting.compare("a"))
    assert [str(error) for error in found] == ["The disk is full."] * 2


def test_who_ends_during_the_training_is_named_to_all_others() -> None:
    told = threading.Barrier(2)

    def stays(meeting: Meeting) -> str:
        lost = threading.Event()
        with meeting.watched(lost.set):
            assert lost.wait(SECONDS)
        sentence = meeting.loss(SECONDS)
        told.wait(SECONDS)
        return sentence

    *said, ended = together(stays, stays, lambda meeting: "ended")
    assert ended == "ended"
    for sentence in said:
        assert sentence.startswith("Worker 2 (127.0.0.1:")
        assert "ended before the training did" in sentence


def test_the_loss_of_the_chief_is_named() -> None:
    def other(meeting: Meeting) -> str:
        lost = threading.Event()
        with meeting.watched(lost.set):
            assert lost.wait(SECONDS)
        return meeting.loss(SECONDS)

    def chief(meeting: Meeting) -> None:
        raise KeyError  # a bug, of which he says nothing

    assert "Worker 0 (127.0.0.1:" in together(chief, other)[1]


def test_a_worker_that_is_done_is_not_lost() -> None:
    def chief(meeting: Meeting) -> tuple[bool, str, list[int]]:
        lost = threading.Event()
        with meeting.watched(lost.set):
            said.wait(SECONDS)
        return lost.is_set(), meeting.loss(0.0), meeting.compare("a")

    said = threading.Event()

    def other(meeting: Meeting) -> list[int]:
        threading.Timer(0.2, said.set).start()
        return meeting.compare("a")

    assert together(chief, other) == [(False, "", []), []]


def test_who_ends_before_the_end_is_named_when_weights_are_compared() -> None:
    error, _ = together(lambda meeting: meeting.compare("a"), lambda meeting: None)
    assert isinstance(error, TrainingError)
    assert "Worker 1 (127.0.0.1:" in str(error)
