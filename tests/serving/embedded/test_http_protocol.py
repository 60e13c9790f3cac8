"""Bytes on a connection, and the answers of uvicorn with each of the two parsers in front of an echo."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import threading

import pytest
import uvicorn

from crossnet.serving.embedded.listen import listen_for_rest, rest_protocol
from crossnet.serving.embedded.rest_exchange import Answer, Gone, receive_body, send_answer

H = b"Host: x\r\n"
GET = b"GET /a HTTP/1.1\r\n" + H + b"\r\n"
LAST = b"GET /last HTTP/1.1\r\n" + H + b"Connection: close\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


def post(body, more=b""):
    return b"POST /a HTTP/1.1\r\n" + H + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Echo:
    """Answers with the path and the size of the body; `/wait` waits until it is told to go on."""

    def __init__(self):
        self.go_on = threading.Event()
        self.gone = threading.Event()

    async def __call__(self, scope, receive, send):
        try:
            body = await receive_body(dict(scope["headers"]), receive, 2**20)
        except Gone:
            self.gone.set()
            return
        if scope["path"] == "/wait":
            await asyncio.get_running_loop().run_in_executor(None, self.go_on.wait, 20)
        await send_answer(Answer(200, "application/json", json.dumps([scope["path"], len(body)]).encode()), send)


@contextlib.contextmanager
def serving(parser="httptools", *, head_seconds=20.0, idle_seconds=20, app=None):
    protocol = "h11" if parser == "h11" else rest_protocol(head_seconds)
    if parser != protocol == "h11":
        pytest.skip("httptools is not installed")
    echo, listener = Echo(), listen_for_rest("127.0.0.1", 0)
    config = uvicorn.Config(
        app or echo, interface="asgi3", http=protocol, timeout_keep_alive=idle_seconds, lifespan="off", ws="none",
        proxy_headers=False, log_config=None, log_level="critical", access_log=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield echo, listener.getsockname()[1]
    finally:
        echo.go_on.set()
        server.should_exit = True
        thread.join(20)
        listener.close()


@pytest.fixture(scope="module", params=["httptools", "h11"])
def port(request):
    with serving(request.param) as (_, port):
        yield port


@pytest.fixture(scope="module")
def bounded():
    with serving() as (_, port):
        yield port


def exchange(port, *pieces):
    """Sends bytes, and returns the statuses and bodies of what is answered until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            for piece in pieces:
                client.sendall(piece)
        return answers_of(client)


def answers_of(client):
    text = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(2**16):
            text += part
    found = re.findall(rb"HTTP/1\.1 (\d{3}) .*?\r\n\r\n(.*?)(?=HTTP/1\.1|\Z)", text, re.DOTALL)
    return [(int(status), body.decode()) for status, body in found]


def statuses(port, *pieces):
    return [status for status, _ in exchange(port, *pieces)]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([LAST], [200]),
        ([post(b"abc"), LAST], [200, 200]),
        ([GET[:9], GET[9:], LAST], [200, 200]),
        ([GET * 5 + LAST], [200] * 6),
        ([CHUNKED + b"3;name=value\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n", LAST], [200, 200]),
        ([b"GET /a HTTP/1.0\r\n\r\n"], [200]),
        ([b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"], [200]),
        ([post(b"abc", b"Expect: 100-continue\r\n"), LAST], [200, 200]),
        ([GET[:-2] + UPGRADE + b"\r\n" + LAST], [200, 200]),
        ([post(b"abc", UPGRADE) + LAST], [200, 200]),
        ([CHUNKED[:-2] + UPGRADE + b"\r\n3\r\nabc\r\n0\r\n\r\n", LAST], [200, 200]),
        ([b"garbage\r\n\r\n"], [400]),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], [400]),  # TLS
        ([b"GET /a b HTTP/1.1\r\n" + H + b"\r\n"], [400]),
        ([b"GET /\xff HTTP/1.1\r\n" + H + b"\r\n"], [400]),
        ([b"GET /a HTTP/1.1\r\n\r\n"], [400]),
        ([b"GET /a HTTP/1.1\r\n" + H + H + b"\r\n"], [400]),
        ([b"GET /a HTTP/1.1\r\n" + H + b"no colon\r\n\r\n"], [400]),
        ([post(b"").replace(b": 0", b": -1")], [400]),
        ([post(b"").replace(b": 0", b": 1\r\nContent-Length: 2")], [400]),
        ([CHUNKED + b"x\r\nabc\r\n"], [400]),
        ([post(b"abc") + b"garbage\r\n\r\n"], [200, 400]),
        ([GET + GET[:-2] + b"no colon\r\n\r\n"], [200, 400]),
    ],
)  # fmt: skip
def test_both_parsers_take_and_refuse_the_same_requests(port, sent, expected):
    got = statuses(port, *sent)
    assert [status for status in got if status != 100] == expected


def test_an_answer_is_written_at_once(bounded):
    with socket.create_connection(("127.0.0.1", bounded), 20) as client:
        for body in (b"", b"abc") * 20:
            client.sendall(post(body))
            assert client.recv(2**16).endswith(b'\r\n\r\n["/a", %d]' % len(body))


@pytest.mark.parametrize("last", [GET, LAST])
def test_an_answer_in_parts_comes_as_it_is_sent(last):
    async def answer(scope, receive, send):
        head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}
        await send(head)
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        await send({"type": "http.response.body", "body": b"cd"})

    with serving(app=answer) as (_, port), socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(last)
        text = b""
        while not text.endswith(b"\r\n\r\nabcd"):
            part = client.recv(2**16)
            assert part
            text += part


def test_each_answer_is_that_of_its_request_in_order(port):
    answers = exchange(port, GET + post(b"abc") + CHUNKED + b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n" + LAST)
    assert [json.loads(body) for _, body in answers] == [["/a", 0], ["/a", 3], ["/a", 4], ["/last", 0]]


def test_a_client_that_waits_for_100_is_told_to_go_on(port):
    request = post(b"abc", b"Expect: 100-continue\r\n")
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(request[:-3])
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(request[-3:] + LAST)
        assert [status for status, _ in answers_of(client)] == [200, 200]


# ---- What httptools alone does not bound ----

LONG = b"x" * 17_000


@pytest.mark.parametrize(
    "sent",
    [
        [b"GET /" + LONG + b" HTTP/1.1\r\n" + H + b"\r\n"],
        [GET[:-2] + b"a: " + LONG + b"\r\n\r\n"],
        [GET[:-2] + b"".join(b"a%d: %s\r\n" % (i, b"y" * 50) for i in range(400)) + b"\r\n"],
        [GET[:-2] + b"a: ", *[b"x" * 1000] * 20_000],  # a line that does not end
        [GET[:-2], *[b"a: b\r\n"] * 20_000],
        [b"\r\n" * 10, *[b"\r\n" * 500] * 20_000],
        [CHUNKED + b"3\r\nabc\r\n0\r\n" + b"a: " + LONG + b"\r\n\r\n"],
        [CHUNKED + b"3;", *[b"x" * 1000] * 20_000],
    ],
)  # fmt: skip
def test_a_head_of_any_form_is_refused_beyond_16_kib(bounded, sent):
    ((status, body),) = exchange(bounded, *sent)
    assert (status, json.loads(body)["error"]) == (
        431,
        "The request line and the headers are larger than 16 KiB. Send fewer or shorter ones.",
    )


def test_a_body_comes_whole_where_its_client_asks_for_another_protocol(bounded):
    answers = exchange(bounded, post(b"abc", UPGRADE)[:-3], b"abc" + LAST)
    assert [json.loads(body) for _, body in answers] == [["/a", 3], ["/last", 0]]


def test_what_is_looser_in_h11_is_refused(bounded):
    assert statuses(bounded, b"\r\n\r\n" + LAST) == [200]
    for line in (b"GET /a HTTP/3.0\r\n", GET[: -len(H) - 2] + b"a: \x01\r\n", b"CONNECT a:1 HTTP/1.1\r\n"):
        assert statuses(bounded, line + H + b"\r\n") == [400]


def test_a_head_below_16_kib_is_taken(bounded):
    assert statuses(bounded, LAST[:-2] + b"a: " + b"x" * 16_000 + b"\r\n\r\n") == [200]


def test_requests_beyond_128_that_wait_on_one_connection_are_refused_after_the_answers_to_those(bounded):
    wait = GET.replace(b"/a", b"/wait")
    with serving() as (echo, port), socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(wait + GET * 200)
        echo.go_on.set()
        answers = answers_of(client)
    assert [status for status, _ in answers] == [200] * 129 + [429]
    assert json.loads(answers[-1][1])["error"] == (
        "128 requests wait for their answers on this connection. Read these first, or open more connections."
    )


def test_a_request_that_waits_and_whose_body_is_wrong_is_refused_in_its_turn():
    with serving() as (echo, port), socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(GET.replace(b"/a", b"/wait") + GET + CHUNKED + b"wrong\r\n")
        echo.go_on.set()
        assert [status for status, _ in answers_of(client)] == [200, 200, 400]


def test_who_reads_a_body_learns_that_the_rest_does_not_come():
    with serving() as (echo, port):
        assert statuses(port, CHUNKED + b"wrong\r\n") == [400]
        assert echo.gone.wait(20)


def test_a_head_that_does_not_come_in_time_is_told_so():
    with serving(head_seconds=0.05) as (_, port):
        assert exchange(port, post(b"abc"), GET[:-2])[1:] == [
            (408, '{"error": "The request line and the headers took longer than --rest_api_timeout_in_ms."}')
        ]
        assert statuses(port, GET, LAST) == [200, 200]


def test_a_connection_without_a_request_is_closed_in_the_end():
    with serving(idle_seconds=0.1) as (_, port):
        assert exchange(port) == []
        assert exchange(port, b"\r\n") == []
        assert statuses(port, GET) == [200]
