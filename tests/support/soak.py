"""An embedded server as its own process, and clients that send it good, large, wrong and half requests at once."""

from __future__ import annotations

import asyncio
import base64
import http.client
import itertools
import json
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from support import REPOSITORY
from support.serving_fixtures import Stubs, predict_request
from support.serving_models import save_model

MODEL, OTHER = "demo", "other"
MAX_BODY_MIB = 4
LARGE_ROWS, LARGE_JSON_ROWS = 1_000_000, 60_000
MIB = 2**20


class SoakServer:
    """The server's process, its models' folders and its log.

    Args:
      folder: Where models and log go.

    Attributes:
      port, rest_port: Where it listens.
      log: Its standard error, a file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        for model in (MODEL, OTHER):
            (folder / model).mkdir(parents=True)
        self.push(1)
        save_model(folder / OTHER / "1", scale=1.0)
        with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
            self.port, self.rest_port = first.getsockname()[1], second.getsockname()[1]
        flags = [
            f"--port={self.port}", f"--rest_api_port={self.rest_port}", f"--model_name={MODEL}",
            f"--model_base_path={folder / MODEL}", "--file_system_poll_wait_seconds=0.2",
            f"--rest_api_max_body_mib={MAX_BODY_MIB}", "--rest_api_timeout_in_ms=20000",
        ]  # fmt: skip
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "crossnet.serving.server_command", *flags],
                cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def push(self, version: int) -> None:
        """Puts a version into service, by rename, and takes those out that are more than one before it."""
        save_model(self.folder / MODEL / str(version), scale=float(version))
        for folder in (self.folder / MODEL).iterdir():
            if folder.name.isdigit() and int(folder.name) < version - 1:
                away = folder.rename(folder.with_name(f"{folder.name}.gone"))
                shutil.rmtree(away)

    def resident_mib(self) -> float:
        """Returns the memory of the process that is in RAM."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def stop(self) -> int:
        """Ends the server as a user does, and returns its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()


class Tally:
    """What the clients saw.

    Attributes:
      counts: Calls by kind.
      wrong: What was not as promised.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def add(self, kind: str, problem: str | None = None) -> None:
        """Counts a call, and keeps what was wrong with it."""
        with self._lock:
            self.counts[kind] += 1
            if problem and len(self.wrong) < 100:
                self.wrong.append(f"{kind}: {problem}")


def problem_with(x0: np.ndarray, x1: np.ndarray, values: Any, version: int | None) -> str | None:
    """Returns what is wrong with an answer, all of which must come from one version: `version * x0 + x1`."""
    values = np.asarray(values, np.float64)
    if values.shape != x0.shape:
        return f"shape {values.shape}, not {x0.shape}"
    scale = float(round((values[0] - x1[0]) / x0[0])) if version is None else float(version)
    if scale < 1 or not np.allclose(values, scale * x0 + x1, rtol=1e-5):
        return f"not {scale} * x0 + x1: {values[:3]} for {x0[:3]}, {x1[:3]}"
    return None


def draw_rows(draw: random.Random, rows: int) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.random.default_rng(draw.randrange(2**32))
    return tuple((numbers.integers(1, 1000, rows) / 8).astype(np.float32) for _ in range(2))  # type: ignore[return-value]


def run_clients(server: SoakServer, seed: int, seconds: float) -> Tally:
    """Runs every kind of client for a while, each in its own thread, and returns what they saw."""
    tally, end = Tally(), time.monotonic() + seconds
    kinds = [
        stub_client, sync_client, aio_client, rest_client, large_client, wrong_grpc_client, wrong_rest_client,
        rude_client, pusher, reloader,
    ]  # fmt: skip

    def run(work: Callable[..., None]) -> None:
        draw = random.Random(f"{seed}/{work.__name__}")
        try:
            work(server, draw, tally, lambda: time.monotonic() < end and server.process.poll() is None)
        except Exception as error:
            tally.add(work.__name__, f"{type(error).__name__}: {error}"[:500])

    threads = [threading.Thread(target=run, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


# ---- Clients ----


def stub_client(server: SoakServer, draw: random.Random, tally: Tally, goes_on: Callable[[], bool]) -> None:
    stubs = Stubs(server.target)
    while goes_on():
        ask_stub(stubs, draw, tally, draw.choice([1, 7, 100, 1000]))
        time.sleep(draw.uniform(0, 0.01))
    stubs.channel.close()


def ask_stub(stubs: Stubs, draw: random.Random, tally: Tally, rows: int, kind: str = "stub") -> None:
    x0, x1 = draw_rows(draw, rows)
    response = stubs.predict(predict_request(MODEL, x0=x0, x1=x1), timeout=60)
    version = response.model_spec.version.value
    tally.add(kind, problem_with(x0, x1, response.outputs["prediction"].float_val, version))


def sync_client(server: SoakServer, draw: random.Random, tally: Tally, goes_on: Callable[[], bool]) -> None:
    from crossnet.serving.client import PredictionClient

    with PredictionClient(server.target, model_name=MODEL, timeout_seconds=60) as client:
        while goes_on():
            x0, x1 = draw_rows(draw, draw.choice([1, 32, 5000]))
            answer = client.predict({"x0": x0, "x1": x1})
            tally.add("sync", problem_with(x0, x1, answer.values, answer.version))
            time.sleep(draw.uniform(0, 0.01))


def aio_client(server: SoakServer, draw: random.Random, tally: Tally, goes_on: Callable[[], bool]) -> None:
    from crossnet.serving.client.aio import AsyncPredictionClient

    async def one(client: Any) -> None:
        x0, x1 = draw_rows(draw, draw.choice([1, 32, 1000]))
        answer = await client.predict({"x0": x0, "x1": x1})
        tally.add("aio", problem_with(x0, x1, answer.values, answer.version))

    async def many() -> None:
        async with AsyncPredictionClient(server.target, model_name=MODEL, timeout_seconds=60) as client:
            while goes_on():
                await asyncio.gather(*(one(client) for _ in range(4)))
                await asyncio.sleep(draw.uniform(0, 0.02))

    asyncio.run(many())


def rest_client(server: SoakServer, draw: random.Random, tally: Tally, goes_on: Callable[[], bool]) -> None:
    while goes_on():
        ask_rest(server, draw, tally, draw.choice([1, 10, 200]))
        time.sleep(draw.uniform(0, 0.02))


def ask_rest(server: SoakServer, draw: random.Random, tally: Tally, rows: int, kind: str = "rest") -> None:
    x0, x1 = draw_rows(draw, rows)
    if draw.random() < 0.5:
        body: Any = {"instances": [{"x0": a, "x1": b} for a, b in zip(x0.tolist(), x1.tolist(), strict=True)]}
    else:
        body = {"inputs": {"x0": x0.tolist(), "x1": x1.tolist()}}
    status, answer = post(server, json.dumps(body))
    if status != 200:
        tally.add(kind, f"{status} {answer}"[:300])
    else:
        tally.add(kind, problem_with(x0, x1, answer.get("predictions", answer.get("outputs")), None))


def post(server: SoakServer, body: Any, path: str = f"/v1/models/{MODEL}:predict") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=60)
    try:
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def large_client(server: SoakServer, draw: random.Random, tally: Tally, goes_on: Callable[[], bool]) -> None:
    stubs = Stubs(server.target)
    while goes_on():
        ask_large(server, stubs, draw, tally)
        time.sleep(draw.uniform(0, 2))
    stubs.channel.close()


def ask_large(server: SoakServer, stubs: Stubs, draw: random.Random, tally: Tally) -> None:
    """Sends the largest request of each port."""
    ask_stub(stubs, draw, tally, LARGE_ROWS, "large stub")
    ask_rest(server, draw, tally, LARGE_JSON_ROWS, "large rest")


# ---- Clients that ask for what must be refused ----


def implied_request(size: int) -> Any:
    """A request of a few bytes whose inputs imply values."""
    from tensorflow.core.framework import tensor_pb2

    request = predict_request(MODEL)
    for alias in ("x0", "x1"):
        tensor = tensor_pb2.TensorProto(dtype=1, float_val=[1.0], tensor_shape={"dim": [{"size": size}]})
        request.inputs[alias].CopyFrom(tensor)
    return request


def wrong_grpc_client(server: SoakServer, draw: random.Random, tally: Tally, goes_on: Callable[[], bool]) -> None:
    code, stubs = grpc.StatusCode, Stubs(server.target)
    raw = stubs.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    one = [1.0]
    wrong: list[tuple[str, Callable[[], Any], grpc.StatusCode]] = [
        ("implied", lambda: stubs.predict(implied_request(2**26)), code.INVALID_ARGUMENT),
        ("shape", lambda: stubs.predict(predict_request(MODEL, x0=[1.0, 2.0], x1=[1.0, 2.0, 3.0])),
         code.INVALID_ARGUMENT),
        ("type", lambda: stubs.predict(predict_request(MODEL, x0=np.ones(1), x1=one)), code.INVALID_ARGUMENT),
        ("name", lambda: stubs.predict(predict_request("n" * draw.randrange(1, 10**6), x0=one, x1=one)),
         code.NOT_FOUND),
        ("inputs", lambda: stubs.predict(predict_request(MODEL, **{f"x{i}": one for i in range(2000)})),
         code.INVALID_ARGUMENT),
        ("signature", lambda: stubs.predict(predict_request(MODEL, "s" * 100_000, x0=one, x1=one)),
         code.FAILED_PRECONDITION),
        ("garbage", lambda: raw(draw.randbytes(draw.randrange(1, 10**5)), timeout=60), code.INTERNAL),
        ("example", lambda: stubs.predict(predict_request(MODEL, "serving_examples", examples=np.array(
            [b"\xff" + draw.randbytes(draw.randrange(1, 10**5))], object))), code.INVALID_ARGUMENT),
    ]  # fmt: skip
    while goes_on():
        kind, call, expected = draw.choice(wrong)
        try:
            call()
            tally.add(f"wrong {kind}", "was answered")
        except grpc.RpcError as error:
            seen, words = error.code(), error.details() or ""
            # Random bytes may parse as a request without a model, or as one for a model with a strange name.
            ok = seen is expected or (kind == "garbage" and seen in (code.INVALID_ARGUMENT, code.NOT_FOUND))
            ok = ok and len(words) <= 1100
            tally.add(f"wrong {kind}", None if ok else f"{seen} {words[:200]} ({len(words)} characters)")
        time.sleep(draw.uniform(0, 0.02))
    stubs.channel.close()


def wrong_rest_client(server: SoakServer, draw: random.Random, tally: Tally, goes_on: Callable[[], bool]) -> None:
    example = {"signature_name": "serving_examples"}
    wrong: list[tuple[str, Callable[[], Any], int]] = [
        ("json", lambda: '{"instances": [' + "1," * draw.randrange(1000), 400),
        ("deep", lambda: "[" * 100_000, 400),
        ("amplified", lambda: '{"instances": [{"x0": ' + "[" * 250 + "1" + "]" * 250 + ', "x1": [' + "1," * 20_000
         + "1]}]}", 400),
        ("rows", lambda: json.dumps({"instances": [{"x0": 1, "x1": 1}] * 1000 + [{"x0": [1], "x1": 1}]}), 400),
        ("example", lambda: json.dumps(example | {"instances": [
            {"b64": base64.b64encode(b"\xff" + draw.randbytes(1000)).decode()}]}), 400),
        ("body", lambda: b"1" * (MAX_BODY_MIB * MIB + draw.randrange(1, MIB)), 413),
        ("chunks", lambda: iter([b"[" + b" " * MIB] * (MAX_BODY_MIB + 1)), 413),
        ("objects", lambda: '{"more": [' + '{"a":1},' * 100_000 + "1]}", 400),
    ]  # fmt: skip
    while goes_on():
        kind, body, expected = draw.choice(wrong)
        status, answer = post(server, body())
        ok = status == expected and list(answer) == ["error"] and len(answer["error"]) <= 1000
        tally.add(f"wrong rest {kind}", None if ok else f"{status} {answer}"[:300])
        time.sleep(draw.uniform(0, 0.02))


def rude_client(server: SoakServer, draw: random.Random, tally: Tally, goes_on: Callable[[], bool]) -> None:
    """Sends half requests, sends slowly, speaks nonsense, and goes away before the answer."""
    slow: list[socket.socket] = []
    path = f"POST /v1/models/{MODEL}:predict HTTP/1.1\r\nHost: x\r\nContent-Length: "
    while goes_on():
        kind = draw.choice(["half", "slow", "nonsense", "gone", "half gRPC"])
        port = server.port if kind == "half gRPC" else server.rest_port
        client = socket.create_connection(("127.0.0.1", port), timeout=20)
        if kind == "half":
            client.sendall(f"{path}1000000\r\n\r\n".encode() + b"{" * draw.randrange(1, 500_000))
        elif kind == "slow":
            client.sendall(f"{path}1000\r\n\r\n".encode())
            slow.append(client)
        elif kind == "nonsense":
            client.sendall(draw.randbytes(draw.randrange(1, 10_000)))
        elif kind == "gone":
            body = json.dumps({"inputs": {"x0": [1.0] * 5000, "x1": [1.0] * 5000}})
            client.sendall(f"{path}{len(body)}\r\n\r\n{body}".encode())
        else:
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + draw.randbytes(draw.randrange(0, 200)))
        for other in slow[:-20]:
            other.close()
        slow = slow[-20:]
        for other in slow:
            try:
                other.sendall(b" ")
            except OSError:  # the server has answered 504 and closed
                other.close()
        slow = [other for other in slow if other.fileno() >= 0]
        if kind != "slow":
            client.close()
        tally.add(f"rude {kind}")
        time.sleep(draw.uniform(0, 0.05))
    for other in slow:
        other.close()


# ---- Changes of what is served ----


def pusher(server: SoakServer, draw: random.Random, tally: Tally, goes_on: Callable[[], bool]) -> None:
    for version in itertools.count(2):
        end = time.monotonic() + draw.uniform(2, 5)
        while time.monotonic() < end:
            if not goes_on():
                return
            time.sleep(0.05)
        server.push(version)
        tally.add("push")


def reloader(server: SoakServer, draw: random.Random, tally: Tally, goes_on: Callable[[], bool]) -> None:
    """Adds the other model and takes it out again, and asks for lists that cannot be served."""
    from tensorflow_serving.apis import model_management_pb2

    stubs = Stubs(server.target)

    def ask(*models: str, base: Path = server.folder) -> Any:
        request = model_management_pb2.ReloadConfigRequest()
        request.config.model_config_list.SetInParent()
        for model in models:
            request.config.model_config_list.config.add(
                name=model, base_path=str(base / model) if base.parts else "relative", model_platform="tensorflow"
            )
        return stubs.model.HandleReloadConfigRequest(request, timeout=60)

    for turn in itertools.count():
        if not goes_on():
            break
        if turn % 3 == 2:
            try:
                ask(MODEL, base=Path())
                tally.add("reload", "a relative path was taken")
            except grpc.RpcError as error:
                code = error.code()
                tally.add("reload", None if code is grpc.StatusCode.INVALID_ARGUMENT else f"{code} {error.details()}")
        else:
            answer = ask(*((MODEL, OTHER) if turn % 3 == 0 else (MODEL,)))
            tally.add("reload", answer.status.error_message or None)
        time.sleep(draw.uniform(0.5, 3))
    stubs.channel.close()
