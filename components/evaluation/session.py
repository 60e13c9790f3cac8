"""Runs an exported SavedModel as tensorflow_model_server does."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from crossnet.components.errors import ExportError
from crossnet.serving.protocol.session import SavedModelSession

SIGNATURE = "serving_default"
OUTPUT = "prediction"


class ServingSession:
    """The `serving_default` signature of a SavedModel, open for calls.

    The server restores a SavedModel into a session and runs the tensors that a signature names. Some exports load in
    Python as objects and fail there, so this loads them as the server does. It is also the fastest way, because nothing
    is traced.

    Args:
      path: The SavedModel's folder.

    Attributes:
      inputs: Type of each named input: "float32", "int64" or "string".

    Raises:
      ExportError: It does not load, or it does not have a `serving_default` with the output `prediction`.
    """

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        self.path = path
        try:
            self._model = SavedModelSession(path)
        except (OSError, RuntimeError, ValueError, KeyError, tf.errors.OpError) as error:
            first = (str(error).splitlines() or [""])[0].rstrip(".")
            raise ExportError(
                f"`{path}` does not load as tensorflow_model_server loads it: {type(error).__name__}: {first}. "
                "Expected a SavedModel with the tag `serve`. Export it again with `crossnet run`."
            ) from error
        signatures = self._model.signatures
        if SIGNATURE not in signatures or OUTPUT not in signatures[SIGNATURE].outputs:
            self.close()
            found = ", ".join(f"{name} -> {', '.join(signatures[name].outputs)}" for name in sorted(signatures))
            raise ExportError(
                f"`{path}` does not have the signature `{SIGNATURE}` with the output `{OUTPUT}`. Received: "
                f"{found or 'none'}. Export it again with `crossnet run`."
            )
        signature = signatures[SIGNATURE]
        self.inputs: dict[str, str] = {
            name: tf.dtypes.as_dtype(number).name for name, (_, number) in signature.inputs.items()
        }
        self._dtypes = dict(zip(signature.inputs, signature.dtypes, strict=True))
        self._call = self._model.prepare(signature, (OUTPUT,))

    def predict(self, features: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        """Returns the predictions, float32 (rows,).

        Args:
          features: At least the inputs of the signature, each (rows,), in the form of `read_dataset`.

        Raises:
          ExportError: The call fails, or the answer is not one float32 per row.
        """
        import tensorflow as tf

        rows = len(next(iter(features.values())))
        try:
            values = self._call([np.asarray(features[name], dtype) for name, dtype in self._dtypes.items()])[OUTPUT]
        except tf.errors.OpError as error:
            first = (error.message.splitlines() or [""])[0].rstrip(".")
            raise ExportError(
                f"`{self.path}` does not answer {rows} rows: {type(error).__name__}: {first}. "
                "Export it again with `crossnet run`."
            ) from error
        if values.shape != (rows,) or values.dtype != np.float32:
            raise ExportError(
                f"`{self.path}` answers {rows} rows with {values.dtype} {values.shape}, expected float32 ({rows},). "
                "Export it again with `crossnet run`."
            )
        return values

    def __reduce__(self) -> tuple[type[SharedSession], tuple[Path]]:
        """Another process opens the model itself."""
        return SharedSession, (self.path,)

    def close(self) -> None:
        """Frees the session."""
        self._model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class SharedSession:
    """An exported model in a process that did not open it: a `ServingSession` there when it was pickled.

    All that ask for the same folder share one session, and a process keeps it for the next job.
    """

    path: Path

    def predict(self, features: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        """Returns the predictions, float32 (rows,); raises what `ServingSession` raises."""
        return _shared(self.path).predict(features)


@functools.lru_cache(maxsize=16)
def _shared(path: Path) -> ServingSession:
    return ServingSession(path)
