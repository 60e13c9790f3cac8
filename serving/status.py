"""Defines the errors of serving and converts gRPC errors to them."""

from __future__ import annotations

import grpc


class ServingError(Exception):
    """A request was not answered; the message says why and what to do next.

    Attributes:
      code: The gRPC code of the server's answer; None if nothing was sent or no server was involved.
      exit_code: The exit code of a command that ends with this error: 1 for a failure, 2 for wrong usage.
    """

    exit_code = 1

    def __init__(self, message: str, code: grpc.StatusCode | None = None) -> None:
        super().__init__(message)
        self.code = code


class UsageError(ServingError):
    """The options conflict with each other, or one is missing."""

    exit_code = 2


class RowsError(ServingError):
    """A file of rows cannot be read or does not fit the model; the message names file and line."""


class InvalidRequestError(ServingError):
    """The inputs do not fit the model. `code` is None if the client found this before sending."""


class NotFoundError(ServingError):
    """The server does not serve this model or version."""


class FailedPreconditionError(ServingError):
    """The model does not support the request, such as a signature that it does not have."""


class UnavailableError(ServingError):
    """The server could not be reached, or rejected the call for now."""


class DeadlineError(ServingError):
    """The server did not answer before the deadline."""


class ResourceExhaustedError(ServingError):
    """A message or a queue is larger than the limit of the server or the client."""


class AccessError(ServingError):
    """The server does not accept the caller's identity or does not permit the call."""


class UnimplementedError(ServingError):
    """The server is not TensorFlow Serving, or it does not have this method."""


class CancelledError(ServingError):
    """The call was cancelled."""


class OutputError(ServingError):
    """The answers cannot be written, for example because the disk is full."""


class ServerError(ServingError):
    """The server failed while it worked on the request."""


_REPORT = "See the server's log for the cause."

# Code -> (error class, what is wrong, what to do next). `{target}`, `{model}` and `{seconds}` are filled in; the
# server's own message is put between the two sentences.
STATUS_TABLE: dict[grpc.StatusCode, tuple[type[ServingError], str, str]] = {
    grpc.StatusCode.INVALID_ARGUMENT: (
        InvalidRequestError,
        "The server at {target} refused the inputs for {model}",
        "Compare them with `metadata()`.",
    ),
    grpc.StatusCode.OUT_OF_RANGE: (
        InvalidRequestError,
        "The server at {target} refused the inputs for {model}",
        "Compare them with `metadata()`.",
    ),
    grpc.StatusCode.NOT_FOUND: (
        NotFoundError,
        "The server at {target} does not serve {model}",
        "Check the model's name and version; `status()` lists the versions of a model.",
    ),
    grpc.StatusCode.FAILED_PRECONDITION: (
        FailedPreconditionError,
        "The server at {target} does not support this request for {model}",
        "`metadata()` lists the signatures, `status()` the state of each version.",
    ),
    grpc.StatusCode.UNAVAILABLE: (
        UnavailableError,
        "The server at {target} was not available within {seconds} s",
        "",  # see `advice_when_unavailable`
    ),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        DeadlineError,
        "The server at {target} did not answer for {model} within {seconds} s",
        "Give a longer `timeout_seconds` or send fewer rows at once.",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (
        ResourceExhaustedError,
        "The server at {target} does not have the resources for this request to {model}",
        "Lower `max_rows_per_call`, or try again later.",
    ),
    grpc.StatusCode.UNAUTHENTICATED: (
        AccessError,
        "The server at {target} cannot authenticate this caller",
        "Give `tls` a client certificate, or `headers` the token that it expects.",
    ),
    grpc.StatusCode.PERMISSION_DENIED: (
        AccessError,
        "The server at {target} does not permit this caller to use {model}",
        "Ask the server's operator for access.",
    ),
    grpc.StatusCode.UNIMPLEMENTED: (
        UnimplementedError,
        "The server at {target} does not have this method of TensorFlow Serving",
        "Check the address: the gRPC port is 8500 by default, and the REST port is different.",
    ),
    grpc.StatusCode.CANCELLED: (
        CancelledError,
        "The call to {target} for {model} was cancelled",
        "Send it again if it is still wanted.",
    ),
    grpc.StatusCode.ABORTED: (ServerError, "The server at {target} aborted the request to {model}", "Send it again."),
    grpc.StatusCode.ALREADY_EXISTS: (ServerError, "The server at {target} failed on {model}", _REPORT),
    grpc.StatusCode.INTERNAL: (ServerError, "The server at {target} failed on {model}", _REPORT),
    grpc.StatusCode.UNKNOWN: (ServerError, "The server at {target} failed on {model}", _REPORT),
    grpc.StatusCode.DATA_LOSS: (ServerError, "The server at {target} lost data of {model}", _REPORT),
}


# Part of gRPC's message about a failed connection -> what to do next.
_CONNECTION_ADVICE = {
    "Hostname Verification Check failed": "The server's certificate is for another name: use that name in the "
    "address, or give it as `server_name` (`--tls-server-name`).",
    "CERTIFICATE_VERIFY_FAILED": "The server's certificate is not signed by an authority in `ca` (`--tls-ca`): give "
    "the authority that signed it.",
    "WRONG_VERSION_NUMBER": "The server does not use TLS on this port: leave `tls` out, or check the port.",
    "Socket closed": "If the server uses TLS, give `tls`, with a client certificate if it requires one; else see its "
    "log.",
    "SETTINGS frame": "The server on this port may use TLS or may not speak gRPC: give `tls`, or check the port.",
    "errors resolving": "The host name cannot be resolved: check the address.",
}


def tells_why(details: str) -> bool:
    """Returns whether gRPC's message gives a cause for a failed connection."""
    return any(sign in details for sign in _CONNECTION_ADVICE)


def advice_when_unavailable(details: str) -> str:
    """Returns advice on a server that cannot be reached, given gRPC's message."""
    default = "Start one with `crossnet serve`, or check the address."
    return next((advice for sign, advice in _CONNECTION_ADVICE.items() if sign in details), default)


def error_from_rpc(error: grpc.RpcError, *, target: str, model: str, seconds: float) -> ServingError:
    """Returns the error of the matching class for a failed call.

    Args:
      error: The exception that grpc raised, from the sync or the aio API.
      target: The server's address.
      model: The model's name for a message, such as "`rides` version 3".
      seconds: The deadline of the whole call, in seconds.
    """
    code = error.code()
    kind, problem, advice = STATUS_TABLE.get(code, STATUS_TABLE[grpc.StatusCode.UNKNOWN])
    problem = problem.format(target=target, model=model, seconds=f"{seconds:g}")
    details = (error.details() or "").strip().removesuffix(".")
    advice = advice or advice_when_unavailable(details)
    if "servable version label" in details:
        problem = f"The server at {target} does not serve {model}"
        advice = "Check the label; the server's model config assigns labels to versions."
    if code not in STATUS_TABLE:
        details = f"code {code}, {details}"
    return kind(f"{problem}: {details}. {advice}" if details else f"{problem}. {advice}", code)
