"""Calls TensorFlow Serving from asyncio, with the methods of the blocking client."""

from __future__ import annotations

import asyncio
from typing import Any, Self, TypeVar

import grpc

from crossnet.serving.client.answers import Prediction, VersionStatus
from crossnet.serving.client.calls import METHODS, Attempt, Pause, Work
from crossnet.serving.client.connection import BaseClient
from crossnet.serving.protocol.signature import ModelMetadata

T = TypeVar("T")


class AsyncPredictionClient(BaseClient):
    """Calls one model on one server, in the event loop of its first call.

    Takes the arguments of `BaseClient`. Use it in an `async with` block, or await `close()`.
    """

    def _open(self) -> None:
        self._channel: Any = None  # belongs to an event loop, so it is opened by the first call

    async def predict(
        self, inputs: Any, *, signature_name: str = "serving_default", timeout_seconds: float | None = None
    ) -> Prediction:
        """As `PredictionClient.predict`."""
        return await self._run(self._exchange.predict(inputs, signature_name, timeout_seconds))

    async def metadata(self, *, timeout_seconds: float | None = None) -> ModelMetadata:
        """As `PredictionClient.metadata`."""
        return await self._run(self._exchange.metadata(timeout_seconds))

    async def status(self, *, timeout_seconds: float | None = None) -> tuple[VersionStatus, ...]:
        """As `PredictionClient.status`."""
        return await self._run(self._exchange.status(timeout_seconds))

    async def wait_ready(self, timeout_seconds: float | None = None) -> None:
        """As `PredictionClient.wait_ready`."""
        await self._run(self._exchange.wait_ready(timeout_seconds))

    async def close(self) -> None:
        """As `PredictionClient.close`; a call in flight ends with asyncio.CancelledError."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def _run(self, work: Work[T]) -> T:
        """Drives a generator of `crossnet.serving.client.exchange` with awaited calls."""
        outcome: Any = None
        failure: Exception | None = None
        while True:
            try:
                step = work.send(outcome) if failure is None else work.throw(failure)
            except StopIteration as end:
                return end.value
            outcome = failure = None
            try:
                outcome = await self._do(step)
            except Exception as error:
                failure = error

    async def _do(self, step: Attempt | Pause | list[Work[Any]]) -> Any:
        if isinstance(step, Attempt):
            self._check_open()
            call = self._method(step.method)
            return await call(step.payload, timeout=step.seconds, metadata=self._headers)
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        free = asyncio.Semaphore(self._max_in_flight)

        async def run_when_free(work: Work[Any]) -> Any:
            async with free:
                return await self._run(work)

        tasks = [asyncio.ensure_future(run_when_free(work)) for work in step]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # those that still run after a failure
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _method(self, name: str) -> Any:
        if self._channel is None:
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self.target, self._options)
            else:
                self._channel = grpc.aio.secure_channel(self.target, self._credentials, self._options)
            self._methods = {name: self._channel.unary_unary(path) for name, path in METHODS.items()}
            self._loop = asyncio.get_running_loop()
        elif self._loop is not asyncio.get_running_loop():
            raise ValueError(
                "This client belongs to the event loop of its first call. Make a new client for this loop."
            )
        return self._methods[name]
