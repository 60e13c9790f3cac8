"""Measures what our client costs beside the official stub and TensorFlow's conversions."""

from __future__ import annotations

import statistics
import subprocess
import sys
import timeit
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc
import numpy as np

from benchmarks.harness import Row, cost, interleave
from crossnet.serving.client import PredictionClient
from crossnet.serving.client.answers import parse
from crossnet.serving.client.calls import METHODS
from crossnet.serving.client.input_checks import fit_inputs
from crossnet.serving.client.requests import predict_request
from crossnet.serving.protocol import messages
from crossnet.serving.protocol.signature import Signature, TensorSpec
from crossnet.serving.protocol.tensors import read_tensor

FLOAT = messages.DATA_TYPES["DT_FLOAT"]
NAMES = ("x0", "x1", "x2")
ROUNDS, CALLS = 15, 400


def rows() -> Iterator[Row]:
    """Yields the costs of a call, of encoding and decoding, and of the import."""
    yield from _call()
    yield from _encode_decode()
    yield from _import()


def _call() -> Iterator[Row]:
    """One row, one call in flight; the server is a process of its own that always gives the same answer."""
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    command = [sys.executable, "-m", "benchmarks.client"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        target = server.stdout.readline().strip()
        columns = {name: np.array([0.5], np.float32) for name in NAMES}
        spec = messages.ModelSpec(name="crossnet", signature_name="serving_default").SerializeToString()
        request = predict_pb2.PredictRequest.FromString(predict_request(spec, columns))
        with PredictionClient(target) as client, grpc.insecure_channel(target) as channel:
            client.wait_ready(30)
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

            def ours() -> float:
                return cost(lambda: [client.predict(columns) for _ in range(CALLS)]) / CALLS * 1e6

            def bare() -> float:
                return cost(lambda: [stub.Predict(request, timeout=10) for _ in range(CALLS)]) / CALLS * 1e6

            ours(), bare()
            mine, other, ratio, scatter = interleave(ours, bare, ROUNDS)
        server.communicate()
    yield Row(
        "client", "CPU of a call with 1 row", mine, other, "us", ratio, "<= 1.3", ratio <= 1.3,
        "the official stub with a prebuilt request, answer not decoded", scatter=scatter,
    )  # fmt: skip


def _encode_decode() -> Iterator[Row]:
    """1000 rows of 3 features: checks, encoding of the request, decoding of an answer in `float_val`."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    batch = np.random.default_rng(0).random((1000, 3), np.float32)
    answer = _answer(1000)
    for case, inputs, shape in (
        ("encode + decode 1000x3, one input", {"x": batch}, (None, 3)),
        ("encode + decode 1000x3, three inputs", {n: batch[:, i].copy() for i, n in enumerate(NAMES)}, (None,)),
    ):
        signature = Signature("s", "", {name: TensorSpec(FLOAT, shape) for name in inputs}, {})

        def ours(inputs: Any = inputs, signature: Signature = signature) -> None:
            predict_request(b"", fit_inputs(inputs, signature, "m"))
            response = parse(messages.PredictResponse, answer)
            read_tensor(response.outputs["prediction"])

        def other(inputs: Any = inputs) -> None:
            request = predict_pb2.PredictRequest()
            for name, array in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
            request.SerializeToString()
            tf.make_ndarray(predict_pb2.PredictResponse.FromString(answer).outputs["prediction"])

        def each(work: Any) -> float:
            return cost(lambda: timeit.timeit(work, number=200)) / 200 * 1e6

        mine, theirs, ratio, scatter = interleave(partial(each, ours), partial(each, other), ROUNDS)
        yield Row(
            "client", case, mine, theirs, "us", ratio, "<= 60 us", mine <= 60,
            "make_tensor_proto and make_ndarray with the official messages", scatter=scatter,
        )  # fmt: skip


def _import() -> Iterator[Row]:
    """CPU seconds of a fresh process."""

    def process(code: str) -> float:
        return cost(lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True))

    pairs = [(process("from crossnet import PredictionClient"), process("import grpc, numpy")) for _ in range(5)]
    official = [process("import tensorflow_serving.apis.predict_pb2") for _ in range(3)]
    beyond = statistics.median(ours - base for ours, base in pairs)
    base = statistics.median(base for _, base in pairs)
    yield Row("client", "import beyond numpy and grpc", beyond, base, "s", None, "<= 0.5 s", beyond <= 0.5, "these two")
    whole, other = statistics.median(ours for ours, _ in pairs), statistics.median(official)
    alternative = "import tensorflow_serving.apis.predict_pb2"
    yield Row("client", "import", whole, other, "s", whole / other, alternative=alternative)


def _answer(size: int) -> bytes:
    response = messages.PredictResponse()
    response.model_spec.name, response.model_spec.version.value = "crossnet", 1
    response.model_spec.signature_name = "serving_default"
    tensor = response.outputs["prediction"]
    tensor.dtype = FLOAT
    tensor.tensor_shape.dim.add(size=size)
    tensor.float_val.extend(np.linspace(0, 1, size, dtype=np.float32).tolist())
    return response.SerializeToString()


def _serve() -> None:
    """Answers as a model of three columns would, without looking at the request; ends with its standard input."""
    found = messages.SignatureDefMap()
    signature = found.signature_def["serving_default"]
    for info in (*(signature.inputs[name] for name in NAMES), signature.outputs["prediction"]):
        info.dtype = FLOAT
        info.tensor_shape.dim.add(size=-1)
    metadata = messages.GetModelMetadataResponse()
    metadata.model_spec.name, metadata.model_spec.version.value = "crossnet", 1
    metadata.metadata["signature_def"].value = found.SerializeToString()
    status = messages.GetModelStatusResponse()
    status.model_version_status.add(version=1, state=30)
    answers = {
        "Predict": _answer(1),
        "GetModelMetadata": metadata.SerializeToString(),
        "GetModelStatus": status.SerializeToString(),
    }
    handlers: dict[str, dict[str, Any]] = {}
    for method, path in METHODS.items():
        _, service, name = path.split("/")
        handlers.setdefault(service, {})[name] = grpc.unary_unary_rpc_method_handler(
            lambda request, context, answer=answers[method]: answer
        )
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, [grpc.method_handlers_generic_handler(s, h) for s, h in handlers.items()])
        port = server.add_insecure_port("localhost:0")
        server.start()
        print(f"localhost:{port}", flush=True)
        sys.stdin.read()
        server.stop(None).wait()


if __name__ == "__main__":
    _serve()
