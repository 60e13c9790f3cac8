"""Follows the stores of all models, and places their copies."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.config.versions import ModelConfig, VersionPolicy
from crossnet.serving.embedded.mirror import Mirror


class Mirrors:
    """Has a mirror for each store and policy that a list of models names.

    Args:
      flags: The server's.
      on_change: Called after a copy has changed.
    """

    def __init__(self, flags: ServerFlags, on_change: Callable[[], None]) -> None:
        self._cache = Path(flags.model_cache_dir) if flags.model_cache_dir else default_cache()
        self._poll_seconds = flags.file_system_poll_wait_seconds
        self._on_change = on_change
        self._mirrors: dict[tuple[str, VersionPolicy], Mirror] = {}

    def configure(self, configs: Sequence[ModelConfig], take: Callable[[Sequence[ModelConfig]], None]) -> None:
        """Gives `take` a list of models with folders here in place of URIs, and follows the stores from then on.

        Raises:
          ServingError: A copy cannot be kept, or `take` does not take the list; the old list is followed on.
        """
        mirrors: dict[tuple[str, VersionPolicy], Mirror] = {}
        placed = []
        try:
            for config in configs:
                if config.source:
                    key = config.source, config.policy
                    mirrors[key] = mirrors.get(key) or self._mirrors.get(key) or self._mirror(config)
                    config = dataclasses.replace(config, base_path=mirrors[key].folder)
                placed.append(config)
            take(placed)
        except BaseException:
            for key in mirrors.keys() - self._mirrors.keys():
                mirrors[key].stop()
            raise
        before, self._mirrors = self._mirrors, mirrors
        for key in before.keys() - mirrors.keys():
            before[key].stop()
        for key in mirrors.keys() - before.keys():
            mirrors[key].start()

    def stop(self) -> None:
        """Stops following."""
        for mirror in self._mirrors.values():
            mirror.stop()

    def _mirror(self, config: ModelConfig) -> Mirror:
        return Mirror(config, self._cache, poll_seconds=self._poll_seconds, on_change=self._on_change)


def default_cache() -> Path:
    """Returns the folder for copies unless `--model_cache_dir` names one."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "crossnet" / "models"
