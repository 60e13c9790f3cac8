"""The sync client against a server that is really there: shared, killed, paused, started again."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from crossnet.serving.client import PredictionClient
from crossnet.serving.status import CancelledError, DeadlineError, NotFoundError, ServerError, UnavailableError
from support import REPOSITORY
from support.fake_server import XS, FakeServer
from support.wheel import UV, build_wheel

ONE = {"x0": [0.5], "x1": [1.0], "x2": [1.5]}


def column(rows):
    return {name: np.arange(rows, dtype=np.float32) for name in XS}


@pytest.fixture
def server():
    return FakeServer(XS)


@pytest.fixture
def client(server):
    with server.running() as target, PredictionClient(target) as client:
        yield client


def test_client_predicts_from_columns_and_from_rows(client):
    assert client.predict(ONE).values.tolist() == [0.5]
    assert client.predict([{"x0": 1, "x1": 0, "x2": 0}, {"x0": 2, "x1": 0, "x2": 0}]).values.tolist() == [1.0, 2.0]


def test_client_reads_tensor_content_as_it_reads_float_val(server, client):
    server.as_content = True
    assert client.predict(column(5)).values.tolist() == [0, 1, 2, 3, 4]


def test_client_reads_an_empty_batch(client):
    assert client.predict(column(0)).values.shape == (0,)


def test_client_tells_metadata_and_status(client):
    client.wait_ready(5)
    assert list(client.metadata().signatures["serving_default"].inputs) == ["x0", "x1", "x2"]
    assert [(version.version, version.state) for version in client.status()] == [(7, "AVAILABLE")]


def test_unknown_model_is_a_not_found_error_with_the_servers_words(client, server):
    with (
        PredictionClient(client.target, model_name="rides") as other,
        pytest.raises(NotFoundError, match=r"does not serve `rides`: Servable not found for request: Latest\(rides\)"),
    ):
        other.predict(ONE)


def test_parts_of_a_large_batch_are_in_flight_together_but_not_more_than_allowed(server):
    barrier = threading.Barrier(3, timeout=10)

    def meet(arrays):
        barrier.wait()  # passes only when three are there at once
        return {"prediction": arrays["x0"]}

    server.model = meet
    with server.running() as target, PredictionClient(target, max_rows_per_call=10, max_in_flight=3) as client:
        assert (client.predict(column(120)).values == np.arange(120)).all()
    assert server.most_busy == 3


def test_error_in_one_part_ends_the_call(server):
    with server.running() as target, PredictionClient(target, max_rows_per_call=1, max_in_flight=1) as client:
        client.predict(ONE)
        server.faults = [None, (grpc.StatusCode.INTERNAL, "out of luck")]
        with pytest.raises(ServerError, match="out of luck"):
            client.predict(column(500))
    assert server.calls.count("Predict") < 500  # how many fewer is up to the threads


def test_client_is_safe_to_share_between_threads(client):
    def call(i):
        return client.predict({name: [float(i)] for name in XS}).values[0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(200))) == list(range(200))


def test_deadline_may_be_switched_off(client):
    assert client.predict(ONE, timeout_seconds=float("inf")).values.tolist() == [0.5]


def test_closed_client_says_so(client):
    client.close()
    with pytest.raises(ValueError, match="is closed. Make a new client."):
        client.predict(ONE)


def test_close_ends_a_call_under_way(server):
    entered, leave = threading.Event(), threading.Event()

    def hold(arrays):
        entered.set()
        leave.wait(10)
        return {"prediction": arrays["x0"]}

    server.model = hold
    with server.running() as target, ThreadPoolExecutor(1) as pool:
        client = PredictionClient(target)
        call = pool.submit(client.predict, ONE)
        assert entered.wait(10)
        client.close()
        with pytest.raises(CancelledError):
            call.result(10)
        leave.set()


def test_refused_connection_is_told_at_once():
    with FakeServer(XS).running() as target:
        pass
    start = time.monotonic()
    with (
        PredictionClient(target) as client,
        pytest.raises(UnavailableError, match=f"Nothing listens at {target}: .*refused. .*`--wait SECONDS`"),
    ):
        client.predict(ONE)
    assert time.monotonic() - start < 5  # of 10 s


class Process:
    """A fake server in a process of its own, on one port."""

    def __init__(self):
        self.port = 0

    def start(self):
        command = [sys.executable, str(REPOSITORY / "tests/support/fake_server.py"), str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.target = self.process.stdout.readline().strip()
        self.port = int(self.target.rpartition(":")[2])

    def pause(self):
        """Stops the process. Its threads stop one after another: until the last has, one may still answer a call."""
        os.kill(self.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def resume(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def process():
    process = Process()
    process.start()
    yield process
    process.kill()


def test_calls_succeed_while_the_server_is_killed_and_started_again_under_load(process):
    answered, stop = threading.Semaphore(0), threading.Event()
    longest = []

    def load(i):
        while not stop.is_set():
            start = time.monotonic()
            assert client.predict({name: [float(i)] for name in XS}).values.tolist() == [float(i)]
            longest.append(time.monotonic() - start)
            answered.release()

    def wait_for_answers(count):
        for _ in range(count):
            assert answered.acquire(timeout=60)

    with PredictionClient(process.target, timeout_seconds=60) as client, ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(load, i) for i in range(4)]
        for _ in range(2):
            wait_for_answers(100)
            process.kill()
            process.start()
        wait_for_answers(100)
        stop.set()
        for call in calls:
            call.result()
    assert max(longest) < 60


def test_call_to_a_paused_server_ends_at_its_deadline_and_the_next_one_succeeds(process):
    with PredictionClient(process.target) as client:
        client.predict(ONE)
        process.pause()
        start = time.monotonic()
        with pytest.raises(DeadlineError, match="did not answer for `crossnet` within 0.5 s"):
            client.predict(ONE, timeout_seconds=0.5)
        assert 0.4 < time.monotonic() - start < 5
        with pytest.raises(DeadlineError, match="was not ready within 0.5 s"):
            client.wait_ready(0.5)
        process.resume()
        client.wait_ready(30)
        assert client.predict(ONE).values.tolist() == [0.5]


# The client's imports.

_ALLOWED = {"grpc", "google", "numpy", "crossnet", "typing_extensions"}  # the last is grpcio's own requirement
_BLOCKED_IMPORTS = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {_ALLOWED!r} and top not in sys.stdlib_module_names and not top.startswith("_"):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocker())
import crossnet.serving.client, crossnet.serving.client.aio
ours = sorted(name for name in sys.modules if name.startswith("crossnet.serving."))
tops = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(tops & {{"tensorflow", "keras", "pandas", "click", "rich", "pyarrow", "google_crc32c"}}), len(ours))
"""


def test_client_imports_grpc_protobuf_and_numpy_only():
    done = subprocess.run([sys.executable, "-c", _BLOCKED_IMPORTS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[] ")


@pytest.mark.slow
def test_client_works_on_a_machine_with_nothing_but_grpc_protobuf_and_numpy(tmp_path):
    versions = [f"{name}=={importlib.metadata.version(name)}" for name in ("grpcio", "protobuf", "numpy")]

    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    wheel = build_wheel(tmp_path)
    assert wheel.stat().st_size < 2_000_000  # of the client alone, `make client-wheel`: a twentieth
    run(UV, "venv", "-q", "-p", sys.executable, str(tmp_path / "venv"))
    python = str(tmp_path / "venv/bin/python")
    run(UV, "pip", "install", "-q", "-p", python, *versions)
    run(UV, "pip", "install", "-q", "-p", python, "--no-deps", str(wheel))
    size = sum(file.stat().st_size for file in (tmp_path / "venv").rglob("*") if file.is_file())
    assert size < 100_000_000
    code = (
        "import json, sys\n"
        "from crossnet.serving.client import PredictionClient\n"
        "with PredictionClient(sys.argv[1]) as client:\n"
        "    client.wait_ready(10)\n"
        "    print(json.dumps(client.predict({'x0': [0.5], 'x1': [1.0], 'x2': [1.5]}).values.tolist()))\n"
    )
    with FakeServer(XS).running() as target:
        assert json.loads(run(python, "-I", "-c", code, target)) == [0.5]
