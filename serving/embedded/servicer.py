"""Answers the gRPC calls of PredictionService and ModelService.

Handlers take and return bytes, because the codec writes the response to Predict itself, and because a request that does
not parse is then answered like any other error: `_answering` is the one place where an exception becomes a status.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from crossnet.serving.config.versions import ModelConfig, model_configs, requested
from crossnet.serving.embedded import example_calls, predictor
from crossnet.serving.embedded.call_threads import Semaphore
from crossnet.serving.embedded.codec import write_predict_response
from crossnet.serving.embedded.current_call import CALL
from crossnet.serving.embedded.logged_calls import logging_calls
from crossnet.serving.embedded.manager import ModelManager
from crossnet.serving.embedded.metrics import Metrics
from crossnet.serving.embedded.states import State
from crossnet.serving.protocol.bounded_text import cut
from crossnet.serving.protocol.codes import grpc_message, invalid, status_of
from crossnet.serving.protocol.request_log import RequestLog
from crossnet.serving.status import ServingError

Handler = Callable[[bytes, Any], bytes]
_CHECK_SECONDS, _QUIET_CHECKS = 0.02, 5
_REJECT_SECONDS = 1.0
COUNTED = frozenset({"Predict", "Regress", "Classify", "MultiInference"})  # by `Metrics`, as in the real server
_NO_RELOAD = (
    "This server does not take HandleReloadConfigRequest, which can have any folder of its machine loaded. It takes "
    "them when it listens on loopback only or was started with `--allow_reload=true`. Or edit the file of "
    "`--model_config_file`."
)


@lru_cache(maxsize=4096)
def model_spec(name: str, version: int, signature: str) -> bytes:
    """Returns the serialized ModelSpec of an answer: the version that ran, never a label."""
    spec = model_pb2.ModelSpec(name=name, signature_name=signature)
    spec.version.value = version
    return bytes(spec.SerializeToString())


class Servicer:
    """PredictionService and ModelService on a model manager.

    Args:
      manager: Lends the models.
      max_running: The number of requests that compute at once; the others wait.
      as_content: Write `tensor_content` instead of typed fields.
      check_method: Classify and Regress only by signatures with their method name.
      reload: Puts a new list of models into service, and waits for it as long as the second argument returns True;
        None where the server does not take such requests.
      log: Takes the calls that were answered; None: they are not logged.
      metrics: Counts the calls that ask a model; None: they are not counted.

    Attributes:
      log, metrics: As given; the REST port uses them too.
      running: Held by each request that computes; the REST port shares it.
    """

    def __init__(
        self,
        manager: ModelManager,
        *,
        max_running: int,
        as_content: bool = False,
        check_method: bool = False,
        reload: Callable[[Sequence[ModelConfig], Callable[[], bool]], bool] | None,
        log: RequestLog | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._manager = manager
        self.running = Semaphore(max_running)
        self._as_content = as_content
        self._check_method = check_method
        self._reload = reload
        self.log = log
        self.metrics = metrics
        self._templates = predictor.request_templates()
        self._is_ending = False
        self._num_rejected = 0  # calls, since the server began to end

    def reject_calls(self) -> None:
        """Answers UNAVAILABLE from now on, and returns when no further calls come, or after a second.

        gRPC's own shutdown cancels the calls that it has not passed on yet. CANCELLED tells a client nothing, and
        clients do not try such a call again.
        """
        self._is_ending = True
        end, quiet = time.monotonic() + _REJECT_SECONDS, 0
        while quiet < _QUIET_CHECKS and time.monotonic() < end:  # counts checks, because this thread may be delayed
            before = self._num_rejected
            time.sleep(_CHECK_SECONDS)
            quiet = quiet + 1 if self._num_rejected == before else 0

    def handlers(self) -> list[Any]:
        """Returns the grpc handlers of both services."""
        prediction: dict[str, Handler] = {
            "Predict": self._predict,
            "Regress": self._regress,
            "GetModelMetadata": self._get_model_metadata,
            "Classify": self._classify,
            "MultiInference": self._multi_inference,
        }
        if self.log:
            prediction = logging_calls(prediction, self.log)
        model = {
            "GetModelStatus": self._get_model_status,
            "HandleReloadConfigRequest": self._handle_reload_config_request,
        }
        return [
            grpc.method_handlers_generic_handler(
                f"tensorflow.serving.{service}",
                {
                    name: grpc.unary_unary_rpc_method_handler(self._answering(method, name if name in COUNTED else ""))
                    for name, method in methods.items()
                },
            )
            for service, methods in (("PredictionService", prediction), ("ModelService", model))
        ]

    def _answering(self, method: Handler, counted_as: str) -> Handler:
        """Wraps a method so that each exception becomes a gRPC status, none of them UNKNOWN; and counts its calls."""
        metrics = self.metrics if counted_as else None

        def answer(message: bytes, context: Any) -> bytes:
            if metrics:
                CALL.begin()
            try:
                if self._is_ending:
                    self._num_rejected += 1
                    raise ServingError("The server is shutting down.", grpc.StatusCode.UNAVAILABLE)
                response = method(message, context)
                if metrics:
                    metrics.add_call(counted_as, "GRPC", "OK")
                return response
            except Exception as error:
                code, words = status_of(error)
            if metrics:
                metrics.add_call(counted_as, "GRPC", code.name)
            context.abort(code, grpc_message(words))
            raise AssertionError("abort raises")

        return answer

    def _predict(self, message: bytes, context: Any) -> bytes:
        template = self._templates.find(message)
        if template is None:
            request = predict_pb2.PredictRequest.FromString(message)
            name, version, label = requested(request)
            self._templates.remember(message, request)
        else:
            request, (name, version, label) = template.header
        CALL.name = name
        with self.running, self._manager.use(name, version, label) as (number, model):
            CALL.check_deadline(context)
            if self.metrics:
                CALL.runs(number, model, request.model_spec.signature_name)
            if template is None:
                signature, outputs = predictor.predict(model, request)
            else:
                signature, outputs = predictor.predict_from_template(model, template, message)
            if self.metrics:
                CALL.ran()
        return write_predict_response(outputs, model_spec(name, number, signature), as_content=self._as_content)

    def _regress(self, message: bytes, context: Any) -> bytes:
        request = regression_pb2.RegressionRequest.FromString(message)
        return bytes(self.regress(request, context).SerializeToString())

    def regress(self, request: Any, context: Any = None) -> Any:
        """Answers a RegressionRequest; `context` is the gRPC call's, None on REST."""
        response = regression_pb2.RegressionResponse()
        self._answer_examples(example_calls.regress, request, context, response)
        return response

    def _classify(self, message: bytes, context: Any) -> bytes:
        request = classification_pb2.ClassificationRequest.FromString(message)
        return bytes(self.classify(request, context).SerializeToString())

    def classify(self, request: Any, context: Any = None) -> Any:
        """Answers a ClassificationRequest; `context` is the gRPC call's, None on REST."""
        response = classification_pb2.ClassificationResponse()
        self._answer_examples(example_calls.classify, request, context, response)
        return response

    def _answer_examples(self, call: Callable[..., tuple[str, Any]], request: Any, context: Any, response: Any) -> None:
        name, version, label = requested(request)
        CALL.name = name
        with self.running, self._manager.use(name, version, label) as (number, model):
            CALL.check_deadline(context)
            CALL.runs(number, model, request.model_spec.signature_name)
            signature, result = call(model, request, check_method=self._check_method)
            CALL.ran()
        response.result.CopyFrom(result)
        response.model_spec.ParseFromString(model_spec(name, number, signature))

    def _multi_inference(self, message: bytes, context: Any) -> bytes:
        request = inference_pb2.MultiInferenceRequest.FromString(message)
        if not request.tasks:
            raise invalid("Inference request must have at least one task.")
        name, version, label = requested(request.tasks[0])
        CALL.name = name
        with self.running, self._manager.use(name, version, label) as (number, model):
            CALL.check_deadline(context)
            CALL.runs(number, model, request.tasks[0].model_spec.signature_name)
            response = example_calls.multi_inference(model, number, request, check_method=self._check_method)
            CALL.ran()
        return bytes(response.SerializeToString())

    def _get_model_metadata(self, message: bytes, context: Any) -> bytes:
        return bytes(
            self.metadata(get_model_metadata_pb2.GetModelMetadataRequest.FromString(message)).SerializeToString()
        )

    def metadata(self, request: Any) -> Any:
        """Answers a GetModelMetadataRequest."""
        name, version, label = requested(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {cut(field)} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self._manager.use(name, version, label) as (number, model):
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for key, definition in model.signature_defs.items():
                signatures.signature_def[key].CopyFrom(definition)
        response.metadata["signature_def"].Pack(signatures)
        response.model_spec.name = name
        response.model_spec.version.value = number
        return response

    def _get_model_status(self, message: bytes, context: Any) -> bytes:
        return bytes(self.status(get_model_status_pb2.GetModelStatusRequest.FromString(message)).SerializeToString())

    def status(self, request: Any) -> Any:
        """Answers a GetModelStatusRequest; a label in it is ignored, as the real server does."""
        name, version, _ = requested(request)
        versions = self._manager.versions(name)
        if not versions:
            raise ServingError(f"Could not find any versions of model {cut(name)}", grpc.StatusCode.NOT_FOUND)
        if version is not None:
            versions = [known for known in versions if known.number == version]
            if not versions:
                raise ServingError(f"Could not find version {version} of model {cut(name)}", grpc.StatusCode.NOT_FOUND)
        response = get_model_status_pb2.GetModelStatusResponse()
        for known in versions:
            between_attempts = known.state is State.START and known.code is not grpc.StatusCode.OK
            state = State.LOADING if between_attempts else known.state  # the real server does not report attempts
            entry = response.model_version_status.add(version=known.number, state=int(state))
            entry.status.error_code = known.code.value[0]
            entry.status.error_message = known.message
        return response

    def _handle_reload_config_request(self, message: bytes, context: Any) -> bytes:
        if self._reload is None:
            raise ServingError(_NO_RELOAD, grpc.StatusCode.PERMISSION_DENIED)
        request = model_management_pb2.ReloadConfigRequest.FromString(message)
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported"
            )
        if not self._reload(model_configs(request.config.model_config_list), context.is_active):
            reason = "Another list of models came, or the server stopped, before all models were available."
            raise ServingError(reason, grpc.StatusCode.UNAVAILABLE)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        for name in request.metric_names:
            response.metric.add(name=name)
        return bytes(response.SerializeToString())
