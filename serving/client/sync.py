"""Calls TensorFlow Serving with blocking calls."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

import grpc

from crossnet.serving.client.answers import Prediction, VersionStatus
from crossnet.serving.client.calls import METHODS, Attempt, Pause, Work
from crossnet.serving.client.connection import BaseClient
from crossnet.serving.protocol.signature import ModelMetadata

T = TypeVar("T")


class PredictionClient(BaseClient):
    """Calls one model on one server; has one channel and may be shared between threads.

    Takes the arguments of `BaseClient`. Use it in a `with` block, or call `close()`.
    """

    def _open(self) -> None:
        if self._credentials is None:
            self._channel = grpc.insecure_channel(self.target, self._options)
        else:
            self._channel = grpc.secure_channel(self.target, self._credentials, self._options)
        # Without serializers gRPC takes and returns bytes.
        self._methods = {name: self._channel.unary_unary(path) for name, path in METHODS.items()}

    def predict(
        self, inputs: Any, *, signature_name: str = "serving_default", timeout_seconds: float | None = None
    ) -> Prediction:
        """Returns the model's outputs for some rows.

        Args:
          inputs: A mapping from feature name to its values, one per row; or a list of rows, each a mapping from name
            to value; or, where the signature has one input, its values alone. Values are arrays or lists.
          signature_name: One of the model's signatures.
          timeout_seconds: Deadline of this call, including retries; None takes the client's.

        Raises:
          InvalidRequestError: The inputs do not fit the signature; all mistakes are listed.
          ServingError: The kind for the code that the server answered, see `crossnet.serving.status`.
        """
        return self._run(self._exchange.predict(inputs, signature_name, timeout_seconds))

    def metadata(self, *, timeout_seconds: float | None = None) -> ModelMetadata:
        """Returns the signatures of the version that answers."""
        return self._run(self._exchange.metadata(timeout_seconds))

    def status(self, *, timeout_seconds: float | None = None) -> tuple[VersionStatus, ...]:
        """Returns the state of the model's versions, newest first."""
        return self._run(self._exchange.status(timeout_seconds))

    def wait_ready(self, timeout_seconds: float | None = None) -> None:
        """Waits until the model is AVAILABLE; a port that answers does not show that it is.

        Raises:
          DeadlineError: It was not available in time; the message says whether the server or the model was missing.
        """
        self._run(self._exchange.wait_ready(timeout_seconds))

    def close(self) -> None:
        """Closes the channel; calls that still run end with CancelledError."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self, work: Work[T]) -> T:
        """Drives a generator of `crossnet.serving.client.exchange` with blocking calls."""
        outcome: Any = None
        failure: Exception | None = None
        while True:
            try:
                step = work.send(outcome) if failure is None else work.throw(failure)
            except StopIteration as end:
                return end.value
            outcome = failure = None
            try:
                outcome = self._do(step)
            except Exception as error:
                failure = error

    def _do(self, step: Attempt | Pause | list[Work[Any]]) -> Any:
        if isinstance(step, Attempt):
            self._check_open()
            return self._methods[step.method](step.payload, timeout=step.seconds, metadata=self._headers)
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        with ThreadPoolExecutor(self._max_in_flight) as pool:
            try:
                return list(pool.map(self._run, step))
            except Exception:
                pool.shutdown(cancel_futures=True)  # the parts that were not sent yet
                raise
