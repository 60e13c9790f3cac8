"""Offers what the server's tests share: stubs, and calls that must fail."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from support.serving_models import save_demo, save_graph


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


@contextmanager
def contract_server(folder: Path):
    """Runs a server with the models `demo`, `types` and `matrix`, which it saves in a folder.

    `demo` is `save_demo`'s, with the label "stable" on version 1; `types` gives a tensor of each type back; `matrix`
    multiplies rows of 3 with ones, and doubles them.
    """
    import tensorflow as tf

    from crossnet.serving.config.flags import ServerFlags
    from crossnet.serving.server import Server

    save_demo(folder / "demo")
    types = {"f": tf.float32, "d": tf.float64, "i": tf.int32, "l": tf.int64, "b": tf.bool, "s": tf.string, "h": tf.half,
             "u": tf.uint8, "c": tf.complex64, "w": tf.bfloat16}  # fmt: skip
    save_graph(
        folder / "types" / "1",
        lambda **given: {f"{name}_out": tf.identity(tensor) for name, tensor in given.items()},
        **{name: (kind, None) for name, kind in types.items()},
    )
    save_graph(
        folder / "matrix" / "1", lambda x: {"y": tf.matmul(x, tf.ones([3, 1])), "z": x * 2.0}, x=(tf.float32, None)
    )
    config = folder / "models.config"
    config.write_text(all_versions(folder, "demo", "types", "matrix", labels={"demo": {"stable": 1}}))
    flags = ServerFlags(
        port=0,
        model_config_file=str(config),
        allow_version_labels_for_unavailable_models=True,
        max_num_load_retries=0,
    )
    with Server(flags) as server:
        yield server


def all_versions(folder: Path, *names: str, labels: Any = None) -> str:
    """A model config file that serves every version of some models.

    Args:
      folder: Where the models are.
      names: Their names, which are their folders' names.
      labels: Model -> label -> version.
    """
    entries = [
        f'config {{ name: "{name}" base_path: "{folder}/{name}" model_platform: "tensorflow" '
        "model_version_policy { all {} }"
        + "".join(
            f' version_labels {{ key: "{label}" value: {version} }}'
            for label, version in (labels or {}).get(name, {}).items()
        )
        + "}"
        for name in names
    ]
    return f"model_config_list {{{' '.join(entries)}}}"


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
