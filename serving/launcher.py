"""Starts a server: tensorflow_model_server, the embedded server, or a Docker container.

`running_server` runs one for a test or for InfraValidator; `serve` is the work of `crossnet serve`.
tensorflow_model_server gets its flags as `--name=value`, the only form that it reads, and the configuration files of
`crossnet.serving.config.deployment`.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crossnet.serving.config.deployment import Deployment
from crossnet.serving.config.flags import ServerFlags, parse_flags
from crossnet.serving.protocol.printable import tell
from crossnet.serving.status import DeadlineError, ServingError, UnavailableError, UsageError

BINARY = "tensorflow_model_server"
_POLL_SECONDS = 0.1  # between two looks at a process or a port
_ONE_SIGNAL_SECONDS = 0.2  # a terminal and `timeout` may send a signal twice; what comes later is a second one
_GRACE_SECONDS = 5.0  # for the calls that a server of ours still answers


@dataclass(frozen=True)
class RunningServer:
    """A server that answers.

    Attributes:
      target: Its address, as a client takes it.
      kind: "binary" or "embedded".
    """

    target: str
    kind: str


def find_binary() -> Path | None:
    """Returns the tensorflow_model_server on PATH, or None."""
    found = shutil.which(BINARY)
    return Path(found) if found else None


def require_binary() -> Path:
    """Returns the tensorflow_model_server on PATH.

    Raises:
      UsageError: It is not there.
    """
    binary = find_binary()
    if binary is None:
        raise UsageError(
            f"`{BINARY}` is not on PATH. Install it, or use `--server=embedded` or `--server=docker` instead."
        )
    return binary


@contextmanager
def running_server(
    base_path: Path, model_name: str, *, server: str = "auto", timeout_seconds: float = 60.0
) -> Iterator[RunningServer]:
    """Runs a server of one model inside the block, on an address of its own.

    Args:
      base_path: The folder of the model's versions.
      model_name: What clients call the model.
      server: "binary", "embedded", or "auto": tensorflow_model_server where it is installed, else the embedded server.
      timeout_seconds: How long to wait for the model to be available.

    Yields:
      The server's address and kind. The embedded one runs in this process.

    Raises:
      ServingError: The model is not loaded in time; the message has the server's own report.
    """
    if server == "embedded" or (server == "auto" and find_binary() is None):
        from crossnet.serving.server import Server

        flags = ServerFlags(
            port=0, model_name=model_name, model_base_path=str(base_path.absolute()), max_num_load_retries=0
        )
        embedded = Server(flags, host="127.0.0.1")
        embedded.start(timeout_seconds)
        grace = 0.0  # who leaves by an error, or by a signal, waits for no answer
        try:
            yield RunningServer(f"127.0.0.1:{embedded.port}", "embedded")
            grace = _GRACE_SECONDS
        finally:
            embedded.stop(grace)
        return
    binary = require_binary()
    # A socket, not a port: tensorflow_model_server cannot choose a free port.
    with tempfile.TemporaryDirectory(prefix="crossnet-") as folder:
        target = f"unix:{folder}/socket"
        command = [
            str(binary),
            "--port=0",
            f"--grpc_socket_path={folder}/socket",
            f"--model_name={model_name}",
            f"--model_base_path={base_path.absolute()}",
            "--max_num_load_retries=0",
        ]
        log_file = Path(folder, "log")
        with log_file.open("wb") as stream:
            process = subprocess.Popen(command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
        grace = 0.0
        try:
            wait_available(process, target, [model_name], timeout_seconds, log_file)
            yield RunningServer(target, "binary")
            grace = 2 * _GRACE_SECONDS
        finally:
            end_process(process, grace)


def wait_available(
    process: subprocess.Popen[bytes],
    target: str,
    models: Sequence[str],
    timeout_seconds: float | None,
    log_file: Path | None = None,
) -> None:
    """Waits until each model is AVAILABLE at `target`.

    Args:
      process: The server; the wait ends when it ends.
      target: Its address, without TLS.
      models: Names of the models.
      timeout_seconds: How long to wait; None waits as long as the process lives.
      log_file: The server's log, which the error quotes.

    Raises:
      ServingError: The process ended, or the time has passed.
    """
    from crossnet.serving.client import PredictionClient

    deadline = time.monotonic() + timeout_seconds if timeout_seconds is not None else None
    for model in models:
        with PredictionClient(target, model_name=model) as client:
            while True:
                try:
                    client.wait_ready(0.5)
                    break
                except (DeadlineError, UnavailableError) as error:
                    if process.poll() is not None:
                        raise ServingError(
                            f"{BINARY} ended with exit code {process.returncode} before `{model}` was available. "
                            f"{_log_report(log_file)}"
                        ) from error
                    if deadline is not None and time.monotonic() > deadline:
                        raise DeadlineError(
                            f"`{model}` was not available at {target} within {timeout_seconds:g} s. "
                            f"{_log_report(log_file)}"
                        ) from error


def _log_report(log_file: Path | None) -> str:
    """Returns the server's reason for ending, or the end of its log."""
    if log_file is None:
        return "See its messages above."
    lines = log_file.read_text(errors="replace").strip().splitlines()
    failures = [line for line in lines if line.startswith("Failed to start server")]
    return f"Its log: {' / '.join(failures or lines[-3:])}" if lines else "Its log is empty."


def end_process(process: subprocess.Popen[bytes], grace_seconds: float = 10.0) -> None:
    """Ends a server with SIGTERM, and with SIGKILL after `grace_seconds`."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def serve(arguments: Sequence[str], *, root: Path, server: str = "auto") -> int:
    """Serves until SIGTERM or SIGINT is received.

    Args:
      arguments: Flags of tensorflow_model_server, and `flags.OWN_FLAGS`; see `Deployment`. Without model flags every
        model under `<root>/serving_models` is served, also those added later; with `--model_name` alone, that one.
      root: The pipeline's root; the configuration files are written to `<root>/serving`.
      server: "auto", "embedded", "binary" or "docker".

    Returns:
      The exit code: 0 stopped by a signal, 1 failed, 2 wrong usage.
    """
    server = ("binary" if find_binary() else "embedded") if server == "auto" else server
    try:
        deployment = Deployment(arguments, root=root.absolute(), server=server)
        if server == "embedded":
            parse_flags(deployment.embedded_flags(), warn=False)  # before it waits, maybe for hours, for a model
        stopping = threading.Event()
        with _on_signals(stopping.set):
            if not deployment.wait_for_models(stopping.is_set):
                return 0
            if server != "embedded":
                return _serve_process(deployment, server, stopping)
            from crossnet.serving.server_command import main

            with deployment.following_models():
                return main(deployment.embedded_flags(), stopping=stopping)
    except ServingError as error:
        tell(str(error))
        return error.exit_code


def _serve_process(deployment: Deployment, server: str, stopping: threading.Event) -> int:
    """Runs tensorflow_model_server or Docker as a child process, and passes signals on to it."""
    if server == "docker":
        if shutil.which("docker") is None:
            raise ServingError("`docker` is not on PATH. Install it, or use `--server=embedded` instead.")
        command = deployment.docker_command()
    else:
        command = [str(require_binary()), *deployment.binary_flags()]
        for sentence in deployment.not_passed_on(server):
            tell(sentence)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    asked: list[float] = []  # when

    def pass_on() -> None:
        asked.append(time.monotonic())
        if asked[-1] - asked[0] > _ONE_SIGNAL_SECONDS:
            process.kill()
        stopping.set()
        process.terminate()

    with deployment.following_models(), _on_signals(pass_on):
        try:
            if stopping.is_set():  # a signal was received before the process existed
                process.terminate()
            _wait_open(process, deployment, deployment.target(server), stopping)
            if not stopping.is_set():
                tell(f"serving {', '.join(deployment.models)} at {deployment.target(server)} ({server})")
            while process.poll() is None:
                # Not `process.wait()`: a signal received just before its system call would not interrupt it.
                time.sleep(_POLL_SECONDS)
        finally:
            end_process(process)
    return 0 if stopping.is_set() or process.returncode == 0 else 1


def _wait_open(
    process: subprocess.Popen[bytes], deployment: Deployment, target: str, stopping: threading.Event
) -> None:
    """Returns when the server is ready, or `stopping` is set.

    Without TLS the server is asked for each model. With TLS this process has no client certificate, so it waits for the
    port, which opens when every model is available.
    """
    try:
        if not deployment.has_tls:
            wait_available(process, target, deployment.models, None)
            return
        while process.poll() is None:
            if _is_open(target):
                return
            time.sleep(_POLL_SECONDS)
        raise ServingError(
            f"The server ended with exit code {process.returncode} before its port opened. See its messages above."
        )
    except ServingError:
        if not stopping.is_set():
            raise


def _is_open(target: str) -> bool:
    host, _, port = target.rpartition(":")
    try:
        if host == "unix":
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(port)
        else:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
    except OSError:
        return False
    return True


@contextmanager
def _on_signals(react: Callable[[], object]) -> Iterator[None]:
    """Calls `react()` on SIGTERM and SIGINT inside the block; outside the main thread signals stay as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: react()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
