"""Loads the model of one version.

Each error has the code that the real server has for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from crossnet.serving.config.versions import MODEL_FILES
from crossnet.serving.protocol.bounded_text import cut
from crossnet.serving.protocol.session import SavedModelSession
from crossnet.serving.status import ServingError

DEFAULT_SIGNATURE = "serving_default"
# They call a function of the Python process that made the graph. TensorFlow's Python package has kernels for them
# (tensorflow/python/lib/core/py_func.cc), tensorflow_model_server has not.
_PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})


class LoadedModel(SavedModelSession):
    """A SavedModel that answers requests.

    Args:
      path: The version's folder, with `saved_model.pb` in it.
      tags: Tags of the graph to load.
      session_config: A tf.compat.v1.ConfigProto; None for TensorFlow's defaults.

    Attributes:
      checked_requests: What the predictor remembers of requests that it has checked against this model.

    Raises:
      ServingError: The folder does not contain a model with these tags, the model is damaged, or it calls Python.
      tf.errors.OpError: TensorFlow cannot build the graph or read the variables.
    """

    def __init__(self, path: Path, *, tags: Sequence[str] = ("serve",), session_config: Any = None) -> None:
        _refuse_python(path)
        try:
            super().__init__(path, tags=tags, session_config=session_config)
        except Exception as error:
            raise _load_error(path, error) from error
        self.checked_requests: dict[Any, Any] = {}

    def close(self) -> None:
        """Frees the session. No call may be running."""
        self.checked_requests.clear()
        super().close()


def _refuse_python(path: Path) -> None:
    """Raises an error if a graph in a model's folder has an operation that calls Python, in a function or outside."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    file = next((path / name for name in MODEL_FILES if (path / name).is_file()), path)
    try:
        content = file.read_bytes()
        if b"PyFunc" not in content:
            return
        if file.suffix == ".pbtxt":
            text_format.Parse(content, model)
        else:
            model.ParseFromString(content)
    except (OSError, DecodeError, text_format.ParseError):  # loading it says why
        return
    for graph in (meta_graph.graph_def for meta_graph in model.meta_graphs):
        functions = ((function.signature.name, function.node_def) for function in graph.library.function)
        for name, nodes in (("", graph.node), *functions):
            for node in nodes:
                if node.op in _PYTHON_OPS:
                    where = f" in function `{cut(name)}`" if name else ""
                    raise ServingError(
                        f"No OpKernel was registered to support Op '{node.op}' used by node `{cut(node.name)}`{where}: "
                        "it calls a Python function, which exists only in the process that exported the model. Write "
                        "that function with TensorFlow operations and export the model again.",
                        grpc.StatusCode.INVALID_ARGUMENT,
                    )


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
