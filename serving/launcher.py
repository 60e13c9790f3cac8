"""Starts a server: tensorflow_model_server where it is installed, the embedded one elsewhere, or docker's.

`running_server` lends one to a test or to InfraValidator; `serve` is the work of `crossnet serve`. The real server gets
its flags as `--name=value`, the only form it reads, and configuration files written for it.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serving.flags import ServerFlags
from serving.status import DeadlineError, ServingError, UnavailableError

log = logging.getLogger(__name__)

BINARY = "tensorflow_model_server"


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
      ServingError: There is none.
    """
    binary = find_binary()
    if binary is None:
        raise ServingError(
            f"`{BINARY}` is not on PATH. Install it, or use `--server=embedded` or `--server=docker` instead."
        )
    return binary


@contextmanager
def running_server(
    base_path: Path, model_name: str, *, server: str = "auto", timeout_seconds: float = 60.0
) -> Iterator[RunningServer]:
    """Lends a server that serves one model, on an address nobody else uses.

    Args:
      base_path: The folder of the model's versions.
      model_name: What clients call the model.
      server: "auto" takes tensorflow_model_server where it is installed; "binary" or "embedded" say which.
      timeout_seconds: How long the model may take to be available.

    Yields:
      The server's address and kind. The embedded one runs in this process.

    Raises:
      ServingError: The model does not load, or not in time; the message has the server's own words.
    """
    if server == "embedded" or (server == "auto" and find_binary() is None):
        from serving.server import Server

        flags = ServerFlags(
            port=0, model_name=model_name, model_base_path=str(base_path.absolute()), max_num_load_retries=0
        )
        embedded = Server(flags, host="127.0.0.1")
        embedded.start(timeout_seconds)
        try:
            yield RunningServer(f"127.0.0.1:{embedded.port}", "embedded")
        finally:
            embedded.stop(grace_seconds=5.0)
        return
    binary = require_binary()
    # A socket, not a port: the real server takes no free port of its own choice.
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
        try:
            wait_available(process, target, [model_name], timeout_seconds, log_file)
            yield RunningServer(target, "binary")
        finally:
            end_process(process)


def wait_available(
    process: subprocess.Popen[bytes],
    target: str,
    models: Sequence[str],
    timeout_seconds: float | None,
    log_file: Path | None = None,
) -> None:
    """Waits until each model is AVAILABLE at `target`.

    Args:
      process: The server; when it ends, so does the wait.
      target: Its address, without TLS.
      models: Names of the models.
      timeout_seconds: How long to wait; None waits as long as the process lives.
      log_file: Where it writes its log, for the error.

    Raises:
      ServingError: The process ended, or the time is up.
    """
    from serving.client import PredictionClient

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
                            f"{BINARY} ended with {process.returncode} before `{model}` was available. "
                            f"{_last_words(log_file)}"
                        ) from error
                    if deadline is not None and time.monotonic() > deadline:
                        raise DeadlineError(
                            f"`{model}` was not available at {target} within {timeout_seconds:g} s. "
                            f"{_last_words(log_file)}"
                        ) from error


def _last_words(log_file: Path | None) -> str:
    """Returns the sentence with which the real server gives up, or the end of its log."""
    if log_file is None:
        return "Its own messages stand above."
    lines = log_file.read_text(errors="replace").strip().splitlines()
    failures = [line for line in lines if line.startswith("Failed to start server")]
    return f"It said: {' / '.join(failures or lines[-3:])}" if lines else "It said nothing."


def end_process(process: subprocess.Popen[bytes], grace_seconds: float = 10.0) -> None:
    """Ends a server, kindly at first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
