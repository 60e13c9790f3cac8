"""Serves SavedModels as TensorFlow Serving does, in this Python process.

    with Server(ServerFlags(port=0, model_name="rides", model_base_path="/models/rides")) as server:
        ...  # answers at 127.0.0.1, port server.port

This is the embedded server, for machines without tensorflow_model_server; `crossnet.serving.server_command` runs it as
a command. It does not offer the profiler and TFLite. Unlike the real server, it listens on
loopback by default (`--host` changes that), finishes running calls on SIGTERM, and exits with 1 if it cannot start.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.config.versions import ModelConfig, place_of
from crossnet.serving.embedded.call_threads import CallThreads
from crossnet.serving.embedded.listen import calls_at_once, is_loopback, open_server
from crossnet.serving.embedded.manager import ModelManager
from crossnet.serving.embedded.mirrors import Mirrors
from crossnet.serving.protocol.codes import failed_to_start, invalid
from crossnet.serving.status import DeadlineError, ServingError

if TYPE_CHECKING:
    from crossnet.serving.config.file import ConfigFile
    from crossnet.serving.embedded.batching import Batcher
    from crossnet.serving.embedded.metrics import Metrics
    from crossnet.serving.embedded.model import LoadedModel
    from crossnet.serving.embedded.rest import RestServer
    from crossnet.serving.embedded.servicer import Servicer
    from crossnet.serving.protocol.request_log import RequestLog

LOGGER = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0
_SIGNAL_SECONDS = 0.1  # between two checks for a signal


class Server:
    """Serves SavedModels over gRPC and, if asked, REST. It is ready on enter and stopped on exit.

    Args:
      flags: Settings; `port=0` without a socket path takes a free port.
      host: Address to listen on; `flags.host` if not given.
      rest: Offer REST on a free port if `rest_api_port` is 0.

    Attributes:
      port: The gRPC port; None until the server listens, and if it listens on a Unix socket only.
      rest_port: The REST port; None until the server listens, and without REST.
    """

    def __init__(self, flags: ServerFlags, *, host: str | None = None, rest: bool = False) -> None:
        self.flags = flags
        self._with_rest = rest or flags.rest_api_port != 0
        self.host = host or flags.host
        self.port: int | None = None
        self.rest_port: int | None = None
        self._stopping = threading.Event()
        self._stop_lock = threading.Lock()
        self._server: Any = None
        self._servicer: Servicer | None = None
        self._rest: RestServer | None = None
        self._streaming: list[Any] = []  # services whose streams clients may keep open
        self._manager = ModelManager(
            self._load,
            poll_seconds=flags.file_system_poll_wait_seconds,
            load_retries=flags.max_num_load_retries,
            retry_seconds=flags.load_retry_interval_micros / 1e6,
            labels_before_available=flags.allow_version_labels_for_unavailable_models,
        )
        self._mirrors = Mirrors(flags, self._manager.look_again)
        self._configs: list[ModelConfig] = []
        self._threads: CallThreads | None = None
        self._config_file: ConfigFile | None = None
        self._log: RequestLog | None = None
        self._metrics: Metrics | None = None
        self._batcher: Batcher | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def models(self) -> list[str]:
        """Names of the configured models; empty before `start`."""
        return [config.name for config in self._configs]

    def start(self, timeout_seconds: float | None = None) -> None:
        """Loads every model and then listens, so that the server is ready once its port answers.

        Args:
          timeout_seconds: Time limit for loading, in seconds; None waits until every base path has a model. `stop` ends
            the wait too.

        Raises:
          ServingError: A model does not load or not in time, a config file is invalid, or the port is in use.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds

        def give_up() -> bool:
            return self._stopping.is_set() or (deadline is not None and time.monotonic() > deadline)

        try:
            self._metrics = self._open_metrics()
            self._log = self._open_log()
            if self._metrics:
                self._metrics.log = self._log
            self._batcher = self._open_batcher()
            self._configs = self._read_configs()
            credentials = self._credentials()
            self._mirrors.configure(self._configs, self._manager.configure)
            self._manager.start()
            if self._manager.wait_available(self.models, give_up):
                self._listen(credentials)
                if self._config_file and self.flags.model_config_file_poll_wait_seconds > 0:
                    self._config_file.watch(self.flags.model_config_file_poll_wait_seconds)
            elif not self._stopping.is_set():
                raise DeadlineError(
                    f"No version of {', '.join(self.models)} was available within {timeout_seconds:g} s.",
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                )
        except BaseException as error:
            self.stop()
            if isinstance(error, ServingError):
                raise failed_to_start(error) from error
            raise

    @property
    def is_stopping(self) -> bool:
        """Whether the server was asked to stop."""
        return self._stopping.is_set()

    @property
    def addresses(self) -> list[str]:
        """The addresses on which it listens, for a message; empty until then."""
        where = [f"{self.host}:{self.port}"] if self.port else []
        where += [f"unix:{self.flags.grpc_socket_path}"] if self._server and self.flags.grpc_socket_path else []
        return where + ([f"http://{self.host}:{self.rest_port}"] if self.rest_port else [])

    def ask_to_stop(self) -> None:
        """Makes `wait`, and a `start` that is still waiting, return. Signal handlers may call it."""
        self._stopping.set()

    def wait(self) -> None:
        """Waits until the server is asked to stop; call `stop` afterwards."""
        # Short sleeps: a signal that comes just before an endless wait would not interrupt it and would be lost.
        # Not `Event.wait`: a signal handler that calls `ask_to_stop` inside it would wait for the lock that it holds.
        while not self._stopping.is_set():
            time.sleep(_SIGNAL_SECONDS)

    def stop(self, grace_seconds: float = DRAIN_SECONDS) -> None:
        """Rejects new calls, lets running calls finish, and unloads the models.

        New gRPC calls are rejected until no more arrive, for at most a second; then the ports close.

        Args:
          grace_seconds: Time limit for running calls after that. Then they are cancelled, and `stop` waits for graphs
            that still run, because a model in use cannot be unloaded.
        """
        if not self._stopping.is_set():
            self._stopping.set()
        with self._stop_lock:
            for service in self._streaming:
                service.stop()
            if self._server and self._servicer:
                self._servicer.reject_calls()
            # Returns at once, so that REST stops at the same time.
            ended = self._server.stop(grace_seconds) if self._server else None
            if self._rest:
                self._rest.stop(grace_seconds)
                self._rest = None
            if ended:
                ended.wait()
                self._server = None
            if self._threads:
                self._threads.shutdown()
                self._threads = None
            if self._config_file:
                self._config_file.stop()
            self._mirrors.stop()
            self._manager.stop()
            if self._batcher:
                self._batcher.close()
            if self._log:
                self._log.close()

    # ---- Configuration ----

    def _read_configs(self) -> list[ModelConfig]:
        if self.flags.model_config_file:
            from crossnet.serving.config.file import ConfigFile

            self._config_file = ConfigFile(self.flags.model_config_file, self._reload)
            return self._config_file.read()
        folder, source = place_of(self.flags.model_name, self.flags.model_base_path)
        return [ModelConfig(self.flags.model_name, folder.absolute(), source=source)]

    def _open_log(self) -> RequestLog | None:
        if not self.flags.request_log_dir:
            return None
        from crossnet.serving.protocol.request_log import RequestLog

        return RequestLog(self.flags.request_log_dir, sampling_rate=self.flags.request_log_sampling_rate)

    def _open_metrics(self) -> Metrics | None:
        if not self.flags.monitoring_config_file:
            return None
        from crossnet.serving.config.messages import prometheus_path

        if not (path := prometheus_path(self.flags.monitoring_config_file)):
            return None
        if not self._with_rest:
            raise invalid(
                f"--monitoring_config_file={self.flags.monitoring_config_file} turns metrics on, which the REST port "
                "shows, and there is none. Give `--rest_api_port` too, or leave the file out."
            )
        from crossnet.serving.embedded.metrics import Metrics

        return Metrics(path, lambda name: bool(self._manager.versions(name)))

    def _open_batcher(self) -> Batcher | None:
        if not self.flags.enable_batching:
            return None
        from crossnet.serving.config.batching import read_batching
        from crossnet.serving.embedded.batching import Batcher

        return Batcher(read_batching(self.flags.batching_parameters_file), self._metrics)

    def _credentials(self) -> Any:
        if not self.flags.ssl_config_file:
            return None
        from crossnet.serving.config.messages import server_credentials

        return server_credentials(self.flags.ssl_config_file)

    def _reload(self, configs: Sequence[ModelConfig], wanted: Callable[[], bool]) -> bool:
        """Serves another list of models; returns whether all are available, False once `wanted` returns False."""
        self._mirrors.configure(configs, self._manager.configure)
        self._configs = list(configs)
        names = [config.name for config in configs]
        return self._manager.wait_available(names, lambda: self._stopping.is_set() or not wanted())

    # ---- Parts ----

    def _load(self, path: Path) -> LoadedModel:
        from crossnet.serving.embedded.loading import Loader

        return Loader(self.flags, self._metrics, self._batcher)(path)

    def _listen(self, credentials: Any) -> None:
        from crossnet.serving.embedded.health import Health
        from crossnet.serving.embedded.reflection import Reflection
        from crossnet.serving.embedded.servicer import Servicer

        flags = self.flags
        takes_reload = is_loopback(self.host) if flags.allow_reload == "auto" else flags.allow_reload == "true"
        servicer = self._servicer = Servicer(
            self._manager,
            max_running=calls_at_once(flags.grpc_max_threads, flags),
            as_content=flags.enable_serialization_as_tensor_content,
            check_method=flags.enable_signature_method_name_check,
            reload=self._reload if takes_reload else None,
            log=self._log,
            metrics=self._metrics,
        )
        handlers = servicer.handlers()
        self._streaming = [Reflection(health=flags.enable_grpc_healthcheck_service)]
        self._streaming += [Health()] if flags.enable_grpc_healthcheck_service else []
        handlers += [handler for service in self._streaming for handler in service.handlers()]
        # A call that waits for its batch computes nothing, so there are as many threads as calls that may wait.
        num_threads = calls_at_once(flags.grpc_max_threads, flags) if flags.enable_batching else os.cpu_count() or 1
        self._threads = CallThreads(num_threads)
        self._server, self.port = open_server(flags, self.host, handlers, credentials, self._threads)
        if flags.rest_api_port and flags.rest_api_port == self.port:
            if self._metrics:
                raise invalid("--rest_api_port is the gRPC port: metrics need a port of REST's own.")
            LOGGER.error(
                "--rest_api_port is the gRPC port, %d: REST is not started, but gRPC is. Choose another port for REST.",
                self.port,
            )
        elif self._with_rest:
            from crossnet.serving.embedded.rest import RestServer

            self._rest = RestServer(servicer, self._manager, flags, host=self.host)
            self.rest_port = self._rest.port
        self._server.start()
        if self._rest:
            self._rest.start()
