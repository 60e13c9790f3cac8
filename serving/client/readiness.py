"""Asks a server until its model can answer."""

from __future__ import annotations

import random

import grpc

from crossnet.serving.client.answers import read_status
from crossnet.serving.client.calls import Attempt, Caller, Pause, Work
from crossnet.serving.client.deadline import Deadline, pause_before_retry
from crossnet.serving.status import DeadlineError, advice_when_unavailable, tells_why

_CALL_SECONDS = 1.0  # of one call
_NOT_READY = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)


class Readiness:
    """Waits for one model.

    A server that lacks GetModelStatus is asked for the metadata; one that lacks both is taken as ready when it answers.

    Args:
      caller: The server and the model.
      status_request: A serialized GetModelStatusRequest.
      metadata_request: A serialized GetModelMetadataRequest.
      has_label: Whether a version is asked for by label.
    """

    def __init__(self, caller: Caller, status_request: bytes, metadata_request: bytes, *, has_label: bool) -> None:
        self._caller = caller
        self._status_request, self._metadata_request = status_request, metadata_request
        self._has_label = has_label
        self._lacks_status = False

    def wait(self, deadline: Deadline) -> Work[None]:
        """Returns when a version is available.

        Raises:
          DeadlineError: None was in time; the message says whether the server or the model was missing.
          ServingError: The server answered with a code that waiting cannot mend.
        """
        attempt, reason, unreachable = 0, "", ""
        while True:
            try:
                found = yield from self._why_not(deadline)
                if found is None:
                    return
                reason = found
            except grpc.RpcError as error:
                code = error.code()
                if code in _NOT_READY:
                    reason = error.details() or code.name
                elif code is grpc.StatusCode.UNAVAILABLE:
                    reason, details = "", error.details() or ""
                    unreachable = details if not unreachable or tells_why(details) else unreachable
                elif code is not grpc.StatusCode.DEADLINE_EXCEEDED:  # which says less than the reason before it
                    raise self._caller.typed(error, deadline) from error
            pause = pause_before_retry(attempt, random.random())
            attempt += 1
            if pause >= deadline.left():
                yield Pause(deadline.left())
                raise self._not_ready(reason, unreachable, deadline.seconds)
            yield Pause(pause)

    def _why_not(self, deadline: Deadline) -> Work[str | None]:
        """Asks once; returns why the model is not ready, or None where it is."""
        if not self._lacks_status:
            try:
                seconds = min(deadline.left(), _CALL_SECONDS)
                versions = read_status((yield Attempt("GetModelStatus", self._status_request, seconds)))
                self._caller.is_reached = True
                if not any(version.state == "AVAILABLE" for version in versions):
                    return "; ".join(f"version {v.version} is {v.state} {v.error_message}".rstrip() for v in versions)
                if not self._has_label:
                    return None
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    raise
                self._lacks_status = self._caller.is_reached = True
        try:  # GetModelStatus ignores labels
            yield Attempt("GetModelMetadata", self._metadata_request, min(deadline.left(), _CALL_SECONDS))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED or not self._lacks_status:
                raise
        return None

    def _not_ready(self, reason: str, unreachable: str, seconds: float) -> DeadlineError:
        target, title = self._caller.target, self._caller.title
        if not reason:
            because = f": {unreachable.strip().rstrip('.')}" if unreachable else ""
            return DeadlineError(
                f"The server at {target} was not ready within {seconds:g} s{because}. "
                f"{advice_when_unavailable(unreachable)}",
                grpc.StatusCode.DEADLINE_EXCEEDED,
            )
        return DeadlineError(
            f"The server at {target} answers, but {title} was not available within {seconds:g} s: "
            f"{reason.rstrip('.')}. Check the model's name and the server's log.",
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )
