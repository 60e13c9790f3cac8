"""Keeps what the thread of a call knows of it.

A call runs in one thread from its first check to its answer, so what only metrics and batches read needs no argument.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import grpc

from crossnet.serving.embedded.model import DEFAULT_SIGNATURE, LoadedModel
from crossnet.serving.status import ServingError


class CurrentCall(threading.local):
    """What is known of the call that this thread answers.

    Attributes:
      deadline: When nobody waits for the answer any more, in seconds of `time.monotonic`; None for never.
      start: When the call began, in seconds of `time.perf_counter`.
      runtime: Seconds in which the model computed, and waited for its turn.
      name: The model that the request names.
      version: The version that answers, as text; "" before it was found.
      signature: The resolved name of the signature; "" before it was found.
    """

    deadline: float | None = None
    start: float = 0.0
    runtime: float = 0.0
    name: str = ""
    version: str = ""
    signature: str = ""
    _run_start: float = 0.0

    def begin(self) -> None:
        """Forgets the call before."""
        own = self.__dict__  # the thread's: to look it up once is quicker than at each attribute
        own["name"] = own["version"] = own["signature"] = ""
        own["runtime"] = 0.0
        own["start"] = time.perf_counter()

    def runs(self, number: int, model: LoadedModel, signature: str) -> None:
        """Notes that the model now computes.

        Args:
          number: Its version.
          model: The model.
          signature: The signature that the request names; "" for the default one.
        """
        own, wanted = self.__dict__, signature or DEFAULT_SIGNATURE
        own["version"] = str(number)
        own["signature"] = wanted if wanted in model.signatures else ""  # what clients write must not become a label
        own["_run_start"] = time.perf_counter()

    def ran(self) -> None:
        """Notes that the model has computed."""
        self.runtime = time.perf_counter() - self._run_start

    def check_deadline(self, context: Any) -> None:
        """Notes when a gRPC call's client gives up.

        Args:
          context: The gRPC call's; None on the REST port, which has its own deadline.

        Raises:
          ServingError: DEADLINE_EXCEEDED, it waited until then: nobody reads the answer any more.
        """
        if context is None:
            return
        remaining = context.time_remaining()
        if remaining is None:
            self.deadline = None
            return
        if remaining <= 0:
            raise ServingError("The deadline passed before the request ran.", grpc.StatusCode.DEADLINE_EXCEEDED)
        self.deadline = time.monotonic() + remaining


CALL = CurrentCall()
