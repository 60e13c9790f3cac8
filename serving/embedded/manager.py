"""Loads, swaps and unloads the versions of each model.

One thread does all of this, step by step, and only that thread changes what is loaded. A swap preserves availability:
the new version answers before the old one is unloaded, and the old one is unloaded only when no call uses it any more.
Where the new version does not load, the old one stays in service. Sources: tensorflow/serving
core/{aspired_versions_manager,availability_preserving_policy,basic_manager,servable_state_monitor} and
model_servers/server_core.cc.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import grpc

from crossnet.serving.config.versions import ModelConfig, list_versions, why_nothing_to_serve
from crossnet.serving.embedded.model import LoadedModel
from crossnet.serving.embedded.states import Entry, Lease, State, Version, check_change, did_not_load
from crossnet.serving.protocol.bounded_text import cut, cut_message
from crossnet.serving.protocol.codes import invalid, status_of

LOGGER = logging.getLogger(__name__)
Load = Callable[[Path], LoadedModel]


class ModelManager:
    """Serves versions of models by name.

    Args:
      load: Loads and warms up the model in a folder; what it raises becomes the version's error.
      poll_seconds: Time between looks at the base paths; 0 looks once, a negative number never.
      load_retries: Further attempts after a failed load.
      retry_seconds: Time between these.
      labels_before_available: Accept new labels for versions that are not loaded yet.
    """

    def __init__(
        self,
        load: Load,
        *,
        poll_seconds: float = 1.0,
        load_retries: int = 5,
        retry_seconds: float = 60.0,
        labels_before_available: bool = False,
    ) -> None:
        self._load = load
        self._poll_seconds = poll_seconds
        self._load_retries = load_retries
        self._retry_seconds = retry_seconds
        self._labels_before_available = labels_before_available
        self._entries: dict[str, Entry] = {}
        self._labels: dict[str, Mapping[str, int]] = {}
        # For requests: the available versions of each model, newest first.
        self._serving: dict[str, list[Version]] = {}
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._poll_now = True
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="model-manager", daemon=True)

    # ---- For requests ----

    def use(self, name: str, version: int | None = None, label: str = "") -> Lease:
        """Returns a lease of the version that a request names, which stays loaded until the block ends.

        Args:
          name: The model.
          version: Its version; None for the newest, or the label's.
          label: A label of the model's config.

        Returns:
          A context manager that yields the version's number and the model, and raises the errors of `Lease`.

        Raises:
          ServingError: The name is empty, or the model does not have the label.
        """
        if not name:
            raise invalid("ModelSpec has no name specified.")
        if label:
            version = self._labels.get(name, {}).get(label)
            if version is None:
                raise invalid(f"Unrecognized servable version label: {cut(label)}")
        return Lease(self._changed, self._lock, self._serving, name, version)

    def versions(self, name: str) -> list[Version]:
        """Returns every version that was ever seen of a model, the highest first."""
        with self._changed:
            entry = self._entries.get(name)
            return sorted(entry.versions.values(), key=lambda v: -v.number) if entry else []

    # ---- For the server ----

    def start(self) -> None:
        """Starts to poll and load."""
        self._thread.start()

    def stop(self) -> None:
        """Stops polling and frees every model. No call may be using one."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident:
            self._thread.join()
        with self._changed:
            for version in [version for entry in self._entries.values() for version in entry.versions.values()]:
                if version.model is not None:  # in service, or retired while a call still used it
                    self._retire(version)
                    self._finish(version)

    def look_again(self) -> None:
        """Makes the next look at the base paths come at once."""
        with self._changed:
            self._poll_now = True
            self._changed.notify_all()

    def configure(self, configs: Sequence[ModelConfig]) -> None:
        """Replaces the list of models; loading and unloading follow in the manager's thread.

        Raises:
          ServingError: The list cannot be served; the old list stays in service.
        """
        with self._changed:
            for config in configs:
                labels = self._labels.get(config.name, {})
                check_change(self._entries.get(config.name), config, labels, self._labels_before_available)
            wanted = {config.name: config for config in configs}
            for name, entry in self._entries.items():
                if name not in wanted:
                    entry.removed, entry.aspired = True, {}
                    entry.forget_retries()
            for name, config in wanted.items():
                entry = self._entries.setdefault(name, Entry(config))
                entry.config, entry.removed, entry.last_warning, entry.aspired = config, False, "", None
            self._labels = {config.name: dict(config.labels) for config in configs}
            self.look_again()

    def wait_available(self, names: Sequence[str], give_up: Callable[[], bool]) -> bool:
        """Waits until each model has a version that answers.

        Args:
          names: The models.
          give_up: Asked now and then; True ends the wait.

        Returns:
          Whether they are all available; False after `give_up`, or when one of them is not configured any more.

        Raises:
          ServingError: One of them did not load and is not tried again.
        """
        with self._changed:
            while not give_up():
                entries = [self._entries[name] for name in names if name in self._entries]
                if any(entry.removed for entry in entries):
                    return False
                failed = [version for entry in entries for version in entry.failures()]
                if failed:
                    raise did_not_load(failed)
                if all(entry.wanted_and_available() for entry in entries):
                    return True
                self._changed.wait(0.2)
        return False

    # ---- The manager's thread ----

    def _work(self) -> None:
        next_poll = 0.0
        while True:
            with self._changed:
                if self._stopping:
                    return
                due = self._poll_now or (self._poll_seconds > 0 and time.monotonic() >= next_poll)
                self._poll_now = False
                entries = list(self._entries.values())
            if due and self._poll_seconds >= 0:
                next_poll = time.monotonic() + self._poll_seconds
                for entry in entries:
                    self._guard(self._poll, entry)
            for entry in entries:
                self._guard(self._step, entry)
            with self._changed:
                if not self._stopping and not self._poll_now:
                    self._changed.wait(self._seconds_to_wait(next_poll))

    def _guard(self, work: Callable[[Entry], None], entry: Entry) -> None:
        """Does some work for one model; an error in it does not stop the others from being served."""
        try:
            work(entry)
        except Exception:
            LOGGER.exception(
                "Model `%s`: this is a bug of the server. Its loaded versions stay in service.", entry.config.name
            )

    def _seconds_to_wait(self, next_poll: float) -> float | None:
        known = [(entry, version) for entry in self._entries.values() for version in entry.versions.values()]
        if any(version.state is State.UNLOADING and not version.users for _, version in known):
            return 0.0
        moments = [
            version.retry_at
            for entry, version in known
            if version.state is State.START and version.number in (entry.aspired or {})
        ]
        if self._poll_seconds > 0:
            moments.append(next_poll)
        return max(min(moments) - time.monotonic(), 0.0) if moments else None

    def _poll(self, entry: Entry) -> None:
        """Looks at the base path, and warns once if there is nothing to serve."""
        if entry.removed:
            return
        config = entry.config
        found = list_versions(config.base_path)
        loaded = {version.number: version.path for version in entry.available()}
        aspired = loaded if found is None else config.policy.choose(found)
        has_some = config.source or (found is not None and aspired)  # of a store its mirror says what is wrong
        warning = "" if has_some else why_nothing_to_serve(config.base_path, found)
        if warning and warning != entry.last_warning:
            LOGGER.warning("Model `%s` waits: %s", config.name, warning)
        entry.last_warning = warning
        with self._changed:
            if entry.removed or entry.config is not config:  # configured anew meanwhile
                return
            entry.aspired = aspired
            entry.forget_retries()

    def _step(self, entry: Entry) -> None:
        """Loads missing versions, the highest first, then retires unwanted ones, the lowest first."""
        for number, path in sorted((entry.aspired or {}).items(), reverse=True):
            self._bring_up(entry, number, path)
            if self._stopping or number not in (entry.aspired or {}):
                break
        with self._changed:
            if entry.aspired is not None and (not entry.aspired or entry.wanted_and_available()):
                for version in sorted(entry.available(), key=lambda v: v.number):
                    if version.number not in entry.aspired:
                        self._retire(version)
            finished = [v for v in entry.versions.values() if v.state is State.UNLOADING and not v.users]
        for version in finished:
            self._finish(version)

    def _bring_up(self, entry: Entry, number: int, path: Path) -> None:
        version = entry.versions.get(number)
        if version is None or (version.state is State.END and not version.attempts):
            version = Version(entry.config.name, number, path)
        if version.state is not State.START or version.retry_at > time.monotonic():
            return
        with self._changed:
            entry.versions[number] = version
            version.state, version.attempts = State.LOADING, version.attempts + 1
            self._changed.notify_all()
        start = time.monotonic()
        try:
            model = self._load(path)
        except Exception as error:
            self._note_failure(version, error)
            return
        with self._changed:
            version.model, version.state, version.attempts = model, State.AVAILABLE, 0
            version.code, version.message = grpc.StatusCode.OK, ""
            self._publish(entry)
        LOGGER.info("Model `%s` version %d is available (%.1f s).", version.name, number, time.monotonic() - start)

    def _note_failure(self, version: Version, error: Exception) -> None:
        code, message = status_of(error)
        last = version.attempts > self._load_retries
        with self._changed:
            version.code, version.message = code, cut_message(message)
            version.state = State.END if last else State.START
            version.retry_at = time.monotonic() + self._retry_seconds
            self._changed.notify_all()
        then = "It is not tried again." if last else f"It is tried again in {self._retry_seconds:g} s."
        LOGGER.error("Model `%s` version %d does not load: %s %s", version.name, version.number, version.message, then)

    def _publish(self, entry: Entry) -> None:
        """Makes the available versions visible to requests. Called with the lock held."""
        newest_first = sorted(entry.available(), key=lambda v: -v.number)
        self._serving[entry.config.name] = newest_first
        self._changed.notify_all()

    def _retire(self, version: Version) -> None:
        """Hides a version from new requests; calls that use it go on. Called with the lock held."""
        version.state = State.UNLOADING
        self._publish(self._entries[version.name])

    def _finish(self, version: Version) -> None:
        model, version.model = version.model, None
        if model is not None:
            model.close()
        with self._changed:
            version.state = State.END
            self._changed.notify_all()
        LOGGER.info("Model `%s` version %d is unloaded.", version.name, version.number)
