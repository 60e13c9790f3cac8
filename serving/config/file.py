"""The model config file of a running server: read at the start, and again whenever it has changed."""

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

log = logging.getLogger(__name__)


class ConfigFile:
    """A list of models in a file.

    Args:
      path: `--model_config_file`.
      reload: Puts another list into service, and returns whether its models answer; it gives up when its second
        argument, asked now and then, says that the list is no longer wanted.
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
          ServingError: The file is not there, or no list of models; it may be empty only until it has held a list.
        """
        self._read_content = self._content()  # before it is parsed: a later change is noticed
        message = read_config(self._path, model_server_config())
        kind = message.WhichOneof("config")
        if kind == "custom_model_config":
            raise ServingError("custom_model_config is not supported.", grpc.StatusCode.UNIMPLEMENTED)
        if kind is None and self._has_list:  # a file that is being written anew is empty for a moment
            raise ServingError(
                "Cannot transition to requested config. It is only legal to transition from one ModelConfigList to "
                "another.",
                grpc.StatusCode.FAILED_PRECONDITION,
            )
        self._has_list = kind is not None
        return model_configs(message.model_config_list)

    def watch(self, poll_seconds: float) -> None:
        """Puts each later content of the file into service; one that is wrong is logged, and what was stays.

        Args:
          poll_seconds: How often it is looked at.
        """
        self._poll_seconds = poll_seconds
        self._poller.start()

    def stop(self) -> None:
        """Looks no more."""
        self._stopping.set()
        if self._poller.ident:
            self._poller.join()

    def _poll(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            if self._is(self._read_content):
                continue
            try:
                wanted = partial(self._is, self._content())  # another change ends the wait: it may mend this one
                if self._reload(self.read(), wanted):
                    log.info("%s is in service.", self._path)
            except ServingError as error:
                log.error("%s was changed and is not in service as it stands: %s", self._path, error)

    def _is(self, content: bytes | None) -> bool:
        return self._content() == content

    def _content(self) -> bytes | None:
        try:
            return Path(self._path).read_bytes()
        except OSError:
            return None
