"""Loads the model of one version.

Each error has the code that the real server has for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc

from crossnet.serving.protocol.session import SavedModelSession
from crossnet.serving.status import ServingError

DEFAULT_SIGNATURE = "serving_default"


class LoadedModel(SavedModelSession):
    """A SavedModel that answers requests.

    Args:
      path: The version's folder, with `saved_model.pb` in it.
      tags: Tags of the graph to load.
      session_config: A tf.compat.v1.ConfigProto; None for TensorFlow's defaults.

    Attributes:
      checked_requests: What the predictor remembers of requests that it has checked against this model.

    Raises:
      ServingError: The folder does not contain a model with these tags, or the model is damaged.
      tf.errors.OpError: TensorFlow cannot build the graph or read the variables.
    """

    def __init__(self, path: Path, *, tags: Sequence[str] = ("serve",), session_config: Any = None) -> None:
        try:
            super().__init__(path, tags=tags, session_config=session_config)
        except Exception as error:
            raise _load_error(path, error) from error
        self.checked_requests: dict[Any, Any] = {}

    def close(self) -> None:
        """Frees the session. No call may be running."""
        self.checked_requests.clear()
        super().close()


def _load_error(path: Path, error: Exception) -> Exception:
    """Returns what Python's loader raised with the code that the real server's loader has for it."""
    if isinstance(error, OSError):  # the file is missing, or cannot be parsed
        code = grpc.StatusCode.DATA_LOSS if (path / "saved_model.pb").exists() else grpc.StatusCode.NOT_FOUND
        return ServingError(str(error), code)
    if isinstance(error, RuntimeError):
        return ServingError(f"Could not find meta graph def matching supplied tags: {error}", grpc.StatusCode.NOT_FOUND)
    if isinstance(error, ValueError):  # the graph cannot be imported
        return ServingError(str(error), grpc.StatusCode.INVALID_ARGUMENT)
    return error
