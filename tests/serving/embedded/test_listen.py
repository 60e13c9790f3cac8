"""The gRPC address: ports, sockets, options, and what is said where one cannot be opened."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
from concurrent import futures
from contextlib import contextmanager

import grpc
import pytest

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded import listen
from crossnet.serving.embedded.listen import calls_at_once, is_loopback, open_server, rest_protocol
from crossnet.serving.status import ServingError
from support.serving_fixtures import failure

CODE = grpc.StatusCode


class Echo(grpc.GenericRpcHandler):
    """Answers each call with its own bytes."""

    def __init__(self, answer=lambda message, _: message):
        self._handler = grpc.unary_unary_rpc_method_handler(answer)

    def service(self, details):
        return self._handler


@contextmanager
def listening(flags, *, host="127.0.0.1", answer=lambda message, _: message):
    """Yields the port of a server that answers each call with its own bytes."""
    with futures.ThreadPoolExecutor(2) as threads:
        server, port = open_server(flags, host, [Echo(answer)], None, threads)
        server.start()
        yield port
        server.stop(None).wait()


@contextmanager
def calling(target):
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(target, [*options, ("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield channel.unary_unary("/a/b")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("10.0.0.7", False), ("localhost.example", False), ("", False)],
)  # fmt: skip
def test_only_loopback_addresses_count_as_such(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize(("given", "batching", "expected"), [(3, False, 3), (0, True, 64), (10**8, True, 2048)])
def test_a_port_runs_no_more_calls_at_once_than_may_be_open(given, batching, expected):
    assert calls_at_once(given, ServerFlags(enable_batching=batching)) == expected


def test_port_zero_takes_a_free_port():
    with listening(ServerFlags(port=0)) as port, calling(f"127.0.0.1:{port}") as call:
        assert port > 0
        assert call(b"x", timeout=20) == b"x"


def test_an_address_of_version_6_is_put_in_brackets():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine does not have IPv6")
    with listening(ServerFlags(port=0), host="::1") as port, calling(f"[::1]:{port}") as call:
        assert call(b"x", timeout=20) == b"x"


def test_messages_above_four_mebibytes_go_in_and_out():
    message = bytes(5_000_000)
    with listening(ServerFlags(port=0)) as port, calling(f"127.0.0.1:{port}") as call:
        assert call(message, timeout=20) == message


@pytest.mark.parametrize("with_port", [True, False])
def test_a_socket_is_opened_beside_the_port_or_alone(with_port):
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1] if with_port else 0
        free.close()
        flags = ServerFlags(port=port, grpc_socket_path=f"{folder}/s")
        with listening(flags) as bound, calling(f"unix:{folder}/s") as call:
            assert call(b"x", timeout=20) == b"x"
            assert bound == (port or None)
            if with_port:
                with calling(f"127.0.0.1:{port}") as also:
                    assert also(b"y", timeout=20) == b"y"


def test_channel_arguments_reach_grpc_whole_numbers_as_such():
    # Between the two sizes gRPC refuses some calls, by chance; a call's own metadata take about 500 bytes.
    arguments = "grpc.max_metadata_size=1500,grpc.absolute_max_metadata_size=1600,grpc.primary_user_agent=me,broken"
    with (
        listening(ServerFlags(port=0, grpc_channel_arguments=arguments)) as port,
        calling(f"127.0.0.1:{port}") as call,
    ):
        assert call(b"x", timeout=20) == b"x"
        assert failure(call, b"x", timeout=20, metadata=[("a", "b" * 2000)])[0] == CODE.RESOURCE_EXHAUSTED


def test_calls_beyond_the_most_at_once_are_refused(monkeypatch):
    monkeypatch.setattr(listen, "_MAX_CALLS", 1)
    entered, go_on = threading.Event(), threading.Event()

    def answer(message, _):
        entered.set()
        assert go_on.wait(20)
        return message

    with listening(ServerFlags(port=0), answer=answer) as port, calling(f"127.0.0.1:{port}") as call:
        first = call.future(b"x", timeout=20)
        assert entered.wait(20)
        assert failure(call, b"y", timeout=20)[0] == CODE.RESOURCE_EXHAUSTED
        go_on.set()
        assert first.result() == b"x"


@pytest.mark.parametrize("shared", [True, False])
def test_a_port_in_use_is_told(shared):
    with socket.create_server(("127.0.0.1", 0), reuse_port=shared) as taken:
        port = taken.getsockname()[1]
        sentence = (
            rf"^Cannot listen on 127.0.0.1:{port}: it is in use, unknown, or you may not open it\. Stop what listens "
            r"there or give another `--port` \(0 takes a free one\)\.$"
        )
        with pytest.raises(ServingError, match=sentence) as error, listening(ServerFlags(port=port)):
            pass
    assert (error.value.code, error.value.exit_code) == (CODE.UNAVAILABLE, 1)


def test_a_socket_that_cannot_be_opened_is_told(tmp_path):
    path = tmp_path / ("s" * 120)
    sentence = f"Cannot listen on unix:{path}: .* Give a `--grpc_socket_path` of at most 107 bytes, in a folder"
    with pytest.raises(ServingError, match=sentence), listening(ServerFlags(port=0, grpc_socket_path=str(path))):
        pass


def test_rest_is_read_by_h11_where_httptools_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "httptools", None)
    monkeypatch.delitem(sys.modules, "crossnet.serving.embedded.http_protocol", raising=False)
    assert rest_protocol(1.0) == "h11"
