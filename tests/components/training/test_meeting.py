"""Workers that stay in touch, in threads of this process: what they share, and how they hear of a loss."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from crossnet.components.errors import TrainingError
from crossnet.components.training.cluster import Cluster
from crossnet.components.training.meeting import Meeting
from support.arena import free_port

SECONDS = 30.0


def together(*work: Callable[[Meeting], Any]) -> Sequence[Any]:
    """Returns what each worker's function returns or raises."""
    ports: set[int] = set()
    while len(ports) < len(work):
        ports.add(free_port())
    names = tuple(f"127.0.0.1:{port}" for port in ports)

    def take_part(index: int) -> Any:
        try:
            with Meeting(Cluster(names, index), {}, SECONDS) as meeting:
                return work[index](meeting)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result(SECONDS) for future in [pool.submit(take_part, index) for index in range(len(work))]]


def test_what_the_chief_has_all_get() -> None:
    payload = bytes(range(256)) * 10_000
    assert together(lambda m: m.share(payload), *[lambda m: m.share(b"")] * 2) == [payload] * 3


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
