"""Offers what the server's tests share: stubs, and calls that must fail."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


class Stubs:
    """The official stubs, on one channel."""

    def __init__(self, target: str, credentials: Any = None, options: Any = None) -> None:
        options = options or [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        if credentials is None:
            self.channel = grpc.insecure_channel(target, options)
        else:
            self.channel = grpc.secure_channel(target, credentials, options)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, request: Any, **options: Any) -> Any:
        return self.prediction.Predict(request, **{"timeout": 20, **options})


@contextmanager
def stubs_on(target: str, **options: Any):
    stubs = Stubs(target, **options)
    try:
        yield stubs
    finally:
        stubs.channel.close()


def predict_request(model: str = "demo", signature: str = "", version: int | None = None, **inputs: Any) -> Any:
    """A PredictRequest, arrays as the official helper writes them."""
    import tensorflow as tf

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for name, values in inputs.items():
        array = np.asarray(values, np.float32) if isinstance(values, list) else values
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    return request


def failure(call: Any, *arguments: Any, **options: Any) -> tuple[grpc.StatusCode, str]:
    """The code and message with which a call fails."""
    try:
        call(*arguments, **options)
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("the call succeeded")


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    """Asks until `condition()` holds; fails after `seconds`."""
    import time

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def versions_of(stubs: Stubs, name: str = "demo", version: int | None = None, label: str = "") -> Any:
    """What GetModelStatus says of a model."""
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    if label:
        request.model_spec.version_label = label
    return stubs.model.GetModelStatus(request, timeout=20).model_version_status


def states(stubs: Stubs, name: str = "demo") -> dict[int, tuple[int, int]]:
    """State and error code of each version of a model."""
    return {status.version: (status.state, status.status.error_code) for status in versions_of(stubs, name)}
