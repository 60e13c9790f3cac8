"""What the manager knows of each model and version: which state it is in, and since what error."""

from __future__ import annotations

import enum
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from crossnet.serving.config.versions import ModelConfig
from crossnet.serving.embedded.model import LoadedModel
from crossnet.serving.protocol.codes import invalid
from crossnet.serving.status import ServingError


class State(enum.IntEnum):
    """A version's state, with the numbers of `ModelVersionStatus.State`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass
class Version:
    """One version the manager knows, also after it is gone."""

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
        """Whether it did not load, and no attempt is left."""
        return self.state is State.END and self.code is not grpc.StatusCode.OK


@dataclass
class Entry:
    """One model: what is wanted of it and what there is."""

    config: ModelConfig
    versions: dict[int, Version] = field(default_factory=dict)
    aspired: dict[int, Path] | None = None  # None until its base path has been seen
    removed: bool = False
    said: str = ""

    def available(self) -> list[Version]:
        """Returns the versions that answer."""
        return [version for version in self.versions.values() if version.state is State.AVAILABLE]

    def wanted_and_available(self) -> bool:
        """Returns whether a version answers that should."""
        return any(version.number in (self.aspired or {}) for version in self.available())

    def forget_retries(self) -> None:
        """Ends what waits for another attempt or has failed, and is no longer wanted; called with the lock held."""
        for version in self.versions.values():
            if version.number not in (self.aspired or {}) and (version.failed or version.state is State.START):
                version.state, version.attempts = State.END, 0  # whoever brings it back gets a fresh start

    def failures(self) -> list[Version]:
        """Returns the versions that failed for good, if these are all that is wanted of the model."""
        wanted = [self.versions.get(number) for number in self.aspired or {}]
        failed = [version for version in wanted if version is not None and version.failed]
        return failed if wanted and len(failed) == len(wanted) else []


class Lease:
    """The use of one version by one request, as a context manager; written out, because each request pays for it.

    Args:
      changed: Notified when the last user of a version that must go has left.
      lock: The lock of `changed`.
      serving: Model -> its available versions, newest first.
      name: The model.
      version: Its version; None for the newest.

    Raises:
      ServingError: On entry: there is no such version, or none is available.
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
        wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
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
    """Checks whether a model may be configured like this.

    Args:
      entry: What there is of the model; None for a new one.
      config: What is asked for.
      labels: The model's labels until now.
      labels_before_available: Accept new labels for versions that are not loaded yet.

    Raises:
      ServingError: It may not, in the words of model_servers/server_core.cc.
    """
    if entry and not entry.removed and entry.config.platform != config.platform:
        raise invalid(
            f"Illegal to change a model's platform. For model {config.name} platform was {entry.config.platform} and "
            f"new platform requested is {config.platform}"
        )
    if config.platform != "tensorflow":
        raise invalid(f"ModelServerConfig::model_platform {config.platform} is not supported; expected tensorflow.")
    available = {version.number for version in entry.available()} if entry else set()
    for label, version in config.labels.items():
        new = labels.get(label, version) == version
        if version not in available and not (labels_before_available and new):
            raise ServingError(
                f"Request to assign label to version {version} of model {config.name}, which is not currently "
                "available for inference",
                grpc.StatusCode.FAILED_PRECONDITION,
            )
