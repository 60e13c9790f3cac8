"""Checks a client's settings, and holds its address, encryption and gRPC options."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from crossnet.serving.client.exchange import Exchange
from crossnet.serving.protocol.dtypes import MAX_INT64
from crossnet.serving.protocol.pem import CLIENT_NAMES, pem_problems
from crossnet.serving.status import UsageError

if TYPE_CHECKING:
    from crossnet.serving.protocol.request_log import RequestLog

# One channel serves all calls of a client, from all threads.
CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    # grpcio takes 4 MiB by default; 350,000 rows of three floats are more.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # After a restart of the server the next try is made within a second; grpcio waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A dead peer is noticed before TCP does, after a quarter of an hour. With shorter times, or pings without a call,
    # a server with default settings closes the connection (ENHANCE_YOUR_CALM).
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # `crossnet.serving.client.calls` alone decides which calls are sent again.
    ("grpc.enable_retries", 0),
)

# A name may have several servers, such as the pods of a headless Service; grpcio would use only the first.
_BALANCED = re.compile(r"(dns|ipv4|ipv6):")
_ROUND_ROBIN = ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}')

_LARGEST_PORT = 2**16 - 1
_WITHOUT_PORT = re.compile(r"(unix|unix-abstract|vsock|xds):")
_IPV4, _IPV6 = r"\d+\.\d+\.\d+\.\d+(:\d+)?", r"\[[0-9a-fA-F:.%]+\](:\d+)?"
_TARGET = re.compile(
    rf"dns:(//[^/\s]*/)?[^/\s]+|ipv4:{_IPV4}(,{_IPV4})*|ipv6:{_IPV6}(,{_IPV6})*|(unix|unix-abstract|vsock|xds):.+|"
    r"[^:/\s]+:\d+|\[[0-9a-fA-F:.]+\]:\d+",
    re.ASCII,
)


@dataclass(frozen=True)
class Tls:
    """Encryption of a connection; each part is PEM content as bytes, or the path of a PEM file.

    Attributes:
      ca: Certificates of the authorities that may sign the server's; None takes those of the system.
      certificate: The client's own certificate chain, where the server requires one (mTLS).
      key: The private key of `certificate`.
      server_name: The name in the server's certificate, where it differs from the target's.
    """

    ca: bytes | str | Path | None = None
    certificate: bytes | str | Path | None = None
    key: bytes | str | Path | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Returns the credentials as gRPC takes them.

        Raises:
          UsageError: A file cannot be read, a part is not valid PEM of its kind, or only one of `certificate` and `key`
            is given. gRPC would only report, at each call, that it cannot connect.
        """
        if (self.certificate is None) != (self.key is None):
            raise UsageError("TLS needs `certificate` and `key` together, or neither. Received one of them.")
        ca, certificate, key = _pem(self.ca), _pem(self.certificate), _pem(self.key)
        if problems := pem_problems(ca, certificate, key, names=CLIENT_NAMES):
            raise UsageError(f"TLS cannot be used. {' '.join(problems)}")
        return grpc.ssl_channel_credentials(ca, key, certificate)


def _pem(source: bytes | str | Path | None) -> bytes | None:
    if source is None or isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes().removeprefix(codecs.BOM_UTF8)  # gRPC cannot read it
    except OSError as error:
        raise UsageError(f"Cannot read the PEM file `{source}`: {error.strerror}.") from error


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class BaseClient:
    """The settings and the state that the sync and the aio client share; they add the calls.

    Args:
      target: `host:port`, or `unix:/path` for a Unix socket. With `dns:///name:port`, or addresses after `ipv4:` or
        `ipv6:`, calls are distributed over all addresses in turn.
      model_name: The model's name on the server.
      version: Asks for this version only; None takes the server's default, the newest.
      label: Asks for the version with this label, such as "stable"; not together with `version`.
      timeout_seconds: Deadline of each call, including retries and all parts of a large batch.
      max_rows_per_call: A larger batch is sent in parts of this many rows.
      max_in_flight: How many parts are sent at the same time.
      tls: Encryption; None uses plain HTTP/2, as tensorflow_model_server does by default.
      headers: Sent with each call, such as {"authorization": "Bearer ..."}.
      metadata: Whether to ask the server what the model takes, and check inputs against it. False is for a server that
        has Predict alone: an array is sent with its type; of lists, numbers with a fraction as float32 and whole
        numbers as int64; and each call is one request. A server that does not have GetModelMetadata is noticed, too.
      log: Takes the calls of `predict` that were answered; `close` it yourself, after the client.

    Raises:
      UsageError: The options do not go together.
    """

    def __init__(
        self,
        target: str = "localhost:8500",
        *,
        model_name: str = "crossnet",
        version: int | None = None,
        label: str | None = None,
        timeout_seconds: float = 10.0,
        max_rows_per_call: int = 50_000,
        max_in_flight: int = 4,
        tls: Tls | None = None,
        headers: Mapping[str, str] | None = None,
        metadata: bool = True,
        log: RequestLog | None = None,
    ) -> None:
        problems = []
        if not _TARGET.fullmatch(target):
            advice = " REST has another port than gRPC." if target.startswith(("http:", "https:")) else ""
            problems.append(f"`target` must be host:port or unix:/path; received {target!r}.{advice}")
        if not model_name:
            problems.append("`model_name` must not be empty.")
        port = None if _WITHOUT_PORT.match(target) else re.fullmatch(r".*:(\d+)", target, re.ASCII)
        if port and int(port[1][:6]) > _LARGEST_PORT:
            problems.append(f"`target` has port {port[1][:20]}; the largest is {_LARGEST_PORT}.")
        for name, text in {"target": target, "model_name": model_name, "label": label or ""}.items():
            if not _is_unicode(text):
                problems.append(f"`{name}` must be Unicode text; received {text!r}.")
        if version is not None and not 0 <= version <= MAX_INT64:
            problems.append(f"`version` must be from 0 to {MAX_INT64}; received {version}.")
        if version is not None and label is not None:
            problems.append(f"`version` and `label` exclude each other; received {version} and {label!r}.")
        if not timeout_seconds > 0:
            problems.append(f"`timeout_seconds` must be above zero; received {timeout_seconds}.")
        if max_rows_per_call < 1 or max_in_flight < 1:
            received = f"{max_rows_per_call} and {max_in_flight}"
            problems.append(f"`max_rows_per_call` and `max_in_flight` must be at least 1; received {received}.")
        if problems:
            raise UsageError(" ".join(problems))
        self.target = target
        self._exchange = Exchange(
            target=target,
            model_name=model_name,
            version=version,
            label=label,
            timeout_seconds=timeout_seconds,
            max_rows_per_call=max_rows_per_call,
            metadata=metadata,
            log=log,
        )
        self._max_in_flight = max_in_flight
        self._credentials = tls.credentials() if tls else None
        self._options: list[tuple[str, int | str]] = list(CHANNEL_OPTIONS)
        if _BALANCED.match(target):
            self._options.append(_ROUND_ROBIN)
        if tls and tls.server_name:
            self._options.append(("grpc.ssl_target_name_override", tls.server_name))
        # gRPC accepts header names in lower case only.
        self._headers = tuple((name.lower(), value) for name, value in (headers or {}).items())
        self._closed = False
        self._open()

    def _open(self) -> None:
        """Opens the channel, or prepares to open it at the first call."""
        raise NotImplementedError

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"This client of {self.target} is closed. Make a new client.")
