"""Opens the ports and the socket of the server."""

from __future__ import annotations

import functools
import ipaddress
import os
import socket
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import grpc

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.status import ServingError

_MAX_MESSAGE_BYTES = 2**31 - 1
_MAX_SOCKET_BYTES = 107  # Linux: sun_path without its NUL
_BACKLOG = 128  # connections to the REST port that wait to be taken
_BATCHED_CALLS = 64
_MAX_CALLS = 2048  # calls that have only opened a stream count too; far fewer compute at once


def calls_at_once(given: int, flags: ServerFlags) -> int:
    """Returns how many calls of a port may run at once.

    Args:
      given: What a flag says; 0 for the default. More than may be open at all are not needed.
      flags: The server's. With batching more calls run, because they wait for each other instead of computing.
    """
    return min(given, _MAX_CALLS) or (_BATCHED_CALLS if flags.enable_batching else 4 * (os.cpu_count() or 1))


def is_loopback(host: str) -> bool:
    """Returns whether only this machine reaches an address; False for a name other than `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def open_server(
    flags: ServerFlags, host: str, handlers: Sequence[Any], credentials: Any, threads: futures.Executor
) -> tuple[grpc.Server, int | None]:
    """Returns a grpc server that is bound but not started, and its port; None where only a socket is asked for.

    Args:
      flags: `port`, `grpc_socket_path` and `grpc_channel_arguments` of these.
      host: Address to listen on.
      handlers: Generic handlers of the services.
      credentials: grpc server credentials; None for plain connections.
      threads: What runs the calls.

    Raises:
      ServingError: The port or the socket cannot be opened.
    """
    server = grpc.server(
        threads,
        options=[
            ("grpc.so_reuseport", 0),  # so that a port in use is an error, and is not shared silently
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            *_channel_arguments(flags.grpc_channel_arguments),
        ],
        maximum_concurrent_rpcs=_MAX_CALLS,
    )
    server.add_generic_rpc_handlers(tuple(handlers))
    port = None
    if flags.port or not flags.grpc_socket_path:
        port = _bind(server, f"[{host}]:{flags.port}" if ":" in host else f"{host}:{flags.port}", credentials)
    if flags.grpc_socket_path:
        _bind(server, f"unix:{flags.grpc_socket_path}", credentials)
    return server, port


def _bind(server: Any, address: str, credentials: Any) -> int:
    """Opens an address and returns its port.

    Raises:
      ServingError: It cannot be opened.
    """
    try:
        if credentials is None:
            return int(server.add_insecure_port(address))
        return int(server.add_secure_port(address, credentials))
    except (RuntimeError, ValueError) as error:
        if address.startswith("unix:"):
            advice = f"Give a `--grpc_socket_path` of at most {_MAX_SOCKET_BYTES} bytes, in a folder that exists."
        else:
            advice = "Stop what listens there or give another `--port` (0 takes a free one)."
        raise ServingError(
            f"Cannot listen on {address}: it is in use, unknown, or you may not open it. {advice}",
            grpc.StatusCode.UNAVAILABLE,
        ) from error


def _channel_arguments(text: str) -> list[tuple[str, int | str]]:
    """Reads `k=v,k=v`; values that are integers are passed as integers."""
    pairs = [pair.partition("=") for pair in text.split(",") if "=" in pair]
    return [(key, int(value) if value.lstrip("-").isdigit() else value) for key, _, value in pairs]


def listen_for_rest(host: str, port: int) -> socket.socket:
    """Returns a listening socket. asyncio sets TCP_NODELAY, as the real server does, only where the protocol is named.

    Without it a connection that is kept waits 40 ms at each answer, for the client's delayed acknowledgement.

    Raises:
      ServingError: UNAVAILABLE, the address is taken or is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ServingError(
            f"Cannot listen on {host}:{port} for REST: {error.strerror}. Stop what listens there or give another "
            "`--rest_api_port`.",
            grpc.StatusCode.UNAVAILABLE,
        ) from error
    return listener


def rest_protocol(head_seconds: float | None) -> Any:
    """Returns what uvicorn takes as `http`: the parser of REST's port.

    Without httptools it is h11's, named, because uvicorn would take another that is installed: valid requests get the
    same answers for more CPU, and its headers have a limit too.

    Args:
      head_seconds: How long the request line and the headers of a request may take; None for any time.
    """
    try:
        from crossnet.serving.embedded.http_protocol import BoundedProtocol
    except ImportError:
        return "h11"
    return functools.partial(BoundedProtocol, head_seconds=head_seconds)
