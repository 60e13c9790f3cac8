"""Which gRPC code, HTTP status and words an error becomes: the one place where an exception turns into an answer."""

from __future__ import annotations

import logging

import grpc
from google.protobuf.message import DecodeError

from crossnet.serving.status import ServingError

log = logging.getLogger(__name__)

_BY_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_LONGEST_MESSAGE = 1024

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
    """Returns an INVALID_ARGUMENT, the code for nearly everything a request can get wrong."""
    return ServingError(message, grpc.StatusCode.INVALID_ARGUMENT)


def failed_to_start(error: ServingError) -> ServingError:
    """Returns an error in the real server's words for a start that fails."""
    code, message = status_of(error)
    return type(error)(f"Failed to start server. Error: {code.name}: {message}", error.code)


def status_of(error: BaseException) -> tuple[grpc.StatusCode, str]:
    """Returns the code and the message that a client gets for `error`.

    TensorFlow's codes are gRPC's, number by number, and pass through. A request that does not parse is INTERNAL, as in
    gRPC's C++ server. What nobody foresaw is INTERNAL too, never UNKNOWN; its traceback goes to the log, not out.
    """
    if isinstance(error, ServingError):
        return error.code or grpc.StatusCode.INTERNAL, str(error)
    number = getattr(error, "error_code", None)
    if isinstance(number, int) and number in _BY_NUMBER:
        return _BY_NUMBER[number], str(getattr(error, "message", error))
    if isinstance(error, DecodeError):
        return grpc.StatusCode.INTERNAL, "The request does not parse: it is truncated or another message."
    if isinstance(error, MemoryError):
        return grpc.StatusCode.RESOURCE_EXHAUSTED, "The server has not enough memory for this request."
    log.error("A request failed in a way that is a bug of the server.", exc_info=error)
    return grpc.StatusCode.INTERNAL, f"{type(error).__name__} in the server; its log has the details."


def grpc_message(message: str) -> str:
    """Returns `message` cut at 1024 bytes, as TensorFlow Serving does (model_servers/grpc_status_util.cc)."""
    encoded = message.encode()
    if len(encoded) <= _LONGEST_MESSAGE:
        return message
    return encoded[:_LONGEST_MESSAGE].decode(errors="ignore") + "...TRUNCATED"


def http_status(code: grpc.StatusCode) -> int:
    """Returns the HTTP status that stands for a gRPC code on the REST port."""
    return _HTTP_STATUS.get(code, 500)
