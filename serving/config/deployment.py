"""Prepares the flags and configuration files that `crossnet serve` gives a server."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from crossnet.serving.config.flags import KNOWN_FLAGS, OWN_FLAGS, split_flags
from crossnet.serving.config.versions import list_versions
from crossnet.serving.protocol.codes import failed_to_start
from crossnet.serving.protocol.printable import shown, tell
from crossnet.serving.status import ServingError, UsageError

DOCKER_IMAGE = "tensorflow/serving:2.21.0"  # the release of the TensorFlow that exports the models
_POLL_SECONDS = 2
_WILDCARD_ADDRESSES = ("", "0.0.0.0", "::")  # a server listens on them, but a client cannot call them

# Copied to `<root>/serving`; docker compose and Kubernetes use the same files.
_CONFIG_TEMPLATES = Path(__file__).parents[1] / "deploy" / "config"


class Deployment:
    """The flags and files of one server.

    Args:
      arguments: The user's flags, as `--name=value`. `--model_name` without a path means that model under the root.
        Those behind a `--` are given to tensorflow_model_server as they are.
      root: The pipeline's root, absolute.
      server: "binary", "docker" or "embedded".

    Attributes:
      models: Names of the models to wait for.

    Raises:
      UsageError: A flag is unknown or not written as `--name=value`; or one behind `--` is known, or is for the
        embedded server.
      ServingError: A config file cannot be read or has an error.
    """

    def __init__(self, arguments: Sequence[str], *, root: Path, server: str = "binary") -> None:
        end = list(arguments).index("--") if "--" in arguments else len(arguments)
        self._given = split_flags(arguments[:end])
        self._passed_on = _checked_for_binary(arguments[end + 1 :], server)
        self._serving_dir = root / "serving_models"
        name = self._given.get("model_name", "")
        if name and not {"model_base_path", "model_config_file"} & self._given.keys():
            if "/" in name or name.startswith("."):
                raise UsageError(
                    f"`--model_name={name}` is not the name of a folder in `{self._serving_dir}`: it contains `/` or "
                    "begins with a dot. Give `--model_base_path` too."
                )
            self._given["model_base_path"] = str(self._serving_dir / name)
        self._folder = root / "serving"
        self._follows = not self._given.get("model_base_path") and not self._given.get("model_config_file")
        self._base_paths = {} if self._follows else self._named_models()
        self.models = list(self._base_paths)

    def _named_models(self) -> dict[str, str]:
        """Returns the base path of each model that the user's flags name."""
        if not (config := self._given.get("model_config_file")):
            path = self._given["model_base_path"]
            return {self._given.get("model_name", "default"): path if "://" in path else str(Path(path).absolute())}
        from crossnet.serving.config.messages import model_server_config, read_config

        try:
            listed = read_config(config, model_server_config()).model_config_list.config
        except ServingError as error:
            raise failed_to_start(error) from error
        return {entry.name: entry.base_path for entry in listed}

    @property
    def host(self) -> str:
        """The address to listen on; empty when the user did not give one."""
        return self._given.get("host", "")

    def not_passed_on(self, server: str) -> list[str]:
        """Returns a sentence for each flag of the user that a "binary" or "docker" server does not get."""
        return [
            f"`--{name}` is not passed on: tensorflow_model_server {instead}."
            for name, instead in OWN_FLAGS.items()
            if self._given.get(name) and (name, server) != ("host", "docker")  # docker publishes the ports there
        ]

    @property
    def has_tls(self) -> bool:
        """Whether the gRPC port uses TLS."""
        return bool(self._given.get("ssl_config_file"))

    def target(self, server: str) -> str:
        """Returns the gRPC address at which a client on this machine reaches a "binary" or "docker" server."""
        port = self._given.get("port", "8500")
        if port == "0" and (path := self._given.get("grpc_socket_path")):
            return f"unix:{path}"
        host = self.host if server == "docker" and self.host not in _WILDCARD_ADDRESSES else "localhost"
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def wait_for_models(self, give_up: Callable[[], bool]) -> bool:
        """Waits until there is a model to serve; prints once that it waits.

        Returns:
          Whether there is a model; False after `give_up` returned True.
        """
        if not self._follows:
            return True
        announced = False
        while not (self.models or self._find_models()):
            if give_up():
                return False
            if not announced:
                tell(
                    f"There is no model in `{self._serving_dir}` yet; waiting for one. `crossnet run` pushes a model "
                    "that passes its gate."
                )
                announced = True
            threading.Event().wait(0.2)
        return True

    def _find_models(self) -> bool:
        """Looks for models and writes the config file; returns whether it found a model."""
        found = sorted(
            folder.name
            for folder in (self._serving_dir.iterdir() if self._serving_dir.is_dir() else ())
            if not folder.name.startswith(".") and list_versions(folder)
        )
        if found and found != self.models:
            self._write("models.config", model_config({name: str(self._serving_dir / name) for name in found}))
            self.models = found  # after the write: if the write fails, the next call tries again
        return bool(found)

    @contextmanager
    def following_models(self) -> Iterator[None]:
        """Updates the config file while the block runs, so that models that are pushed later are served too."""
        if not self._follows:
            yield
            return
        ended = threading.Event()

        def follow() -> None:
            last_error = ""
            while not ended.wait(_POLL_SECONDS):
                try:
                    self._find_models()
                    last_error = ""
                except OSError as error:
                    if last_error != str(error):
                        last_error = str(error)
                        tell(f"Cannot look for models that are pushed later: {error}. Trying again.")

        thread = threading.Thread(target=follow, name="model-folders", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _write(self, name: str, text: str) -> Path:
        """Writes a config file by rename, so that a server never reads half of it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / name
        unfinished = path.with_name(f".tmp-{name}-{os.getpid()}")
        try:
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink()
            raise
        return path

    def _copy(self, name: str) -> str:
        return str(self._write(name, (_CONFIG_TEMPLATES / name).read_text(encoding="utf-8")))

    def _model_flags(self) -> dict[str, str]:
        if not self._follows:
            return {}
        return {
            "model_config_file": str(self._folder / "models.config"),
            "model_config_file_poll_wait_seconds": str(_POLL_SECONDS),
        }

    def embedded_flags(self) -> list[str]:
        """Returns the arguments of the embedded server."""
        return _as_arguments(self._with_batching({**self._model_flags(), **self._given}))

    def _with_batching(self, flags: dict[str, str]) -> dict[str, str]:
        """Returns flags with our batching parameters where batching is on: the server's own refuse 1,001 rows."""
        if flags.get("enable_batching", "false").lower() in ("true", "1") and "batching_parameters_file" not in flags:
            return {**flags, "batching_parameters_file": self._copy("batching.config")}
        return flags

    def binary_flags(self) -> list[str]:
        """Returns the arguments of tensorflow_model_server; REST and Prometheus are on by default.

        Raises:
          UsageError: `--allow_reload=false`, which it cannot keep.
        """
        flags = self._with_batching(
            {
                "port": "8500",
                "rest_api_port": "8501",
                "monitoring_config_file": self._copy("monitoring.config"),
                **self._model_flags(),
                **self._given,
            }
        )
        if flags.get("allow_reload", "").lower() in ("false", "0"):
            raise UsageError(
                "`--allow_reload=false` is for the embedded server: tensorflow_model_server takes every "
                "HandleReloadConfigRequest. Use `--server=embedded`, or leave the flag out and let only trusted "
                "clients reach the gRPC port."
            )
        for name in OWN_FLAGS:
            flags.pop(name, None)
        for name, value in flags.items():
            if (name == "model_base_path" or name.endswith("_file")) and value and "://" not in value:
                flags[name] = str(Path(value).absolute())  # the real server rejects relative paths
        return [*_as_arguments(flags), *self._passed_on]

    def docker_command(self) -> list[str]:
        """Returns a `docker run` command that mounts each folder read-only under its own path.

        The ports are published on loopback, or on `--host`.

        Raises:
          ServingError: `--grpc_socket_path` is set; the socket would be inside the container.
        """
        arguments = self.binary_flags()
        flags = split_flags(arguments[: len(arguments) - len(self._passed_on)])
        if flags.get("grpc_socket_path"):
            raise ServingError("`--grpc_socket_path` would be inside the container. Use `--port` with docker.")
        folders = {
            str(Path(value).absolute().parent) for name, value in flags.items() if value and name.endswith("_file")
        }
        folders |= {str(self._serving_dir)} if self._follows else set(self._base_paths.values())
        ports = [flags[name] for name in ("port", "rest_api_port") if flags[name] != "0"]
        command = ["docker", "run", "--rm", "--init", "--entrypoint=tensorflow_model_server"]
        host = f"[{self.host}]" if ":" in self.host else self.host or "127.0.0.1"
        command += [f"--publish={host}:{port}:{port}" for port in ports]
        # The server itself fetches paths with a scheme, such as gs://.
        command += [f"--volume={folder}:{folder}:ro" for folder in sorted(folders) if "://" not in folder]
        return [*command, DOCKER_IMAGE, *arguments]


def _checked_for_binary(arguments: Sequence[str], server: str) -> list[str]:
    """Returns the arguments behind `--`, which this project does not know.

    Raises:
      UsageError: One is known, so that it would be given twice, or is not a flag; or the server is the embedded one.
    """
    problems = []
    if arguments and server == "embedded":
        problems.append(
            f"`{shown(arguments[0])}` is behind `--`, and what is there is for tensorflow_model_server. Use "
            "`--server=binary` or `--server=docker`, or leave it out."
        )
    for argument in arguments:
        name = argument.removeprefix("--").partition("=")[0]
        if not argument.startswith("--") or not name:
            problems.append(f"`{shown(argument)}` behind `--` is not a flag. Flags are written as `--name=value`.")
        elif name in KNOWN_FLAGS:
            problems.append(f"`--{name}` is a flag that `crossnet serve` reads itself. Give it before `--`.")
    if problems:
        raise UsageError("\n".join(problems))
    return list(arguments)


def _as_arguments(flags: dict[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]


def model_config(base_paths: Mapping[str, str]) -> str:
    """Returns the text-format ModelServerConfig that serves each base path under its model's name."""
    entries = [
        f'  config {{\n    name: "{_quoted(name)}"\n    base_path: "{_quoted(path)}"\n'
        '    model_platform: "tensorflow"\n  }\n'
        for name, path in base_paths.items()
    ]
    return "model_config_list {\n" + "".join(entries) + "}\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
