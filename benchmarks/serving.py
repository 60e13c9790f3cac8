"""Measures the embedded server beside an echo server of the same grpcio.

Each is a process of its own. What is compared is the server process's own CPU time per call, from its CPU clock, so
that the client's does not count. Other load on the machine still shows in it, through shared caches: the two are
measured in short turns, spread over the whole run. The echo server has the options of ours
(`crossnet.serving.embedded.listen`) and the threads of gRPC's quick start for Python, `ThreadPoolExecutor(10)`; it
parses nothing, and returns each request's bytes as they came, which are more than our answer's. A second echo server
has our own threads (`crossnet.serving.embedded.call_threads`): the ratio to it is what the answers alone cost.
Latencies are of client and server together. The models are the Trainer's exports, with three normalised features:
"cross" is one cross layer and its head, what the pipeline pushes by default; "dense" is 3 -> 64 -> 64 -> 1, with 400
times as many multiplications. `python -m benchmarks.serving echo` is the echo server, `echo own` that with our
threads.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from benchmarks.harness import Row, interleave, medians
from crossnet.serving.config.flags import parse_flags
from crossnet.serving.embedded.call_threads import CallThreads
from crossnet.serving.embedded.listen import open_server

PREDICT = "/tensorflow.serving.PredictionService/Predict"
MODELS = ("cross", "dense")
CALLS = 3200
TURN_CALLS, TURNS = 800, 15  # of CPU per call
IN_FLIGHT = (1, 4, 16)
GOAL = 1.6


def rows() -> Iterator[Row]:
    """Yields CPU per call, latencies, and what a swap under load costs."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "models.config")
        for name in MODELS:
            save_network(Path(folder, name, "1"), name)
        entries = [f'config {{ name: "{n}" base_path: "{folder}/{n}" model_platform: "tensorflow" }}' for n in MODELS]
        config.write_text(f"model_config_list {{ {' '.join(entries)} }}")
        ours = start_server(
            [sys.executable, "-m", "crossnet.serving.server_command", "--port=0", f"--model_config_file={config}"]
        )
        echo, lean = (
            start_server([sys.executable, "-m", "benchmarks.serving", *words]) for words in (["echo"], ["echo", "own"])
        )
        try:
            with ours, echo, lean:
                yield from _cpu_per_call(ours, echo, lean)
                yield from _latencies(ours, echo)
                yield from _swap(ours, Path(folder, "cross"))
        finally:
            ours.process.kill()
            echo.process.kill()
            lean.process.kill()
        yield from from_templates(Path(folder))
    yield _encode_and_decode()


@dataclass
class Running:
    """A server in a process of its own, and a channel to it.

    Attributes:
      target: Its first address.
      rest_address: Host and port of REST; "" without it.
    """

    process: subprocess.Popen[str]
    channel: Any
    target: str = ""
    rest_address: str = ""
    call: Callable[..., bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.call = self.channel.unary_unary(PREDICT)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()
        self.process.terminate()
        self.process.wait()

    def cpu_seconds(self) -> float:
        """CPU time of the process so far, ended threads included; in nanoseconds, where `stat` has ticks of 10 ms."""
        return time.clock_gettime((~self.process.pid << 3) | 2)  # Linux: what clock_getcpuclockid(3) returns


def start_server(command: list[str]) -> Running:
    """Starts a server that prints on stderr where it listens: `serving ... at HOST:PORT (...)`."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr
    for line in process.stderr:
        if line.startswith("serving "):
            break
    else:
        raise RuntimeError(f"{command} did not start")
    threading.Thread(target=process.stderr.read, daemon=True).start()  # so that its log never blocks it
    target, *others = line.split(" at ")[1].rpartition(" (")[0].split(", ")
    rest = next((other.removeprefix("http://") for other in others if other.startswith("http://")), "")
    channel = grpc.insecure_channel(target, [("grpc.max_receive_message_length", -1)])
    return Running(process, channel, target, rest)


def echo_server(threads: futures.Executor) -> None:
    """Answers each call with its own bytes, and nothing else."""

    class AnyMethod(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(lambda message, _: message)

    server, port = open_server(
        parse_flags(["--port=0", "--model_base_path=/none"]), "127.0.0.1", [AnyMethod()], None, threads
    )
    server.start()
    print(f"serving nothing at 127.0.0.1:{port} (echo)", file=sys.stderr, flush=True)
    server.wait_for_termination()


def save_network(path: Path, name: str) -> None:
    """Exports the network `name` of `MODELS` as the Trainer does, with warm-up requests and random weights.

    Its three features are normalised, as the default config normalises those of the built-in table.
    """
    from crossnet.components.features import Feature
    from crossnet.components.networks.columns import NumberColumn
    from crossnet.components.networks.export import export_model
    from crossnet.components.networks.models import build_network, describe, initialize
    from crossnet.components.networks.preprocessing import Preprocessing, Transform
    from crossnet.components.networks.warmup_requests import write_warmup_requests
    from crossnet.components.params.networks import CrossLayerParams, DenseParams

    kind, architecture = (
        ("dense", DenseParams(units=(64, 64))) if name == "dense" else ("cross_layer", CrossLayerParams())
    )
    features = [Feature(f"x{i}", "FLOAT") for i in range(3)]
    network = build_network(kind, architecture, num_numbers=3)
    initialize(network, 0)
    for variable in network.trainable_variables:  # biases too: a graph optimizer takes an addition of zero out
        variable.assign_add(np.full(variable.shape, 0.01, np.float32))
    columns = tuple(NumberColumn(feature.name, "FLOAT", True, mean=0.4975, scale=0.2887) for feature in features)
    unfinished = path.parent / f".tmp-{path.name}"
    description = describe(kind, architecture, network)
    export_model(network, Transform(Preprocessing(columns, ())), unfinished, description=description)
    rows = {feature.name: np.linspace(0, 1, 100, dtype=np.float32) for feature in features}
    write_warmup_requests(unfinished, features, rows, model_name=name)
    unfinished.rename(path)


def request(model: str, batch: int) -> bytes:
    """A serialized PredictRequest for `batch` rows."""
    from crossnet.serving.protocol.messages import PredictRequest

    message = PredictRequest()
    message.model_spec.name = model
    for i in range(3):
        tensor = message.inputs[f"x{i}"]
        tensor.dtype = 1
        tensor.tensor_shape.dim.add(size=batch)
        tensor.tensor_content = np.linspace(0, 1, batch, dtype=np.float32).tobytes()
    return bytes(message.SerializeToString())


# ---- What is measured ----


def load(server: Running, message: bytes, in_flight: int, calls: int = CALLS) -> list[float]:
    """Sends `calls` calls from `in_flight` threads, and returns each one's seconds."""
    taken: list[float] = []

    def caller(_: int) -> None:
        for _ in range(calls // in_flight):
            start = time.perf_counter()
            server.call(message, timeout=60)
            taken.append(time.perf_counter() - start)

    with futures.ThreadPoolExecutor(in_flight) as pool:
        list(pool.map(caller, range(in_flight)))
    return taken


def _cpu_per_call(ours: Running, echo: Running, lean: Running) -> Iterator[Row]:
    most = IN_FLIGHT[-1]
    cases = [
        (model, in_flight, batch, other, words)
        for model, in_flight, other, words in (
            *(("cross", in_flight, echo, "echo server of the same grpcio") for in_flight in IN_FLIGHT),
            ("cross", most, lean, "echo server with our threads"),
            ("dense", most, echo, "echo server of the same grpcio"),
        )
        for batch in (1, 1000)
    ]

    def cost(server: Running, model: str, in_flight: int, batch: int) -> float:
        message = request(model, batch)
        before = server.cpu_seconds()
        load(server, message, in_flight, calls=TURN_CALLS)
        return (server.cpu_seconds() - before) / TURN_CALLS * 1e6

    # All cases in each turn, so that minutes in which the machine is slow are not one case's alone.
    pairs: list[list[tuple[float, float]]] = [[] for _ in cases]
    for turn in range(TURNS + 1):
        for taken, (model, in_flight, batch, other, _) in zip(pairs, cases, strict=True):
            pair = cost(ours, model, in_flight, batch), cost(other, model, in_flight, batch)
            if turn:  # the first one warms up
                taken.append(pair)
    for taken, (model, in_flight, batch, other, words) in zip(pairs, cases, strict=True):
        mine, empty, ratio, scatter = medians(taken)
        judged = model == "cross" and other is echo
        yield Row(
            "serving",
            f"server CPU per Predict, {model}, {batch} rows, {in_flight} in flight",
            mine,
            empty,
            "us",
            ratio,
            f"<= {GOAL}" if judged else "",
            ratio <= GOAL if judged else None,
            words,
            scatter=scatter,
        )


def _latencies(ours: Running, echo: Running) -> Iterator[Row]:
    for batch in (1, 1000):
        message = request("cross", batch)
        for in_flight in IN_FLIGHT:
            mine, empty = load(ours, message, in_flight), load(echo, message, in_flight)
            for percent in (50, 99):
                a, b = (float(np.percentile(taken, percent)) * 1e3 for taken in (mine, empty))
                yield Row(
                    "serving", f"p{percent}, cross, {batch} rows, {in_flight} in flight", a, b, "ms", a / b,
                    alternative="echo server of the same grpcio",
                )  # fmt: skip


def _swap(ours: Running, base: Path, swaps: int = 3) -> Iterator[Row]:
    """Pushes new versions, warm-up included, while calls go on; the same time without a push beside it."""
    message = request("cross", 1)
    versions = [base.parent / f"version-{number}" for number in range(2, 2 + swaps)]
    for path in versions:
        save_network(path, "cross")

    def run(push: bool) -> tuple[list[float], int]:
        taken: list[float] = []
        errors = [0]
        end = threading.Event()

        def caller(_: int) -> None:
            while not end.is_set():
                start = time.perf_counter()
                try:
                    ours.call(message, timeout=60)
                except grpc.RpcError:
                    errors[0] += 1
                taken.append(time.perf_counter() - start)

        with futures.ThreadPoolExecutor(4) as pool:
            calls = pool.map(caller, range(4))
            for path in versions:
                time.sleep(1.0)
                if push:
                    path.rename(base / path.name.removeprefix("version-"))
                time.sleep(2.0)
            end.set()
            list(calls)
        return taken, errors[0]

    steady, _ = run(push=False)
    swapping, errors = run(push=True)
    a, b = (float(np.percentile(taken, 99)) * 1e3 for taken in (swapping, steady))
    print(f"  {len(swapping):,} calls over {swaps} swaps", file=sys.stderr, flush=True)
    yield Row("serving", f"errors over {swaps} swaps", errors, None, "errors", None, "0", errors == 0)
    yield Row("serving", "p99 while versions are swapped, cross, 1 row, 4 in flight", a, b, "ms", a / b,
              alternative="the same load without a swap")  # fmt: skip


def from_templates(folder: Path) -> Iterator[Row]:
    """Yields what Predict costs in this process without gRPC, from a request's template and parsed.

    Args:
      folder: Where `save_network` saved version 1 of each of `MODELS`.
    """
    from tensorflow_serving.apis import predict_pb2

    from crossnet.serving.config.versions import requested
    from crossnet.serving.embedded import predictor
    from crossnet.serving.embedded.model import LoadedModel

    for name in MODELS:
        with contextlib.closing(LoadedModel(folder / name / "1")) as model:
            for batch in (1, 1000):
                message, templates = request(name, batch), predictor.request_templates()
                templates.remember(message, predict_pb2.PredictRequest.FromString(message))

                def with_template(model: Any = model, message: bytes = message, templates: Any = templates) -> None:
                    template = templates.find(message)
                    predictor.predict_from_template(model, template, message)

                def parsed(model: Any = model, message: bytes = message) -> None:
                    whole = predict_pb2.PredictRequest.FromString(message)
                    requested(whole)
                    predictor.predict(model, whole)

                a, b, ratio, scatter = interleave(lambda: _cpu_of(with_template), lambda: _cpu_of(parsed))
                yield Row("serving", f"Predict without gRPC, {name}, {batch} rows, from a template", a, b, "us", ratio,
                          alternative="parse and check each request", scatter=scatter)  # fmt: skip


def _cpu_of(work: Callable[[], None]) -> float:
    """Returns the CPU of one call in this process, in microseconds: the median of five times 500 calls."""
    with contextlib.suppress(Exception):
        work()
    taken = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(500):
            work()
        taken.append((time.process_time() - start) / 500 * 1e6)
    return statistics.median(taken)


def _encode_and_decode() -> Row:
    """Three inputs of 1000 floats in, 1000 out: the server's codec beside protobuf's own Python API."""
    from tensorflow_serving.apis import predict_pb2

    from crossnet.serving.embedded.codec import read_tensor, write_predict_response

    message, answer = request("cross", 1000), np.linspace(0, 1, 1000, dtype=np.float32)

    def codec() -> None:
        parsed = predict_pb2.PredictRequest.FromString(message)
        for alias in parsed.inputs:
            read_tensor(parsed.inputs[alias], alias)
        write_predict_response({"prediction": answer}, b"")

    def plain() -> None:
        import tensorflow as tf

        parsed = predict_pb2.PredictRequest.FromString(message)
        for alias in parsed.inputs:
            tf.make_ndarray(parsed.inputs[alias])
        response = predict_pb2.PredictResponse()
        tensor = response.outputs["prediction"]
        tensor.dtype = 1
        tensor.tensor_shape.dim.add(size=1000)
        tensor.float_val.extend(answer)
        response.SerializeToString()

    a, b, ratio, scatter = interleave(lambda: _cpu_of(codec), lambda: _cpu_of(plain))
    return Row("serving", "decode a request and encode an answer of 1000 rows", a, b, "us", ratio,
               alternative="make_ndarray and float_val.extend", scatter=scatter)  # fmt: skip


if __name__ == "__main__" and sys.argv[1:] == ["echo"]:
    echo_server(futures.ThreadPoolExecutor(10))
elif __name__ == "__main__" and sys.argv[1:] == ["echo", "own"]:
    echo_server(CallThreads(os.cpu_count() or 1))
