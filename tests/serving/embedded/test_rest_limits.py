"""What a REST request may cost: the size of its body, and what it holds back while others ask."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading

import pytest
import tensorflow as tf

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.server import Server
from support.serving_fixtures import wait_until
from support.serving_models import save_graph

MIB = 2**20
TOO_LARGE = {
    "error": "The body is larger than 1 MiB, the limit of `--rest_api_max_body_mib`. Send fewer rows at once, or use "
    "gRPC."
}
PATH = "/v1/models/one:predict"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    base = tmp_path_factory.mktemp("rest") / "one"
    save_graph(base / "1", lambda x: {"y": x * 2.0}, x=(tf.float32, None))
    flags = ServerFlags(port=0, model_name="one", model_base_path=str(base), rest_api_max_body_mib=1)
    with Server(flags, rest=True) as server:
        yield server.rest_port


def ask(port, body):
    """Sends bytes, or an iterable of bytes as chunks."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("POST", PATH, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def padded(size):
    """A request of this many bytes."""
    body = b'{"inputs": [1.0]'
    return body + b" " * (size - len(body) - 1) + b"}"


def test_a_body_of_the_limit_is_answered_and_one_byte_more_is_not(port):
    assert ask(port, padded(MIB)) == (200, {"outputs": [2.0]})
    assert ask(port, padded(MIB + 1)) == (413, TOO_LARGE)
    assert ask(port, padded(8 * MIB)) == (413, TOO_LARGE)


def test_a_body_without_a_length_is_read_up_to_the_limit(port):
    pieces = (padded(MIB // 4)[:-1] for _ in range(64))
    assert ask(port, pieces) == (413, TOO_LARGE)
    whole = padded(MIB)
    assert ask(port, (whole[i : i + 99_999] for i in range(0, MIB, 99_999))) == (
        200,
        {"outputs": [2.0]},
    )


def test_a_body_that_takes_many_times_its_size_in_memory_is_refused(port, monkeypatch):
    from crossnet.serving.embedded import rest

    monkeypatch.setattr(rest, "_LARGE_BYTES", 1000)
    monkeypatch.setattr(rest, "PredictBody", lambda body: pytest.fail("was read"))
    status, answer = ask(port, b'{"inputs": [' + b"[],".join([b""] * 300_000) + b"1]}")
    assert status == 413
    assert answer["error"] == (
        "The JSON would take more than 16 MiB of memory, 16 times `--rest_api_max_body_mib`. Send fewer rows at once, "
        "send columns (`inputs`) instead of rows, or use gRPC."
    )


def test_an_announced_body_is_refused_before_it_comes(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {2**40}\r\n\r\n".encode())
        answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer.lower()


def test_a_chunked_body_that_never_ends_is_cut_off(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):  # after the answer, and some patience
            while True:
                client.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")


def test_small_requests_do_not_wait_for_a_large_one(tmp_path, monkeypatch):
    from crossnet.serving.embedded import rest

    monkeypatch.setattr(rest, "_LARGE_BYTES", 1000)
    entered, go_on, read = threading.Event(), threading.Event(), rest.PredictBody
    seen = []

    def slow(body):
        seen.append(len(body))
        if len(body) > 1000:
            entered.set()
            assert go_on.wait(20)
        return read(body)

    monkeypatch.setattr(rest, "PredictBody", slow)
    save_graph(tmp_path / "one" / "1", lambda x: {"y": x * 2.0}, x=(tf.float32, None))
    flags = ServerFlags(port=0, model_name="one", model_base_path=str(tmp_path / "one"))
    with Server(flags, rest=True) as server:
        large = [threading.Thread(target=ask, args=(server.rest_port, padded(2000))) for _ in range(12)]
        for thread in large:
            thread.start()
        assert entered.wait(20)
        assert ask(server.rest_port, padded(100)) == (200, {"outputs": [2.0]})
        assert seen.count(2000) == 1  # one large body at a time
        go_on.set()
        for thread in large:
            thread.join(20)
        assert seen.count(2000) == 12


def test_a_large_request_gives_up_when_another_takes_all_the_time(tmp_path, monkeypatch):
    from crossnet.serving.embedded import rest

    monkeypatch.setattr(rest, "_LARGE_BYTES", 1000)
    go_on, read, num_read = threading.Event(), rest.PredictBody, []

    def slow(body):
        num_read.append(1)
        assert go_on.wait(20)
        return read(body)

    monkeypatch.setattr(rest, "PredictBody", slow)
    save_graph(tmp_path / "one" / "1", lambda x: {"y": x * 2.0}, x=(tf.float32, None))
    flags = ServerFlags(
        port=0, model_name="one", model_base_path=str(tmp_path / "one"), rest_api_timeout_in_ms=300
    )  # fmt: skip
    with Server(flags, rest=True) as server:
        for _ in range(3):
            assert ask(server.rest_port, padded(2000))[0] in (503, 504)
        assert num_read == [1]  # the first still works on its answer, which nobody waits for
        go_on.set()
        wait_until(lambda: ask(server.rest_port, padded(2000))[0] == 200)
