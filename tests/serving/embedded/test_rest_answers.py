from __future__ import annotations

import asyncio
import json

from crossnet.serving.embedded.rest_answers import error_text, plain_error, send_and_discard


def test_error_is_json_and_bounded():
    assert json.loads(error_text('a "quoted" é')) == {"error": 'a "quoted" é'}
    assert len(error_text("x" * 100_000)) < 2000
    answer = plain_error(413, "too large")
    assert (answer.status_code, answer.media_type, answer.body) == (413, "application/json", b'{"error": "too large"}')


def test_answer_before_the_body_has_come_reads_the_rest_of_it():
    parts = [{"more_body": True}, {"more_body": True}, {"more_body": False}]
    sent = []

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(send_and_discard(413, "no", receive, send))
    assert parts == []
    assert sent[0]["status"] == 413
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b"".join(message.get("body", b"") for message in sent) == b"no"
