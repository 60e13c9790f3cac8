"""Messages between two workers, and what is not one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from crossnet.components.training.links import MAX_MESSAGE_BYTES, Link, LostError


@pytest.fixture
def connections() -> Iterator[tuple[Link, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = socket.create_connection(server.getsockname())
        link = Link(server.accept()[0])
        with there:
            yield link, there
        link.close()


def test_messages_and_bytes_arrive_in_their_order(connections: tuple[Link, socket.socket]) -> None:
    link, there = connections
    other = Link(there)
    other.say(worker=1, facts={"a": [1, None]})
    other.send(b"\0" * 3_000_000)
    assert link.hear(5) == {"worker": 1, "facts": {"a": [1, None]}}
    assert link.receive(5) == b"\0" * 3_000_000


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"crossnet" + (MAX_MESSAGE_BYTES + 1).to_bytes(8, "big"),
        b"crossnet" + (3).to_bytes(8, "big") + b"[1]",
        b"crossnet" + (2).to_bytes(8, "big") + b"\xff{",
    ],
    ids=["another protocol", "too much", "not an object", "not JSON"],
)
def test_who_is_not_a_worker_is_not_heard(connections: tuple[Link, socket.socket], said: bytes) -> None:
    link, there = connections
    there.sendall(said)
    with pytest.raises(LostError, match="does not speak as a worker does"):
        link.hear(5)


def test_what_was_said_last_is_heard_by_who_has_sent_what_nobody_reads(
    connections: tuple[Link, socket.socket],
) -> None:
    link, there = connections
    other = Link(there)
    other.send(b"\0" * 10_000)
    link.say(error="The disk is full.")
    waiting = threading.Thread(target=link.hang_up, args=(time.monotonic() + 30,))
    waiting.start()
    assert other.hear(5) == {"error": "The disk is full."}
    with pytest.raises(LostError, match="it has ended"):
        other.hear(5)
    assert waiting.is_alive()
    other.close()
    waiting.join(30)
    assert not waiting.is_alive()


def test_an_end_is_noticed_and_silence_too(connections: tuple[Link, socket.socket]) -> None:
    link, there = connections
    assert not link.has_ended
    with pytest.raises(LostError, match="timed out"):
        link.hear(0.01)
    there.sendall(b"cross")
    there.close()
    assert not link.has_ended  # there is something to read before it
    with pytest.raises(LostError, match="it has ended"):
        link.hear(5)
    assert link.has_ended
