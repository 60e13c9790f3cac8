"""Converts exceptions to gRPC codes, HTTP statuses and messages."""

from __future__ import annotations

import logging

import grpc
from google.protobuf.message import DecodeError

from crossnet.serving.status import ServingError, UsageError

LOGGER = logging.getLogger(__name__)

_CODES_BY_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_MAX_MESSAGE_BYTES = 1024

# tensorflow/serving util/net_http and model_servers/http_server.cc; every other code is 500.
_HTTP_STATUS: dict[grpc.StatusCode, int] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


def invalid(message: str) -> ServingError:
    """Returns an error with code INVALID_ARGUMENT, the code of nearly every mistake in a request."""
    return ServingError(message, grpc.StatusCode.INVALID_ARGUMENT)


def failed_to_start(error: ServingError) -> ServingError:
    """Returns an error of the same code, with the real server's message for a failed start.

    It is of the same kind too, but for a UsageError: the arguments of the command were read, so it ends with 1, like
    every start that fails.
    """
    code, message = status_of(error)
    kind = ServingError if isinstance(error, UsageError) else type(error)
    return kind(f"Failed to start server. Error: {code.name}: {message}", code)


def status_of(error: BaseException) -> tuple[grpc.StatusCode, str]:
    """Returns the code and the message that a client gets for `error`.

    TensorFlow's error codes have the same numbers as gRPC's and are kept. A request that does not parse is INTERNAL, as
    in gRPC's C++ server. An unexpected error is INTERNAL too, never UNKNOWN; its traceback is logged, not sent.
    """
    if isinstance(error, ServingError):
        usual = grpc.StatusCode.INVALID_ARGUMENT if isinstance(error, UsageError) else grpc.StatusCode.INTERNAL
        return error.code or usual, str(error)
    number = getattr(error, "error_code", None)
    if isinstance(number, int) and number in _CODES_BY_NUMBER:
        return _CODES_BY_NUMBER[number], str(getattr(error, "message", error))
    if isinstance(error, DecodeError):
        return grpc.StatusCode.INTERNAL, "The request does not parse: it is truncated or has another message type."
    if isinstance(error, MemoryError):
        return (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "The server does not have enough memory for this request. Send fewer rows at once.",
        )
    LOGGER.error("A request failed because of a bug in the server.", exc_info=error)
    return grpc.StatusCode.INTERNAL, f"{type(error).__name__} in the server; its log has the details."


def grpc_message(message: str) -> str:
    """Returns `message` cut at 1024 bytes, as TensorFlow Serving does (model_servers/grpc_status_util.cc)."""
    encoded = message[: _MAX_MESSAGE_BYTES + 1].encode(errors="replace")
    if len(encoded) <= _MAX_MESSAGE_BYTES:
        return message
    return encoded[:_MAX_MESSAGE_BYTES].decode(errors="ignore") + "...TRUNCATED"


def http_status(code: grpc.StatusCode) -> int:
    """Returns the HTTP status of a gRPC code on the REST port."""
    return _HTTP_STATUS.get(code, 500)
