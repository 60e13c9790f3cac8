"""Answers HTTP requests on the REST port.

Paths and answers: tensorflow/serving model_servers/http_rest_api_handler.cc and its util.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from typing import Any
from urllib.parse import unquote

import grpc
import uvicorn
from google.protobuf.json_format import MessageToDict
from starlette.middleware.cors import CORSMiddleware
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    regression_pb2,
)

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded import predictor
from crossnet.serving.embedded.current_call import CALL
from crossnet.serving.embedded.json_document import memory_needed
from crossnet.serving.embedded.json_examples import fill_examples, write_classifications, write_regressions
from crossnet.serving.embedded.json_input import read_body
from crossnet.serving.embedded.json_output import write_outputs
from crossnet.serving.embedded.json_quick import PredictBody
from crossnet.serving.embedded.listen import calls_at_once, listen_for_rest, rest_protocol
from crossnet.serving.embedded.logged_calls import log_arrays
from crossnet.serving.embedded.manager import ModelManager
from crossnet.serving.embedded.model import DEFAULT_SIGNATURE
from crossnet.serving.embedded.rest_encoding import decoded, encoded
from crossnet.serving.embedded.rest_exchange import (
    JSON_TYPE,
    Answer,
    Gone,
    computed,
    error_text,
    plain_error,
    receive_body,
    send_and_discard,
    send_answer,
)
from crossnet.serving.embedded.servicer import Servicer, model_spec
from crossnet.serving.protocol.bounded_text import cut
from crossnet.serving.protocol.codes import http_status, invalid, status_of
from crossnet.serving.protocol.dtypes import MAX_INT64
from crossnet.serving.status import ServingError

_MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICTION = re.compile(_MODEL + r":(?P<method>classify|regress|predict)", re.IGNORECASE)
_METADATA = re.compile(_MODEL + r"/metadata", re.IGNORECASE)
_STATUS = re.compile(_MODEL, re.IGNORECASE)
_Body = bytes | bytearray
_LARGE_BYTES = 2**20
_IDLE_SECONDS = 650  # longer than load balancers keep connections, 600 s at most; the real server never closes one
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TOO_LARGE = (
    "The body is larger than {mib} MiB, the limit of `--rest_api_max_body_mib`. Send fewer rows at once, or use gRPC."
)
_MEMORY_FACTOR = 16  # of what JSON may take in memory, to the largest body
_TOO_MUCH_MEMORY = (
    "The JSON would take more than {mib:,} MiB of memory, 16 times `--rest_api_max_body_mib`. Send fewer rows at once, "
    "send columns (`inputs`) instead of rows, or use gRPC."
)


class RestServer:
    """Answers HTTP in a thread of its own.

    Args:
      servicer: Answers metadata and status requests.
      manager: Lends the models.
      flags: `rest_api_*` of these; port 0 takes a free one.
      host: Address to listen on.

    Attributes:
      port: The port it listens on.

    Raises:
      ServingError: The port cannot be opened.
    """

    def __init__(self, servicer: Servicer, manager: ModelManager, flags: ServerFlags, *, host: str) -> None:
        self._servicer = servicer
        self._manager = manager
        self._seconds = flags.rest_api_timeout_in_ms / 1000
        threads = calls_at_once(flags.rest_api_num_threads, flags)
        self._call_threads = futures.ThreadPoolExecutor(threads, "rest-call")
        self._large_thread = futures.ThreadPoolExecutor(1, "rest-large-call")
        self._max_body_mib = flags.rest_api_max_body_mib
        self._large = threading.Lock()  # held while a large body is answered, also after its time is over
        app: Any = self._answer
        if flags.rest_api_enable_cors_support:
            app = CORSMiddleware(app, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"])
        self._socket = listen_for_rest(host, flags.rest_api_port)
        self.port: int = self._socket.getsockname()[1]
        # Without `interface`, uvicorn takes a bound method for an application of the old two-step kind.
        config = uvicorn.Config(
            app,
            interface="asgi3",
            http=rest_protocol(self._seconds or None),
            timeout_keep_alive=_IDLE_SECONDS,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            log_config=None,
            log_level="warning",
            access_log=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="rest", daemon=True
        )

    def start(self) -> None:
        """Starts to answer, also those who connected before."""
        self._thread.start()

    def stop(self, grace_seconds: float) -> None:
        """Takes no new requests, answers those in flight, and closes the port.

        Args:
          grace_seconds: How long they may take, including the arrival of their bodies.
        """
        self._server.config.timeout_graceful_shutdown = math.ceil(grace_seconds)
        self._server.should_exit = True
        if self._thread.ident:
            self._thread.join()
        for threads in (self._call_threads, self._large_thread):
            threads.shutdown(wait=False, cancel_futures=True)
        self._socket.close()

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("raw_path", scope["path"].encode()).decode("ascii", "replace").partition("?")[0]
        headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))  # of two, the first counts
        try:
            async with asyncio.timeout(self._seconds or None):
                body = await receive_body(headers, receive, self._max_body_mib * 2**20)
                if body is None:
                    await send_and_discard(plain_error(413, _TOO_LARGE.format(mib=self._max_body_mib)), receive, send)
                    return
                threads = self._large_thread if len(body) > _LARGE_BYTES else self._call_threads
                answer = await computed(threads, self._process_encoded, scope["method"], path, headers, body)
        except Gone:
            return
        except TimeoutError:
            answer = plain_error(504, "The request took longer than --rest_api_timeout_in_ms.")
        except asyncio.CancelledError:  # by uvicorn, when the time to finish is over
            answer = plain_error(503, "The server is shutting down.")
        await send_answer(answer, send)

    def _process_encoded(self, method: str, path: str, headers: Mapping[bytes, bytes], body: _Body) -> Answer:
        """Answers one request, whose body may be compressed, and whose answer then is too."""
        try:
            plain = decoded(body, headers.get(b"content-encoding", b"").decode("latin-1"), self._max_body_mib * 2**20)
        except ServingError as error:
            return plain_error(400, str(error))
        if plain is None:
            return plain_error(413, _TOO_LARGE.format(mib=self._max_body_mib))
        if len(plain) > _LARGE_BYTES and memory_needed(plain) > _MEMORY_FACTOR * self._max_body_mib * 2**20:
            return plain_error(413, _TOO_MUCH_MEMORY.format(mib=_MEMORY_FACTOR * self._max_body_mib))
        if (metrics := self._servicer.metrics) and path == metrics.path:
            status, text, kind = 200, metrics.page(), _METRICS_TYPE
        else:
            status, text, kind = *self._process(method, path, plain), JSON_TYPE
        data, more = encoded(text, headers.get(b"accept-encoding", b"").decode("latin-1"))
        return Answer(status, kind, data, more)

    def _process(self, method: str, path: str, body: _Body) -> tuple[int, str]:
        """Returns the HTTP status and the JSON for one request."""
        if not path.lower().startswith("/v1/"):
            return 404, error_text("Not Found")
        try:
            if method == "POST" and (match := _PREDICTION.fullmatch(path)):
                return self._counted(match, body)
            if method == "GET" and (match := _METADATA.fullmatch(path)):
                return 200, self._metadata(match)
            if method == "GET" and (match := _STATUS.fullmatch(path)):
                return 200, self._status(match)
            if method == "GET" and path.lower() == "/v1/models":  # as the gRPC call, it tells of one model only
                raise invalid("Missing model name in request.")
            raise invalid(f"Malformed request: {cut(method)} {cut(path)}")
        except Exception as error:
            code, message = status_of(error)
            return http_status(code), error_text(message)

    def _counted(self, match: re.Match[str], body: _Body) -> tuple[int, str]:
        """Answers a request to a model, and counts it."""
        CALL.begin()
        CALL.name = unquote(match["name"])
        CALL.deadline = time.monotonic() + self._seconds if self._seconds else None
        code = grpc.StatusCode.OK
        try:
            with self._one_large(body):
                text = self._predict(match, body)
        except Exception as error:
            code, message = status_of(error)
            text = error_text(message)
        if self._servicer.metrics:
            self._servicer.metrics.add_call(match["method"].lower(), "REST", code.name)
        return (200 if code is grpc.StatusCode.OK else http_status(code)), text

    @contextlib.contextmanager
    def _one_large(self, body: _Body) -> Iterator[None]:
        """Lets one large body at a time be answered: JSON takes many times its size while it is read and written."""
        if len(body) <= _LARGE_BYTES:
            yield
            return
        if not self._large.acquire(timeout=self._seconds or -1):
            raise ServingError("Other large requests took all the time. Send it again.", grpc.StatusCode.UNAVAILABLE)
        try:
            yield
        finally:
            self._large.release()

    def _predict(self, match: re.Match[str], body: _Body) -> str:
        version = _version(match)
        if (method := match["method"].lower()) != "predict":
            return self._answer_examples(method, match, read_body(body))
        document = PredictBody(body)
        with self._manager.use(unquote(match["name"]), version, unquote(match["label"] or "")) as (number, model):
            name = document.signature_name or DEFAULT_SIGNATURE
            signature = model.signatures.get(name)
            if signature is None:
                raise invalid(f'Serving signature name: "{cut(name)}" not found in signature def')
            if not signature.inputs:
                raise invalid(f"Failed to get input map for signature: {cut(document.signature_name) or 'DEFAULT'}")
            inputs, rows = document.inputs(signature)
            with self._servicer.running:
                CALL.runs(number, model, name)
                outputs = predictor.run(model, signature, inputs, tuple(signature.outputs))
                CALL.ran()
        text = write_outputs(outputs, rows=rows)
        if self._servicer.log:
            spec = model_spec(unquote(match["name"]), number, name)
            log_arrays(self._servicer.log, dict(zip(signature.inputs, inputs, strict=True)), outputs, spec)
        return text

    def _answer_examples(self, method: str, match: re.Match[str], document: dict[str, Any]) -> str:
        classifies = method == "classify"
        request = classification_pb2.ClassificationRequest() if classifies else regression_pb2.RegressionRequest()
        _fill_spec(request.model_spec, match)
        request.model_spec.signature_name = document.get("signature_name", "")
        fill_examples(request.input, document)
        response = self._servicer.classify(request) if classifies else self._servicer.regress(request)
        if self._servicer.log:
            kind = "Classify" if classifies else "Regress"
            self._servicer.log.add(kind, request.SerializeToString, response.SerializeToString, request.ByteSize())
        return write_classifications(response.result) if classifies else write_regressions(response.result)

    def _status(self, match: re.Match[str]) -> str:
        request = get_model_status_pb2.GetModelStatusRequest()
        _fill_spec(request.model_spec, match)
        return _dumps(_to_dict(self._servicer.status(request)))

    def _metadata(self, match: re.Match[str]) -> str:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        _fill_spec(request.model_spec, match)
        response = self._servicer.metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return _dumps(
            {"model_spec": _to_dict(response.model_spec), "metadata": {"signature_def": _to_dict(signatures)}}
        )


def _version(match: re.Match[str]) -> int | None:
    if match["version"] is None:
        return None
    if len(match["version"]) > 19 or int(match["version"]) > MAX_INT64:
        raise invalid(f"Failed to convert version: {cut(match['version'])} to numeric.")
    return int(match["version"])


def _fill_spec(spec: Any, match: re.Match[str]) -> None:
    spec.name = unquote(match["name"])
    if match["label"]:
        spec.version_label = unquote(match["label"])
    elif (version := _version(match)) is not None:
        spec.version.value = version


def _to_dict(message: Any) -> dict[str, Any]:
    return MessageToDict(message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True)


def _dumps(document: Any) -> str:
    return json.dumps(document, indent=1) + "\n"
