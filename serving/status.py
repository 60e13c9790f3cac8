"""Errors of a client: one kind per meaning, each keeps its gRPC code and reads as a small letter."""

from __future__ import annotations

import grpc


class ServingError(Exception):
    """A request was not answered; the message says why and what to do next.

    Attributes:
      code: The gRPC code of the server's answer; None when nothing was sent, or no server was involved.
      exit_code: What a command that ends with this error returns: 1 failed, 2 wrong usage.
    """

    exit_code = 1

    def __init__(self, message: str, code: grpc.StatusCode | None = None) -> None:
        super().__init__(message)
        self.code = code


class UsageError(ServingError):
    """The options given do not go together, or do not say enough."""

    exit_code = 2


class RowsError(ServingError):
    """A file of rows cannot be read or does not fit the model; the message names file and line."""


class InvalidRequestError(ServingError):
    """The inputs do not fit the model. `code` is None when this was found before sending."""


class NotFoundError(ServingError):
    """The server does not serve this model or version."""


class FailedPreconditionError(ServingError):
    """The model cannot be asked this, such as through a signature that it does not have."""


class UnavailableError(ServingError):
    """The server could not be reached, or turned the call away for now."""


class DeadlineError(ServingError):
    """No answer came in time."""


class ResourceExhaustedError(ServingError):
    """A message or a queue is larger than the server or the client takes."""


class AccessError(ServingError):
    """The server does not accept who is calling."""


class UnimplementedError(ServingError):
    """What answered is no TensorFlow Serving server, or one without this method."""


class CancelledError(ServingError):
    """The call was cancelled."""


class OutputError(ServingError):
    """What was answered cannot be written, such as on a full disk."""


class ServerError(ServingError):
    """The server failed while it worked on the request."""


_MOST_SHOWN = 60
_REPORT = "The server's own log tells more."

# Code -> (kind, what is wrong, what to do next). `{target}`, `{model}` and `{seconds}` are filled in; the server's own
# words stand between the two.
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
        "The server at {target} cannot do this with {model}",
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
        "The server at {target} has no room for this request to {model}",
        "Lower `max_rows_per_call`, or try again later.",
    ),
    grpc.StatusCode.UNAUTHENTICATED: (
        AccessError,
        "The server at {target} does not know who is calling",
        "Give `tls` a client certificate, or `headers` the token that it expects.",
    ),
    grpc.StatusCode.PERMISSION_DENIED: (
        AccessError,
        "The server at {target} does not let this caller use {model}",
        "Ask whoever runs it for access.",
    ),
    grpc.StatusCode.UNIMPLEMENTED: (
        UnimplementedError,
        "What answers at {target} does not know this method of TensorFlow Serving",
        "Check the address: the gRPC port is 8500 by default, REST is another one.",
    ),
    grpc.StatusCode.CANCELLED: (
        CancelledError,
        "The call to {target} for {model} was cancelled",
        "Send it again if it is still wanted.",
    ),
    grpc.StatusCode.ABORTED: (ServerError, "The server at {target} gave up on {model}", "Send it again."),
    grpc.StatusCode.ALREADY_EXISTS: (ServerError, "The server at {target} failed on {model}", _REPORT),
    grpc.StatusCode.INTERNAL: (ServerError, "The server at {target} failed on {model}", _REPORT),
    grpc.StatusCode.UNKNOWN: (ServerError, "The server at {target} failed on {model}", _REPORT),
    grpc.StatusCode.DATA_LOSS: (ServerError, "The server at {target} lost data of {model}", _REPORT),
}


def shown(text: str) -> str:
    """Returns a value's text as it is shown in a message: its first characters."""
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


# What gRPC says of a connection that it cannot make -> what to do next.
_CONNECTION_ADVICE = {
    "Hostname Verification Check failed": "The server's certificate is for another name: call the server by that one, "
    "or give it as `server_name` (`--tls-server-name`).",
    "CERTIFICATE_VERIFY_FAILED": "The server's certificate is not signed by an authority in `ca` (`--tls-ca`): give "
    "the one that signed it.",
    "WRONG_VERSION_NUMBER": "The server speaks no TLS there: leave `tls` out, or check the port.",
    "Socket closed": "If it wants TLS, give `tls`, with a client certificate where it asks for one; else see its log.",
    "SETTINGS frame": "What listens there may be no gRPC server, or one that wants TLS: check the port, or give `tls`.",
    "errors resolving": "No such host is known: check the address.",
}


def tells_why(details: str) -> bool:
    """Returns whether gRPC says of a connection more than that nobody answers."""
    return any(sign in details for sign in _CONNECTION_ADVICE)


def advice_when_unavailable(details: str) -> str:
    """Returns what to do about a server that cannot be reached, given what gRPC says of it."""
    default = "Start one with `crossnet serve`, or check the address."
    return next((advice for sign, advice in _CONNECTION_ADVICE.items() if sign in details), default)


def error_from_rpc(error: grpc.RpcError, *, target: str, model: str, seconds: float) -> ServingError:
    """Returns the typed error for a failed call.

    Args:
      error: What grpc raised, from the sync or the aio API.
      target: The server's address.
      model: The model as it is named in a sentence, such as "`rides` version 3".
      seconds: The deadline of the whole call, in seconds.
    """
    code = error.code()
    kind, problem, advice = STATUS_TABLE.get(code, STATUS_TABLE[grpc.StatusCode.UNKNOWN])
    problem = problem.format(target=target, model=model, seconds=f"{seconds:g}")
    details = (error.details() or "").strip().removesuffix(".")
    advice = advice or advice_when_unavailable(details)
    if "servable version label" in details:
        problem = f"The server at {target} does not serve {model}"
        advice = "Check the label; they are given to versions in the server's model config."
    if code not in STATUS_TABLE:
        details = f"code {code}, {details}"
    return kind(f"{problem}: {details}. {advice}" if details else f"{problem}. {advice}", code)
