"""Reads HTTP with httptools, within bounds that its parser lacks.

httptools (llhttp, in C) parses a request of 60 KB in a twentieth of h11's CPU (2026-11-30), and uvicorn has a protocol
for it. That one takes headers of any size, as many requests on one connection as come before an answer, and waits for
headers as long as they take. This one answers each of these with an error, after the requests before it, and closes the
connection. It also reads the body of a request that asks for another protocol, which uvicorn's leaves out, and writes
an answer at once, for which uvicorn's takes two calls of the system, and the client two reads.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from crossnet.serving.embedded.rest_exchange import Answer, plain_error, send_answer

MAX_HEAD_BYTES = 16 * 2**10  # what h11 takes, and Node.js
MAX_WAITING = 128  # requests that came before the answer to the one before them
_VERSIONS = ("1.0", "1.1")
_TOO_LARGE = plain_error(
    431, f"The request line and the headers are larger than {MAX_HEAD_BYTES // 2**10} KiB. Send fewer or shorter ones."
)
_TOO_MANY = plain_error(
    429,
    f"{MAX_WAITING} requests wait for their answers on this connection. Read these first, or open more connections.",
)
_TOO_SLOW = plain_error(408, "The request line and the headers took longer than --rest_api_timeout_in_ms.")
_NOT_HTTP = plain_error(400, "Invalid HTTP request received.")
_ONE_HOST = plain_error(400, "A request of HTTP/1.1 has one Host header; this one has none, or several.")


class _Refused(Exception):
    """Stops the parser; `BoundedProtocol._refusal` is the answer."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with an end to what one connection may take.

    Args:
      head_seconds: How long the request line and the headers of a request may take; None for any time.
      **others: Those of uvicorn's.
    """

    def __init__(self, *, head_seconds: float | None = None, **others: Any) -> None:
        super().__init__(**others)
        self._head_seconds = head_seconds
        self._head_timer: asyncio.TimerHandle | None = None
        self._part = ""  # of a message that comes now: "head", "body", or "" between messages
        self._head_bytes = 0  # of this message's request line, headers and trailers, as far as they are whole
        self._hosts = 0
        self._num_events = 0
        self._silent_bytes = 0  # that came since the last event: part of a line that does not end
        self._plain_head = b""  # of a request that asks for another protocol, as one that does not
        self._refusal: Answer | None = None

    def connection_made(self, transport: Any) -> None:
        """Begins to wait for the first request as long as for each next one."""
        super().connection_made(transport)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the timers."""
        self._unset_keepalive_if_required()
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what came; after an error, passes it by."""
        self._unset_keepalive_if_required()
        left = memoryview(data)
        while len(left) and self._refusal is None:
            before, size = self._num_events, len(left)
            try:
                self.parser.feed_data(left)
                left = left[size:]
            except httptools.HttpParserUpgrade as found:  # its parser leaves the body, as another protocol's, unread
                left = memoryview(self._plain_head + left[found.args[0] :])
                self._plain_head = b""
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            except httptools.HttpParserError:
                self._refuse(self._refusal or _NOT_HTTP)
                return
            self._silent_bytes = self._silent_bytes + size if self._num_events == before else 0
            if self._silent_bytes > MAX_HEAD_BYTES:
                self._refuse(_TOO_LARGE)
                return
        if self._part == "head" and self._head_seconds and not self._head_timer:
            self._head_timer = self.loop.call_later(self._head_seconds, self._refuse, _TOO_SLOW)
        elif not self._part and (self.cycle is None or self.cycle.response_complete):  # only line ends came
            self._wait_for_request()

    def _wait_for_request(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    # ---- What the parser calls ----

    def on_message_begin(self) -> None:
        """Begins a request."""
        self._num_events += 1
        self._part, self._head_bytes, self._hosts = "head", 0, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Takes a part of the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header or, after a body in chunks, a trailer, which nothing reads."""
        self._count(len(name) + len(value))
        if self._part == "head":
            super().on_header(name, value)
            self._hosts += self.headers[-1][0] == b"host"

    def on_headers_complete(self) -> None:
        """Starts the answer, or puts the request behind those that still wait for theirs."""
        self._num_events += 1
        if self.parser.should_upgrade():  # Java's client asks so, and is answered in HTTP/1.1
            method = self.parser.get_method()
            if method == b"CONNECT":
                self._stop(_NOT_HTTP)
            lines = [method + b" " + self.url + b" HTTP/" + self.parser.get_http_version().encode()]
            lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
            self._plain_head = b"\r\n".join([*lines, b"", b""])
            return
        self._stop_timer()
        version = self.parser.get_http_version()
        if version not in _VERSIONS:
            self._stop(_NOT_HTTP)
        if self._hosts != 1 and (version == "1.1" or self._hosts):
            self._stop(_ONE_HOST)
        if len(self.pipeline) >= MAX_WAITING:
            self._stop(_TOO_MANY)
        super().on_headers_complete()
        self._part = "body"

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body."""
        self._num_events += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends a request."""
        self._num_events += 1
        if not self._plain_head:
            self._part = ""
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        async def joining(scope: Any, receive: Any, _send: Any) -> None:
            await app(scope, receive, _Joined(cycle).send)

        super()._start_asgi_task(cycle, joining)

    # ---- Errors ----

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._stop(_TOO_LARGE)

    def _stop(self, refusal: Answer) -> None:
        """Stops the parser from inside one of its calls.

        Raises:
          _Refused: Always.
        """
        self._refusal = refusal
        raise _Refused

    def _stop_timer(self) -> None:
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, refusal: Answer) -> None:
        """Answers with an error when the requests before are answered, and then closes the connection."""
        self._refusal = refusal
        self._stop_timer()
        cycle, app = self.cycle, functools.partial(_send, refusal)
        if self._part == "body":  # the error is in the body of this request
            cycle.keep_alive = False
            if cycle.response_started:
                self.transport.close()
                return
            if self.pipeline and self.pipeline[0][0] is cycle:
                self.pipeline[0] = cycle, app
                return
            cycle.disconnected = True  # who answers it learns that the rest does not come
            cycle.message_event.set()
        scope: Any = {"type": "http", "method": "POST", "http_version": "1.1"}  # all that is read of it
        refusing = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        if cycle is None or cycle.response_complete or cycle.disconnected:
            self.cycle = refusing
            self._start_asgi_task(refusing, app)
        else:
            self.pipeline.appendleft((refusing, app))


class _Joined:
    """Writes the head of an answer together with its body, where that comes whole.

    Args:
      cycle: uvicorn's of the request.
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._head: Any = None  # ASGI's message, until the body comes
        self._parts: list[bytes] = []
        self._transport: Any = None

    async def send(self, message: Any) -> None:
        """Does what ASGI's `send` does."""
        if message["type"] == "http.response.start" and self._head is None:
            self._head = message
            return
        cycle, head, self._head = self._cycle, self._head, None
        if head is None or message.get("more_body"):
            if head is not None:
                await cycle.send(head)
            await cycle.send(message)
            return
        self._transport, cycle.transport = cycle.transport, self  # type: ignore[assignment]
        try:
            await cycle.send(head)
            await cycle.send(message)
        finally:
            cycle.transport = self._transport
            self._flush()

    # ---- What the cycle calls in place of the transport ----

    def write(self, data: bytes) -> None:
        """Keeps what the transport is to write."""
        self._parts.append(data)

    def close(self) -> None:
        """Writes, and closes the connection."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()


async def _send(answer: Answer, _scope: Any, _receive: Any, send: Any) -> None:
    """Sends an answer, as an ASGI application."""
    await send_answer(answer, send)
