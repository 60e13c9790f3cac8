"""Reads the model config file and reloads it when it changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import grpc

from crossnet.serving.config.messages import model_server_config, read_config
from crossnet.serving.config.versions import ModelConfig, model_configs
from crossnet.serving.status import ServingError

LOGGER = logging.getLogger(__name__)


class ConfigFile:
    """A list of models in a file that may change while the server runs.

    Args:
      path: `--model_config_file`.
      reload: Serves the given list and returns whether its models are available. It calls its second argument while
        it waits, and stops waiting when that returns False because the file has changed again.
    """

    def __init__(self, path: str, reload: Callable[[Sequence[ModelConfig], Callable[[], bool]], bool]) -> None:
        self._path = path
        self._reload = reload
        self._read_content: bytes | None = None
        self._has_list = False
        self._poll_seconds = 0.0
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="config-poller", daemon=True)

    def read(self) -> list[ModelConfig]:
        """Returns the models.

        Raises:
          ServingError: The file is missing, does not parse or has another kind of config, or it is empty after it had
            a list.
        """
        self._read_content = self._content()  # read before parsing, so that `_poll` notices a change made in between
        message = read_config(self._path, model_server_config())
        kind = message.WhichOneof("config")
        if kind == "custom_model_config":
            raise ServingError("custom_model_config is not supported.", grpc.StatusCode.UNIMPLEMENTED)
        if kind is None and self._has_list:  # a file that is being rewritten is empty for a moment
            raise ServingError(
                "Cannot transition to requested config. It is only legal to transition from one ModelConfigList to "
                "another.",
                grpc.StatusCode.FAILED_PRECONDITION,
            )
        self._has_list = kind is not None
        return model_configs(message.model_config_list)

    def watch(self, poll_seconds: float) -> None:
        """Reloads the file whenever its content changes; logs an invalid file and keeps the previous models.

        Args:
          poll_seconds: Time between two checks, in seconds.
        """
        self._poll_seconds = poll_seconds
        self._poller.start()

    def stop(self) -> None:
        """Stops watching the file."""
        self._stopping.set()
        if self._poller.ident:
            self._poller.join()

    def _poll(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            if self._has_content(self._read_content):
                continue
            try:
                wanted = partial(
                    self._has_content, self._content()
                )  # a further change ends the wait: it may correct this one
                if self._reload(self.read(), wanted):
                    LOGGER.info("%s was reloaded; its models are available.", self._path)
            except ServingError as error:
                LOGGER.error("Cannot serve the models of the changed %s: %s", self._path, error)

    def _has_content(self, content: bytes | None) -> bool:
        return self._content() == content

    def _content(self) -> bytes | None:
        try:
            return Path(self._path).read_bytes()
        except OSError:
            return None
