"""Writes the answers of the REST port that are not predictions."""

from __future__ import annotations

import json
from typing import Any

import anyio
from starlette.responses import Response

from crossnet.serving.protocol.bounded_text import cut_message

_DISCARD_SECONDS = 2.0


async def send_and_discard(status: int, text: str, receive: Any, send: Any) -> None:
    """Sends an answer before the whole request has come, and then discards what comes for a while.

    A client that is still sending reads the answer only afterwards; a connection that closes before tells it nothing.
    """
    body = text.encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with anyio.move_on_after(_DISCARD_SECONDS):
        while (await receive()).get("more_body"):
            pass
    await send({"type": "http.response.body", "body": b""})


def plain_error(status: int, message: str) -> Response:
    """Returns an answer that says what is wrong."""
    return Response(error_text(message), status, media_type="application/json")


def error_text(message: str) -> str:
    """Returns the JSON that says what is wrong."""
    return json.dumps({"error": cut_message(message)}, ensure_ascii=False)
