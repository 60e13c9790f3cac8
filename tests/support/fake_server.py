"""Answers over gRPC as TensorFlow Serving does, and fails when told to.

`python tests/support/fake_server.py PORT` runs one as a process of its own, to be stopped, paused and started again.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np

from crossnet.serving.protocol import messages, tensors

FLOAT, INT64, STRING = (messages.DATA_TYPES[name] for name in ("DT_FLOAT", "DT_INT64", "DT_STRING"))

RIDES = {"miles": (FLOAT, [-1]), "age": (INT64, [-1]), "zone": (STRING, [-1])}
XS = {"x0": (FLOAT, [-1]), "x1": (FLOAT, [-1]), "x2": (FLOAT, [-1])}
MATRIX = {"x": (FLOAT, [-1, 3])}

Inputs = dict[str, tuple[int, list[int]]]


def signature_definition(inputs: Inputs, outputs: Inputs) -> object:
    definition = messages.SignatureDef(method_name="tensorflow/serving/predict")
    for infos, specs in ((definition.inputs, inputs), (definition.outputs, outputs)):
        for name, (dtype, shape) in specs.items():
            infos[name].name = f"{name}:0"
            infos[name].dtype = dtype
            for size in shape:
                infos[name].tensor_shape.dim.add(size=size)
    return definition


def first_numbers(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The fake model: each row's first number, so that answers can be matched with their rows."""
    first = next(a for _, a in sorted(arrays.items()) if a.dtype != np.object_)
    return {"prediction": np.asarray(first, np.float32).reshape(len(first), -1)[:, 0] if first.size else first}


class FakeServer:
    """One model with one version.

    Attributes:
      faults: One is taken for each call and raised; None lets the call through.
      calls: Names of the methods called, in order.
      requests: PredictRequests received.
      delay: Seconds that Predict takes.
      lacks: Names of the methods that the server does not have.
    """

    def __init__(self, inputs: Inputs, model: Callable[..., dict[str, np.ndarray]] = first_numbers) -> None:
        self.model_name, self.version, self.state = "crossnet", 7, "AVAILABLE"
        self.signatures = {"serving_default": signature_definition(inputs, {"prediction": (FLOAT, [-1])})}
        self.model = model
        self.faults: list[tuple[grpc.StatusCode, str] | None] = []
        self.calls: list[str] = []
        self.requests: list[object] = []
        self.metadata_sent: list[tuple[tuple[str, str], ...]] = []
        self.delay = 0.0
        self.lacks: set[str] = set()
        self.raw: bytes | None = None
        self.busy = self.most_busy = 0
        self.as_content = False
        self._lock = threading.Lock()

    def predict(self, payload: bytes, context: grpc.ServicerContext) -> bytes:
        with self._lock:
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        try:
            self._admit("Predict", context)
            request = messages.PredictRequest.FromString(payload)
            self.requests.append(request)
            time.sleep(self.delay)
            if self.raw is not None:
                return self.raw
            response = messages.PredictResponse()
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = self.version
            response.model_spec.signature_name = request.model_spec.signature_name or "serving_default"
            arrays = {name: tensors.read_tensor(tensor) for name, tensor in request.inputs.items()}
            try:
                outputs = self.model(arrays)
            except ValueError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            for name, array in outputs.items():
                response.outputs[name].MergeFromString(tensors.write_tensor(array))
                if array.dtype == np.float32 and not self.as_content:
                    response.outputs[name].tensor_content = b""
                    response.outputs[name].float_val.extend(array.ravel().tolist())
            return response.SerializeToString()
        finally:
            with self._lock:
                self.busy -= 1

    def metadata(self, payload: bytes, context: grpc.ServicerContext) -> bytes:
        self._admit("GetModelMetadata", context)
        request = messages.GetModelMetadataRequest.FromString(payload)
        if request.model_spec.name != self.model_name:
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({request.model_spec.name})"
            )
        response = messages.GetModelMetadataResponse()
        response.model_spec.name = self.model_name
        response.model_spec.version.value = self.version
        found = messages.SignatureDefMap()
        for name, definition in self.signatures.items():
            found.signature_def[name].CopyFrom(definition)
        response.metadata["signature_def"].type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
        response.metadata["signature_def"].value = found.SerializeToString()
        return response.SerializeToString()

    def status(self, payload: bytes, context: grpc.ServicerContext) -> bytes:
        self._admit("GetModelStatus", context)
        request = messages.GetModelStatusRequest.FromString(payload)
        if request.model_spec.name != self.model_name:
            name = request.model_spec.name
            context.abort(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        response = messages.GetModelStatusResponse()
        version = response.model_version_status.add(version=self.version)
        version.state = {name: number for number, name in messages.VERSION_STATES.items()}[self.state]
        return response.SerializeToString()

    def _admit(self, method: str, context: grpc.ServicerContext) -> None:
        with self._lock:
            self.calls.append(method)
            self.metadata_sent.append(tuple(context.invocation_metadata()))
            fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            context.abort(*fault)
        if method in self.lacks:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")

    @contextlib.contextmanager
    def running(self, address: str = "localhost:0", credentials: grpc.ServerCredentials | None = None) -> Iterator[str]:
        """Yields the target."""
        pool = ThreadPoolExecutor(16)
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
        server = grpc.server(pool, options=options)
        for service, methods in {
            "tensorflow.serving.PredictionService": {"Predict": self.predict, "GetModelMetadata": self.metadata},
            "tensorflow.serving.ModelService": {"GetModelStatus": self.status},
        }.items():
            handlers = {name: grpc.unary_unary_rpc_method_handler(call) for name, call in methods.items()}
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
        server.start()
        try:
            yield address if address.startswith("unix:") else f"localhost:{port}"
        finally:
            server.stop(None).wait()
            pool.shutdown()


if __name__ == "__main__":
    with FakeServer(XS).running(f"localhost:{sys.argv[1]}") as target:
        print(target, flush=True)  # noqa: T201
        threading.Event().wait()
