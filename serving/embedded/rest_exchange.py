"""Receives the bodies of REST requests and sends answers.

`receive` and `send` are what an ASGI server passes (https://asgi.readthedocs.io, HTTP).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any, NamedTuple

from crossnet.serving.protocol.bounded_text import cut_message

JSON_TYPE = "application/json"
_DISCARD_SECONDS = 2.0


class Gone(Exception):
    """The client closed the connection before its whole request had come."""


class Answer(NamedTuple):
    """A whole answer.

    Attributes:
      status: Of HTTP.
      kind: Its content type.
      data: Its body.
      headers: Others than those of the body's type and length.
    """

    status: int
    kind: str
    data: bytes
    headers: Mapping[str, str] = {}


async def receive_body(headers: Mapping[bytes, bytes], receive: Any, max_bytes: int) -> bytes | bytearray | None:
    """Returns the body; None where it has more than `max_bytes`, which ends the reading.

    Args:
      headers: The request's, with names in lower case.
      receive: ASGI's.
      max_bytes: The limit.

    Raises:
      Gone: The client ended before.
    """
    if (length := headers.get(b"content-length", b"")).isdigit() and int(length) > max_bytes:
        return None
    body, has_more = bytearray(), True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        if len(body) + len(part) > max_bytes:
            return None
        has_more = message.get("more_body", False)
        if not has_more and not body:  # it came whole, and need not be copied
            return bytes(part)
        body += part
    return body


async def computed(threads: futures.Executor, work: Callable[..., Answer], *given: Any) -> Answer:
    """Returns `work(*given)`, which a thread computes; or raises what it raises.

    `run_in_executor` of asyncio does the same, and for each call chains two futures, which takes it several times as
    long (2026-11-30).
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def run() -> None:
        try:
            found = work(*given)
        except BaseException as error:
            loop.call_soon_threadsafe(_settle, answer.set_exception, error, answer)
        else:
            loop.call_soon_threadsafe(_settle, answer.set_result, found, answer)

    running = threads.submit(run)
    try:
        return await answer
    except asyncio.CancelledError:
        running.cancel()
        raise


def _settle(settle: Callable[[Any], None], value: Any, answer: asyncio.Future[Answer]) -> None:
    if not answer.done():  # nobody waits for it any more
        settle(value)


async def send_answer(answer: Answer, send: Any) -> None:
    """Sends an answer."""
    headers = [(b"content-type", answer.kind.encode()), (b"content-length", b"%d" % len(answer.data))]
    headers += [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.data})


async def send_and_discard(answer: Answer, receive: Any, send: Any) -> None:
    """Sends an answer before the whole request has come, and then discards what comes for a while.

    A client that is still sending reads the answer only afterwards; a connection that closes before tells it nothing.
    """
    headers = [
        (b"content-type", answer.kind.encode()),
        (b"content-length", b"%d" % len(answer.data)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.data, "more_body": True})
    try:
        async with asyncio.timeout(_DISCARD_SECONDS):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})


def plain_error(status: int, message: str) -> Answer:
    """Returns an answer that says what is wrong."""
    return Answer(status, JSON_TYPE, error_text(message).encode())


def error_text(message: str) -> str:
    """Returns the JSON that says what is wrong."""
    return json.dumps({"error": cut_message(message)}, ensure_ascii=False)
