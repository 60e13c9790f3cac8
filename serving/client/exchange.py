"""Decides what a client sends, retries and reads, without a network.

The sync and the aio client drive these generators, whose steps `crossnet.serving.client.calls` declares. A generator
yields the next step and is sent its outcome: of an `Attempt`, the answer's bytes or a `grpc.RpcError`; of a list of
generators, which run at the same time, their results in order. So checks, deadlines, retries and the reading of answers
are written and tested once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from crossnet.serving.client.answers import (
    AnswerReader,
    Prediction,
    Timings,
    VersionStatus,
    parse,
    read_origin,
    read_status,
)
from crossnet.serving.client.calls import Caller, Work
from crossnet.serving.client.deadline import Deadline
from crossnet.serving.client.input_checks import fit_inputs
from crossnet.serving.client.readiness import Readiness
from crossnet.serving.client.requests import RequestTemplates, predict_request, signature_field
from crossnet.serving.client.unchecked import inferred_signature
from crossnet.serving.protocol import messages
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.signature import ModelMetadata, Signature, read_metadata
from crossnet.serving.status import (
    FailedPreconditionError,
    InvalidRequestError,
    ServerError,
    ServingError,
    UnimplementedError,
    UsageError,
)

if TYPE_CHECKING:
    from crossnet.serving.protocol.request_log import RequestLog

_REFRESH_TIMEOUT_SECONDS = 1.0  # of fetching the metadata again before inputs are rejected
_MAX_ROUNDS = 3  # of sending parts of a batch again because the version changed
_MAX_REQUEST_BYTES = 2**31 - 2**16  # of a protobuf message, with room for names


class CachedModel(NamedTuple):
    """The version that answers: its signatures, and the templates of requests that were checked against them."""

    metadata: ModelMetadata
    templates: RequestTemplates


class Exchange:
    """Makes the calls to one model on one server, and caches its metadata.

    Safe to share between threads: the cached model is replaced as a whole.

    Args: As those of `crossnet.serving.client.connection.BaseClient`.
    """

    def __init__(
        self,
        *,
        target: str,
        model_name: str,
        version: int | None,
        label: str | None,
        timeout_seconds: float,
        max_rows_per_call: int,
        metadata: bool = True,
        log: RequestLog | None = None,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._max_rows_per_call = max_rows_per_call
        self._asks_metadata = metadata
        self._log = log
        self._spec = messages.ModelSpec(name=model_name)
        if version is not None:
            self._spec.version.value = version
        if label is not None:
            self._spec.version_label = label
        self._spec_bytes = self._spec.SerializeToString()
        pinned = "" if version is None else f" version {version}"
        title = f"`{model_name}`{pinned}" + (f" label `{label}`" if label is not None else "")
        self._caller = Caller(target, title)
        self._call = self._caller.call
        self._readiness = Readiness(
            self._caller, self._status_request(), self._metadata_request(), has_label=label is not None
        )
        self._cached: CachedModel | None = None
        self._answers = AnswerReader()

    def predict(self, inputs: Any, signature_name: str, timeout_seconds: float | None) -> Work[Prediction]:
        """Checks the inputs, sends them, and reads the answer."""
        deadline = self._deadline(timeout_seconds)
        if not self._asks_metadata:
            return (yield from self._predict_unchecked(inputs, signature_name, deadline))
        cached = self._cached
        try:
            model = cached or (yield from self._fetch(deadline))
        except UnimplementedError:
            prediction = yield from self._predict_unchecked(inputs, signature_name, deadline)
            self._asks_metadata = False  # a server that has Predict alone
            return prediction
        try:
            return (yield from self._predict(inputs, model, signature_name, deadline))
        except (InvalidRequestError, FailedPreconditionError):
            # The cached metadata may be those of a version that is no longer served.
            changed = (yield from self._fetch_changed(cached, deadline)) if cached else None
            if changed is None:
                raise
        return (yield from self._predict(inputs, changed, signature_name, deadline))

    def metadata(self, timeout_seconds: float | None) -> Work[ModelMetadata]:
        """Asks for the signatures."""
        try:
            return (yield from self._fetch(self._deadline(timeout_seconds))).metadata
        except UnimplementedError as error:
            raise UnimplementedError(
                f"The server at {self._caller.target} does not have GetModelMetadata, which tells the inputs of "
                f"{self._caller.title}. `predict()` of a client works without it where the server has Predict; "
                "otherwise check the address: the gRPC port is 8500 by default, and the REST port is different.",
                error.code,
            ) from error

    def status(self, timeout_seconds: float | None) -> Work[tuple[VersionStatus, ...]]:
        """Asks for the state of the model's versions, newest first."""
        answer = yield from self._call("GetModelStatus", self._status_request(), self._deadline(timeout_seconds))
        return read_status(answer)

    def wait_ready(self, timeout_seconds: float | None) -> Work[None]:
        """Asks until the model can answer."""
        yield from self._readiness.wait(self._deadline(timeout_seconds))

    def _predict(self, inputs: Any, model: CachedModel, signature_name: str, deadline: Deadline) -> Work[Prediction]:
        start = time.perf_counter()
        payload = model.templates.fill(signature_name, inputs)
        payloads = [payload] if payload else self._encode_inputs(inputs, model, signature_name)
        encoded = time.perf_counter()
        if len(payloads) == 1:
            answer = yield from self._call("Predict", payloads[0], deadline)
            received = time.perf_counter()
            outputs, origin = self._answers.read(answer)
            answers = [answer]
        else:
            answers = yield from self._call_parts(payloads, deadline)
            received = time.perf_counter()
            parts = [self._answers.read(answer) for answer in answers]
            outputs = {name: np.concatenate([part[name] for part, _ in parts]) for name in parts[0][0]}
            origin = parts[0][1]
        if origin.version != model.metadata.version:
            self._cached = None
        if self._log:
            for sent, answer in zip(payloads, answers, strict=True):
                self._log.add("Predict", sent, answer)
        timings = Timings(encoded - start, received - encoded, time.perf_counter() - received)
        return Prediction(outputs, origin.version, origin.signature_name or signature_name, timings)

    def _predict_unchecked(self, inputs: Any, signature_name: str, deadline: Deadline) -> Work[Prediction]:
        """Sends the inputs in one request, with types that follow from the values."""
        start = time.perf_counter()
        arrays = fit_inputs(inputs, inferred_signature(signature_name, inputs), self._caller.title)
        payload = self._encode(arrays, signature_name)
        encoded = time.perf_counter()
        answer = yield from self._call("Predict", payload, deadline)
        received = time.perf_counter()
        outputs, origin = self._answers.read(answer)
        if self._log:
            self._log.add("Predict", payload, answer)
        timings = Timings(encoded - start, received - encoded, time.perf_counter() - received)
        return Prediction(outputs, origin.version, origin.signature_name or signature_name, timings)

    def _encode_inputs(self, inputs: Any, model: CachedModel, signature_name: str) -> list[bytes]:
        """Checks the inputs, and returns the requests that send them."""
        signature = model.metadata.signature(signature_name)
        arrays = fit_inputs(inputs, signature, model.metadata.title)
        parts = self._split(arrays, signature)
        if len(parts) == 1:
            model.templates.remember(signature_name, inputs, self._model_spec(signature_name), arrays)
        return [self._encode(part, signature_name) for part in parts]

    def _call_parts(self, payloads: list[bytes], deadline: Deadline) -> Work[list[bytes]]:
        """Sends the parts of a large batch at the same time, until one version has answered all of them."""
        answers = yield [self._call("Predict", payload, deadline) for payload in payloads]
        versions = [read_origin(answer).version for answer in answers]
        newest = versions[-1]
        for _ in range(_MAX_ROUNDS):
            again = [i for i, version in enumerate(versions) if version != newest]
            if not again:
                break
            replies = yield [self._call("Predict", payloads[i], deadline) for i in again]
            for i, reply in zip(again, replies, strict=True):
                answers[i], versions[i] = reply, read_origin(reply).version
            newest = versions[again[-1]]  # of the last reply: parts may have been answered in any order
        if len(set(versions)) == 1:
            return answers
        raise ServerError(
            f"The server at {self._caller.target} changed the version of {self._caller.title} in {_MAX_ROUNDS + 1} "
            "tries. Send the batch again, or ask for one version."
        )

    def _split(self, arrays: dict[str, Array], signature: Signature) -> list[dict[str, Array]]:
        rows = len(next(iter(arrays.values()))) if signature.is_batched and arrays else 0
        if rows <= self._max_rows_per_call:
            return [arrays]
        return [
            {name: array[first : first + self._max_rows_per_call] for name, array in arrays.items()}
            for first in range(0, rows, self._max_rows_per_call)
        ]

    def _encode(self, arrays: dict[str, Array], signature_name: str) -> bytes:
        size = 0
        for array in arrays.values():
            size += array.nbytes
        if size > _MAX_REQUEST_BYTES:
            raise InvalidRequestError(
                f"The request has {size:,} bytes; a message holds at most 2 GiB. Lower `max_rows_per_call`, "
                f"which is {self._max_rows_per_call:,}, or send fewer rows."
            )
        return predict_request(self._model_spec(signature_name), arrays)

    def _model_spec(self, signature_name: str) -> bytes:
        return self._spec_bytes + signature_field(signature_name)

    def _fetch(self, deadline: Deadline) -> Work[CachedModel]:
        answer = yield from self._call("GetModelMetadata", self._metadata_request(), deadline)
        model = CachedModel(read_metadata(parse(messages.GetModelMetadataResponse, answer)), RequestTemplates())
        self._cached = model
        return model

    def _fetch_changed(self, before: CachedModel, deadline: Deadline) -> Work[CachedModel | None]:
        """Fetches the metadata again; returns None where they have not changed."""
        try:
            model = yield from self._fetch(Deadline(min(deadline.left(), _REFRESH_TIMEOUT_SECONDS)))
        except ServingError:
            return None
        return None if model.metadata == before.metadata else model

    def _metadata_request(self) -> bytes:
        request = messages.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.CopyFrom(self._spec)
        return request.SerializeToString()

    def _status_request(self) -> bytes:
        return messages.GetModelStatusRequest(model_spec=self._spec).SerializeToString()

    def _deadline(self, timeout_seconds: float | None) -> Deadline:
        if timeout_seconds is not None and not timeout_seconds > 0:
            raise UsageError(f"A timeout must be above zero seconds; received {timeout_seconds}.")
        return Deadline(self._timeout_seconds if timeout_seconds is None else timeout_seconds)
