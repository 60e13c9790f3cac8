"""Keeps the state of models and versions, and lends versions to requests."""

from __future__ import annotations

import enum
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from crossnet.serving.config.versions import ModelConfig
from crossnet.serving.embedded.model import LoadedModel
from crossnet.serving.protocol.bounded_text import cut
from crossnet.serving.protocol.codes import invalid
from crossnet.serving.status import ServingError

_MAX_LISTED = 5  # failures in one message


class State(enum.IntEnum):
    """A version's state, with the numbers of `ModelVersionStatus.State`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass
class Version:
    """A version that the manager has seen, kept also after it is unloaded."""

    name: str
    number: int
    path: Path
    state: State = State.START
    code: grpc.StatusCode = grpc.StatusCode.OK
    message: str = ""
    model: LoadedModel | None = None
    users: int = 0
    attempts: int = 0
    retry_at: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether it did not load and has no attempt left."""
        return self.state is State.END and self.code is not grpc.StatusCode.OK


@dataclass
class Entry:
    """A model: its configuration, and its versions.

    Attributes:
      config: What the server was told to serve.
      versions: By number, every version that was seen.
      aspired: The versions that should be served; None until its base path was read.
      removed: Whether it is no longer configured.
      last_warning: The last warning about its base path, so that each is logged once.
    """

    config: ModelConfig
    versions: dict[int, Version] = field(default_factory=dict)
    aspired: dict[int, Path] | None = None
    removed: bool = False
    last_warning: str = ""

    def available(self) -> list[Version]:
        """Returns the versions that are in service."""
        return [version for version in self.versions.values() if version.state is State.AVAILABLE]

    def wanted_and_available(self) -> bool:
        """Returns whether one of the wanted versions is in service."""
        return any(version.number in (self.aspired or {}) for version in self.available())

    def forget_retries(self) -> None:
        """Ends unwanted versions that failed or wait for another attempt. Called with the lock held."""
        for version in self.versions.values():
            if version.number not in (self.aspired or {}) and (version.failed or version.state is State.START):
                version.state, version.attempts = (
                    State.END,
                    0,
                )  # where the version comes back, its attempts are counted anew

    def failures(self) -> list[Version]:
        """Returns the versions that failed for good, if every wanted version did."""
        wanted = [self.versions.get(number) for number in self.aspired or {}]
        failed = [version for version in wanted if version is not None and version.failed]
        return failed if wanted and len(failed) == len(wanted) else []


def did_not_load(failed: Sequence[Version]) -> ServingError:
    """Returns the error of a wait for versions that failed for good, with the real server's words and code."""
    listed = "".join(
        f"{{{{name: {v.name} version: {v.number}}} due to error: {v.code.name}: {v.message}}}, "
        for v in failed[:_MAX_LISTED]
    )
    return ServingError(f"{len(failed)} servable(s) did not become available: {{{listed}}}", grpc.StatusCode.UNKNOWN)


class Lease:
    """Keeps one version loaded while one request uses it; a context manager.

    It is a class and not a generator, because each request pays for it.

    Args:
      changed: Notified when the last request has left a version that must be unloaded.
      lock: The lock of `changed`.
      serving: Model -> its available versions, newest first.
      name: The model.
      version: Its version; None for the newest.

    Raises:
      ServingError: On entry, the model does not have such a version in service.
    """

    __slots__ = ("_changed", "_found", "_lock", "_name", "_serving", "_version")

    def __init__(
        self,
        changed: threading.Condition,
        lock: threading.RLock,
        serving: Mapping[str, list[Version]],
        name: str,
        version: int | None,
    ) -> None:
        self._changed = changed
        self._lock = lock
        self._serving = serving
        self._name = name
        self._version = version

    def __enter__(self) -> tuple[int, LoadedModel]:
        name, version = self._name, self._version
        with self._lock:
            for found in self._serving.get(name, ()):
                if (version is None or found.number == version) and found.model is not None:
                    found.users += 1
                    self._found = found
                    return found.number, found.model
        wanted = f"Latest({cut(name)})" if version is None else f"Specific({cut(name)}, {version})"
        raise ServingError(f"Servable not found for request: {wanted}", grpc.StatusCode.NOT_FOUND)

    def __exit__(self, *_: object) -> None:
        found = self._found
        with self._lock:
            found.users -= 1
            if not found.users and found.state is not State.AVAILABLE:
                self._changed.notify_all()


def check_change(
    entry: Entry | None, config: ModelConfig, labels: Mapping[str, int], labels_before_available: bool
) -> None:
    """Checks whether a model may get a configuration.

    Args:
      entry: The model; None for a new one.
      config: The new configuration.
      labels: The model's labels until now.
      labels_before_available: Accept new labels for versions that are not loaded yet.

    Raises:
      ServingError: It may not; the messages are those of model_servers/server_core.cc.
    """
    if entry and not entry.removed and entry.config.platform != config.platform:
        raise invalid(
            f"Illegal to change a model's platform. For model {cut(config.name)} platform was {entry.config.platform} "
            f"and new platform requested is {cut(config.platform)}"
        )
    if config.platform != "tensorflow":
        raise invalid(
            f"ModelServerConfig::model_platform {cut(config.platform)} is not supported; expected tensorflow."
        )
    available = {version.number for version in entry.available()} if entry else set()
    for label, version in config.labels.items():
        new = labels.get(label, version) == version
        if version not in available and not (labels_before_available and new):
            raise ServingError(
                f"Request to assign label to version {version} of model {cut(config.name)}, which is not currently "
                "available for inference",
                grpc.StatusCode.FAILED_PRECONDITION,
            )
