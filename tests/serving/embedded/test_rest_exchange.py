from __future__ import annotations

import asyncio
import json
import threading
from concurrent import futures

import pytest

from crossnet.serving.embedded.rest_exchange import (
    Answer,
    Gone,
    computed,
    error_text,
    plain_error,
    receive_body,
    send_and_discard,
    send_answer,
)


def test_error_is_json_and_bounded():
    assert json.loads(error_text('a "quoted" é')) == {"error": 'a "quoted" é'}
    assert len(error_text("x" * 100_000)) < 2000
    answer = plain_error(413, "too large")
    assert answer == Answer(413, "application/json", b'{"error": "too large"}')


def test_answer_before_the_body_has_come_reads_the_rest_of_it():
    parts = [{"more_body": True}, {"more_body": True}, {"more_body": False}]
    sent = []

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(send_and_discard(Answer(413, "text/plain", b"no"), receive, send))
    assert parts == []
    assert sent[0]["status"] == 413
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b"".join(message.get("body", b"") for message in sent) == b"no"


def received(*messages, headers=None, limit=10):
    """What `receive_body` makes of ASGI's messages."""
    waiting = list(messages)

    async def receive():
        return waiting.pop(0)

    return asyncio.run(receive_body(headers or {}, receive, limit))


def part(body, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_is_whole_where_it_came_in_parts():
    assert received(part(b"ab"), part(b""), part(b"c", more=False)) == b"abc"


def test_a_body_beyond_the_limit_is_not_read_to_its_end():
    assert received(part(b"x" * 6), part(b"x" * 5)) is None
    assert received(headers={b"content-length": b"11"}) is None


def test_a_client_that_leaves_is_told_apart_from_an_empty_body():
    with pytest.raises(Gone):
        received(part(b"ab"), {"type": "http.disconnect"})


def test_an_answer_tells_its_type_and_length_beside_its_own_headers():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(send_answer(Answer(200, "text/plain", b"abc", {"vary": "x"}), send))
    assert sent[0]["headers"] == [(b"content-type", b"text/plain"), (b"content-length", b"3"), (b"vary", b"x")]
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"abc")


def test_a_thread_computes_an_answer_or_raises():
    def work(status, word):
        if not status:
            raise ValueError(word)
        return Answer(status, "text/plain", word.encode())

    with futures.ThreadPoolExecutor(1) as threads:
        assert asyncio.run(computed(threads, work, 200, "abc")) == Answer(200, "text/plain", b"abc")
        with pytest.raises(ValueError, match="abc"):
            asyncio.run(computed(threads, work, 0, "abc"))


def test_an_answer_for_which_nobody_waits_is_dropped_and_the_next_one_not_begun():
    started, go_on, begun = threading.Event(), threading.Event(), []

    def work(name):
        begun.append(name)
        started.set()
        go_on.wait(20)
        return Answer(200, "text/plain", b"")

    async def give_up(threads):
        waiting = [asyncio.create_task(computed(threads, work, name)) for name in "ab"]
        assert await asyncio.to_thread(started.wait, 20)
        for task in waiting:
            task.cancel()
        assert [type(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == [
            asyncio.CancelledError
        ] * 2
        go_on.set()
        return await computed(threads, work, "c")

    with futures.ThreadPoolExecutor(1) as threads:
        assert asyncio.run(give_up(threads)).status == 200
    assert begun == ["a", "c"]
