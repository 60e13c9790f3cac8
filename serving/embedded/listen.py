"""Opens the gRPC port and socket of the server."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import grpc

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.status import ServingError

_MAX_MESSAGE_BYTES = 2**31 - 1
_MAX_SOCKET_BYTES = 107  # Linux: sun_path without its NUL
_MAX_CALLS = 2048  # calls that have only opened a stream count too; far fewer compute at once


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
