"""Sends one request until it is answered, within a deadline.

A step of a client's work is an `Attempt`, a `Pause`, or a list of generators; see `crossnet.serving.client.exchange`.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any, NamedTuple, TypeVar

import grpc

from crossnet.serving.client.deadline import Deadline, pause_before_retry
from crossnet.serving.status import ServingError, UnavailableError, error_from_rpc, tells_why

METHODS = {
    "Predict": "/tensorflow.serving.PredictionService/Predict",
    "GetModelMetadata": "/tensorflow.serving.PredictionService/GetModelMetadata",
    "GetModelStatus": "/tensorflow.serving.ModelService/GetModelStatus",
}

# gRPC's words where nothing listens at an address.
_NOBODY_LISTENS = ("Connection refused", "No such file or directory")
# A name may have several addresses, and gRPC reports one of them at a time: another may say why. This takes 0.15 s.
_REFUSALS = 3

T = TypeVar("T")


class Attempt(NamedTuple):
    """One call of a method, with the seconds it may take."""

    method: str
    payload: bytes
    seconds: float


class Pause(NamedTuple):
    """A wait before the next step."""

    seconds: float


Work = Generator[Any, Any, T]


class Caller:
    """Makes calls to one model on one server.

    Args:
      target: The server's address.
      title: The model's name for a message, such as "`rides` version 3".

    Attributes:
      target, title: As given.
      is_reached: Whether the server has answered before. Then a refused connection is one that starts again.
    """

    def __init__(self, target: str, title: str) -> None:
        self.target, self.title = target, title
        self.is_reached = False

    def call(self, method: str, payload: bytes, deadline: Deadline) -> Work[bytes]:
        """Sends a request until it is answered; tries again only after UNAVAILABLE.

        Raises:
          UnavailableError: Nothing listens at the address, and never did, which is told at once; or the server was not
            available before the deadline.
          ServingError: The kind for the code that the server answered.
        """
        attempt, refused, clearest = 0, 0, None
        while True:
            try:
                answer: bytes = yield Attempt(method, payload, deadline.left())
                self.is_reached = True
                return answer
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    self.is_reached = self.is_reached or error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
                    raise self.typed(error, deadline) from error
                details = error.details() or ""
                refused += any(sign in details for sign in _NOBODY_LISTENS)
                # For a host with several addresses gRPC reports the last one only: keep the clearest report.
                clearest = error if clearest is None or tells_why(details) else clearest
                if refused == attempt + 1 == _REFUSALS and not self.is_reached:
                    raise self._nobody_listens(details) from error
                pause = pause_before_retry(attempt, random.random())
                if pause >= deadline.left():
                    raise self.typed(clearest, deadline) from error
            attempt += 1
            yield Pause(pause)

    def typed(self, error: grpc.RpcError, deadline: Deadline) -> ServingError:
        """Returns the error of the matching class for a failed call."""
        return error_from_rpc(error, target=self.target, model=self.title, seconds=deadline.seconds)

    def _nobody_listens(self, details: str) -> ServingError:
        return UnavailableError(
            f"Nothing listens at {self.target}: {details.strip().removesuffix('.')}. Start one with `crossnet "
            "serve`, wait for one with `wait_ready()` (`--wait SECONDS`), or check the address.",
            grpc.StatusCode.UNAVAILABLE,
        )
