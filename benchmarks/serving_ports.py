"""Measures REST, metrics, the request log and batches, beside FastAPI and MLflow.

All servers are processes of their own, on the same SavedModel; what is compared is a server's own CPU time per call
(`benchmarks.serving` says how), and for batches also the calls a second of client and server together. The FastAPI
server is what its documentation and most tutorials show: a pydantic model for the body, `tf.saved_model.load`, the
signature called with tensors, uvicorn with one worker. `python -m benchmarks.serving_ports fastapi FOLDER` is it.
`mlflow` in place of `fastapi` is MLflow's scoring server with a pyfunc model that does the same. It takes an
environment of its own, of requirements-mlflow.lock: `.venv-mlflow`, which `make scale` makes, or that of the Python
that `MLFLOW_PYTHON` names; where there is neither, its rows are left out.
What flags cost is a few per cent, as much as two processes of one server differ by where their memory lies: it is
measured on several pairs of servers, each started for it, which go first in turn, and a server's CPU is read when
what it does beside the calls, such as writing its log, is done.
The wide model of the batches multiplies each row with a matrix of 4096 x 4096: to read the matrix costs milliseconds,
for one row or many.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Row, medians
from benchmarks.serving import Running, request, save_network, start_server
from crossnet.components.formats import counted

TURNS = 9
IN_FLIGHT = (1, 4, 16)
CALLS = {1: 320, 1000: 96}  # of a turn, by rows
WIDE_IN_FLIGHT, WIDE_CALLS = 64, 640
FLAG_CALLS, FLAG_TURNS, FLAG_PAIRS = 1200, 8, 4  # turns of each pair
SETTLE_SECONDS = 0.2  # the log gathers calls for 50 ms
LATENCY_CALLS, LATENCY_GOAL = 500, 2.0
REST_GOAL, BATCH_GOAL, METRICS_GOAL, LOG_GOAL = 3.0, 1.3, 1.03, 1.15
_SERVER = (sys.executable, "-m", "crossnet.serving.server_command", "--port=0")
Call = Callable[[], Callable[[], Any]]


def rows() -> Iterator[Row]:
    """Yields REST beside its peers and gRPC, what metrics and the log cost, and what batches gain."""
    with tempfile.TemporaryDirectory() as folder:
        save_network(Path(folder, "cross", "1"), "cross")
        save_wide(Path(folder, "wide", "1"))
        monitoring = Path(folder, "monitoring.config")
        monitoring.write_text("prometheus_config { enable: true }")
        yield from _rest(Path(folder))
        metrics = f"--rest_api_port={_free_port()}", f"--monitoring_config_file={monitoring}"
        yield from _with_flags(Path(folder), "metrics", METRICS_GOAL, (1,), *metrics)
        log = f"--request_log_dir={Path(folder, 'log')}", "--request_log_sampling_rate=1"
        yield from _with_flags(Path(folder), "the request log at rate 1", LOG_GOAL, (1, 1000), *log)
        yield from _batches(Path(folder))


def _serve(folder: Path, model: str, *flags: str) -> Running:
    return start_server([*_SERVER, f"--model_name={model}", f"--model_base_path={folder / model}", *flags])


def load(connect: Call, in_flight: int, calls: int) -> float:
    """Makes `calls` calls from `in_flight` threads, each with its own connection; returns the seconds it took."""

    def caller(_: int) -> None:
        call = connect()
        for _ in range(calls // in_flight):
            call()

    start = time.perf_counter()
    with futures.ThreadPoolExecutor(in_flight) as pool:
        list(pool.map(caller, range(in_flight)))
    return time.perf_counter() - start


def over_grpc(server: Running, message: bytes) -> Call:
    """Returns what `load` calls, for a PredictRequest."""
    return lambda: lambda: server.call(message, timeout=60)


def over_rest(address: str, path: str, body: bytes) -> Call:
    """Returns what `load` calls, for a body that is posted on a connection that is kept."""

    def connect() -> Callable[[], Any]:
        connection = http.client.HTTPConnection(address, timeout=60)

        def call() -> bytes:
            connection.request("POST", path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            return text

        return call

    return connect


def _bodies(count: int) -> tuple[bytes, bytes]:
    """The rows of `benchmarks.serving.request` as JSON: by row, and by column."""
    values = [float(value) for value in np.linspace(0, 1, count, dtype=np.float32)]
    names = ("x0", "x1", "x2")
    by_row = {"instances": [dict.fromkeys(names, value) for value in values]}
    return json.dumps(by_row).encode(), json.dumps({"inputs": dict.fromkeys(names, values)}).encode()


def _cpu(server: Running, call: Call, in_flight: int, calls: int, settle_seconds: float = 0.0) -> float:
    """CPU of the server for each call, in microseconds, with what it does within `settle_seconds` after them."""
    before = server.cpu_seconds()
    load(call, in_flight, calls)
    time.sleep(settle_seconds)
    return (server.cpu_seconds() - before) / (calls // in_flight * in_flight) * 1e6


def _rest(folder: Path) -> Iterator[Row]:
    model = str(folder / "cross" / "1")
    peer = (sys.executable, "-m", "benchmarks.serving_ports", "fastapi", model)
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(_serve(folder, "cross", f"--rest_api_port={_free_port()}"))
        peers = {"FastAPI": (stack.enter_context(start_server(list(peer))), "/predict", "instances")}
        if python := mlflow_python():
            scoring = start_server([python, *peer[1:3], "mlflow", model])
            peers["MLflow"] = stack.enter_context(scoring), "/invocations", "dataframe_records"
        else:
            print("  MLflow is not measured: there is neither .venv-mlflow nor MLFLOW_PYTHON", file=sys.stderr)
        for count in (1, 1000):
            yield from _latencies(ours, count)
            by_row, by_column = _bodies(count)
            path = "/v1/models/cross:predict"
            calls = {
                "gRPC": (ours, over_grpc(ours, request("cross", count))),
                "REST, by row": (ours, over_rest(ours.rest_address, path, by_row)),
                "REST, by column": (ours, over_rest(ours.rest_address, path, by_column)),
            }
            for name, (server, path, key) in peers.items():
                body = by_row.replace(b"instances", key.encode())
                calls[f"{name}, by row"] = server, over_rest(server.target, path, body)
            for in_flight in IN_FLIGHT:
                taken = []
                for turn in range(TURNS + 1):
                    order = [*calls][turn % len(calls) :] + [*calls][: turn % len(calls)]
                    costs = {name: _cpu(*calls[name], in_flight, CALLS[count]) for name in order}
                    if turn:  # the first one warms up
                        taken.append(costs)
                yield from _compared(count, in_flight, taken)


def _latencies(ours: Running, count: int) -> Iterator[Row]:
    """Yields how long a call takes on a connection that is kept, one after the other."""
    over = {
        "REST, by column": over_rest(ours.rest_address, "/v1/models/cross:predict", _bodies(count)[1]),
        "gRPC": over_grpc(ours, request("cross", count)),
    }
    taken: dict[str, list[float]] = {name: [] for name in over}
    calls = {name: connect() for name, connect in over.items()}
    for _ in range(LATENCY_CALLS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append((time.perf_counter() - start) * 1e3)
    mine, other = (float(np.median(times[LATENCY_CALLS // 10 :])) for times in taken.values())  # the first ones warm up
    goal = LATENCY_GOAL if count == 1 else None
    yield Row(
        "serving_ports", f"p50, REST, by column, {counted(count, 'row')}, 1 in flight", mine, other, "ms", mine / other,
        f"<= {goal:g} ms" if goal else "", mine <= goal if goal else None, "gRPC",
    )  # fmt: skip


def mlflow_python() -> str:
    """Returns the Python of an environment that has MLflow; "" where there is none."""
    named = os.environ.get("MLFLOW_PYTHON", ".venv-mlflow/bin/python")
    return named if Path(named).exists() else ""


def _compared(count: int, in_flight: int, taken: list[dict[str, float]]) -> Iterator[Row]:
    where = f"{count} rows, {in_flight} in flight"
    cases = (
        ("REST, by row", "FastAPI, by row", 1.0 if in_flight != 4 else None),
        ("REST, by row", "MLflow, by row", None),
        ("gRPC", "FastAPI, by row", None),
        ("REST, by column", "gRPC", REST_GOAL if count == 1000 else None),
    )
    for mine, other, goal in cases:
        if other not in taken[0]:
            continue
        found = medians([(turn[mine], turn[other]) for turn in taken])
        yield Row(
            "serving_ports",
            f"server CPU per call, {mine}, {where}",
            found.ours,
            found.other,
            "us",
            found.ratio,
            f"<= {goal:g}" if goal else "",
            found.ratio <= goal if goal else None,
            other,
            scatter=found.scatter,
        )


def _with_flags(folder: Path, words: str, goal: float, counts: tuple[int, ...], *flags: str) -> Iterator[Row]:
    """Yields what Predict costs servers with some flags, beside as many without them."""
    pairs: dict[int, list[tuple[float, float]]] = {count: [] for count in counts}
    for _ in range(FLAG_PAIRS):
        plain, other = _serve(folder, "cross"), _serve(folder, "cross", *flags)
        with plain, other:
            for count in counts:
                pairs[count] += _flag_costs(other, plain, request("cross", count))
    for count in counts:
        found = medians(pairs[count])
        yield Row(
            "serving_ports", f"server CPU per Predict with {words}, {counted(count, 'row')}, 4 in flight",
            found.ours, found.other, "us", found.ratio, f"<= {goal}", found.ratio <= goal, f"without {words}",
            scatter=found.scatter,
        )  # fmt: skip


def _flag_costs(other: Running, plain: Running, message: bytes) -> Iterator[tuple[float, float]]:
    """Yields the CPU of a call of both servers in each turn."""
    for turn in range(FLAG_TURNS + 1):
        order = (other, plain) if turn % 2 else (plain, other)
        costs = {
            id(server): _cpu(server, over_grpc(server, message), 4, FLAG_CALLS, SETTLE_SECONDS) for server in order
        }
        if turn:  # the first one warms up
            yield costs[id(other)], costs[id(plain)]


def _batches(folder: Path) -> Iterator[Row]:
    for model, goal in (("wide", BATCH_GOAL), ("cross", None)):
        plain, batched = _serve(folder, model), _serve(folder, model, "--enable_batching")
        with plain, batched:
            message = wide_request() if model == "wide" else request(model, 1)
            speeds, costs = [], []
            for turn in range(TURNS + 1):
                speed, cost = [], []
                for server in (batched, plain):
                    before = server.cpu_seconds()
                    seconds = load(over_grpc(server, message), WIDE_IN_FLIGHT, WIDE_CALLS)
                    speed.append(WIDE_CALLS / seconds)
                    cost.append((server.cpu_seconds() - before) / WIDE_CALLS * 1e6)
                if turn:
                    speeds.append((speed[0], speed[1]))
                    costs.append((cost[0], cost[1]))
        where = f"{model}, 1 row, {WIDE_IN_FLIGHT} in flight"
        found = medians(speeds)
        yield Row(
            "serving_ports", f"calls a second with batches, {where}", found.ours, found.other, "calls/s",
            found.ratio, f">= {goal}" if goal else "", found.ratio >= goal if goal else None, "without batches",
            better="more", scatter=found.scatter,
        )  # fmt: skip
        found = medians(costs)
        yield Row(
            "serving_ports", f"server CPU per call with batches, {where}", found.ours, found.other, "us", found.ratio,
            alternative="without batches", scatter=found.scatter,
        )  # fmt: skip


def save_wide(path: Path) -> None:
    """Writes a model whose call takes milliseconds, with one number per row in and out."""
    import tensorflow as tf

    width = 4096
    module = tf.Module()
    module.matrix = tf.Variable(np.random.default_rng(0).normal(size=(width, width)).astype(np.float32) / width)

    def predict(x0: Any) -> Any:
        return {"prediction": tf.reduce_sum(tf.matmul(x0[:, None] * tf.ones([1, width]), module.matrix), 1)}

    module.predict = tf.function(predict, input_signature=[tf.TensorSpec([None], tf.float32, "x0")])
    tf.saved_model.save(module, str(path), {"serving_default": module.predict.get_concrete_function()})


def wide_request() -> bytes:
    """A serialized PredictRequest of one row for the wide model."""
    from crossnet.serving.protocol.messages import PredictRequest

    message = PredictRequest()
    message.model_spec.name = "wide"
    tensor = message.inputs["x0"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=1)
    tensor.tensor_content = np.ones(1, np.float32).tobytes()
    return bytes(message.SerializeToString())


def _free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def fastapi_server(folder: str) -> None:
    """Serves a model with FastAPI, as its tutorials do."""
    import fastapi
    import pydantic
    import tensorflow as tf
    import uvicorn

    class Features(pydantic.BaseModel):
        x0: float
        x1: float
        x2: float

    class Body(pydantic.BaseModel):
        instances: list[Features]

    model = tf.saved_model.load(folder)
    signature = model.signatures["serving_default"]
    app = fastapi.FastAPI()

    def predict(body: Body) -> dict[str, list[float]]:
        columns = {name: tf.constant([getattr(row, name) for row in body.instances]) for name in ("x0", "x1", "x2")}
        (answer,) = signature(**columns).values()
        return {"predictions": answer.numpy().tolist()}

    predict.__annotations__ = {"body": Body, "return": dict[str, list[float]]}  # local names, which text hides
    app.post("/predict")(predict)
    port = _free_port()
    print(f"serving cross at 127.0.0.1:{port} (fastapi)", file=sys.stderr, flush=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def mlflow_server(folder: str) -> None:
    """Serves a model with MLflow's scoring server, by the pyfunc model that its documentation shows."""
    import mlflow.pyfunc
    import uvicorn
    from mlflow.pyfunc.scoring_server import init

    class Network(mlflow.pyfunc.PythonModel):  # type: ignore[misc, unused-ignore]
        """The signature of a SavedModel, for a table of pandas."""

        def load_context(self, context: Any) -> None:
            """Loads the SavedModel."""
            import tensorflow as tf

            self.model = tf.saved_model.load(context.artifacts["model"])
            self.signature = self.model.signatures["serving_default"]

        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            """Returns an array of predictions, shape `[rows]`."""
            import tensorflow as tf

            columns = {name: tf.constant(model_input[name].to_numpy("float32")) for name in ("x0", "x1", "x2")}
            (answer,) = self.signature(**columns).values()
            return answer.numpy()

    with tempfile.TemporaryDirectory() as kept:
        model = Path(kept, "model")
        mlflow.pyfunc.save_model(
            str(model), python_model=Network(), artifacts={"model": folder}, pip_requirements=["mlflow", "tensorflow"]
        )
        app = init(mlflow.pyfunc.load_model(str(model)))
        port = _free_port()
        print(f"serving cross at 127.0.0.1:{port} (mlflow)", file=sys.stderr, flush=True)
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__" and sys.argv[1:2] == ["fastapi"]:
    fastapi_server(sys.argv[2])
elif __name__ == "__main__" and sys.argv[1:2] == ["mlflow"]:
    mlflow_server(sys.argv[2])
