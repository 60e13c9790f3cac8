"""One SavedModel in a session, loaded and called as tensorflow_model_server does it.

`tf.compat.v1.saved_model.loader` reads models of TensorFlow 1 and 2 alike (`tf.saved_model.load` cannot read all of
the former). A signature is called through `Session._make_callable_from_options`, the Python face of the C++
`Session::MakeCallable` that the real server uses: a quarter of the CPU of a `tf.function` call. It is a private name of
TensorFlow; where it is missing, the public `Session.make_callable` stands in. A graph is run by TensorFlow's
single-threaded executor, which spares a small one the scheduling, unless it has parts of TensorFlow 1 that need more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from crossnet.serving.embedded.codec import numpy_type
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.status import ServingError

DEFAULT_SIGNATURE = "serving_default"
# Each subset of the outputs that clients ask for has a compiled callable of its own; the oldest gives way.
_MOST_CALLABLES = 64
_SINGLE_THREADED = "SINGLE_THREADED_EXECUTOR"
# What the single-threaded executor does not run: TensorFlow 1's control flow (tensorflow/core/graph/graph.h).
_OLD_CONTROL_FLOW = frozenset({"Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "RefEnter", "Exit", "RefExit",
                               "NextIteration", "RefNextIteration", "LoopCond", "ControlTrigger"})  # fmt: skip


@dataclass(frozen=True)
class Signature:
    """A signature as a request needs it.

    Attributes:
      name: Its key in the SavedModel.
      inputs: Alias -> (tensor name, DataType), sorted by alias.
      dtypes: NumPy's type of each input, in the same order; None for one that cannot be sent.
      outputs: Alias -> tensor name, sorted by alias.
      definition: The SignatureDef.
    """

    name: str
    inputs: Mapping[str, tuple[str, int]]
    dtypes: tuple[Any, ...]
    outputs: Mapping[str, str]
    definition: Any


class LoadedModel:
    """A SavedModel that answers.

    Args:
      path: The version's folder, with `saved_model.pb` in it.
      tags: Tags of the graph to load.
      session_config: A tf.compat.v1.ConfigProto; None for TensorFlow's defaults.

    Attributes:
      path: As given.
      signatures: Every signature by name.
      signature_defs: The SignatureDefs by name, as in `saved_model.pb`.
      plans: What a caller has worked out for this model, and wants forgotten with it.

    Raises:
      ServingError: The folder holds no model with these tags, or a damaged one.
      tf.errors.OpError: TensorFlow cannot make the graph or read the variables.
    """

    def __init__(self, path: Path, *, tags: Sequence[str] = ("serve",), session_config: Any = None) -> None:
        import tensorflow as tf

        self.path = path
        try:
            try:
                self._session, graph = _load(path, tags, session_config, _SINGLE_THREADED)
                nodes = [*graph.graph_def.node, *(n for f in graph.graph_def.library.function for n in f.node_def)]
                is_supported = all(node.op not in _OLD_CONTROL_FLOW for node in nodes)
                if not is_supported:
                    self._session.close()
            except tf.errors.UnimplementedError:  # variables of TensorFlow 1, passed by reference
                is_supported = False
            if not is_supported:
                self._session, graph = _load(path, tags, session_config, "")
        except Exception as error:
            raise _load_error(path, error) from error
        self.signature_defs: Mapping[str, Any] = graph.signature_def
        self.signatures = {name: _signature(name, definition) for name, definition in graph.signature_def.items()}
        self._callables: dict[tuple[str, tuple[str, ...]], Callable[..., Sequence[Any]]] = {}
        self.plans: dict[Any, Any] = {}
        self._lock = threading.Lock()

    def run(self, signature: Signature, inputs: Sequence[Array], outputs: tuple[str, ...]) -> dict[str, Array]:
        """Runs the graph in the calling thread.

        Args:
          signature: One of `signatures`.
          inputs: One array per input, in the order of `signature.inputs`, of exactly its type.
          outputs: Aliases to compute.

        Returns:
          Alias -> values.

        Raises:
          tf.errors.OpError: The graph does not take these inputs.
        """
        return self.prepare(signature, outputs)(inputs)

    def prepare(self, signature: Signature, outputs: tuple[str, ...]) -> Callable[[Sequence[Array]], dict[str, Array]]:
        """Returns what `run` does for these outputs, as a function of the inputs."""
        call = self._callables.get((signature.name, outputs))
        if call is None:
            call = self._compile(signature, outputs)

        def run(inputs: Sequence[Array]) -> dict[str, Array]:
            answers = {}
            for alias, value in zip(outputs, call(*inputs), strict=True):
                answers[alias] = value if type(value) is np.ndarray else _as_array(value)
            return answers

        return run

    def _compile(self, signature: Signature, outputs: tuple[str, ...]) -> Callable[..., Sequence[Any]]:
        feeds = [name for name, _ in signature.inputs.values()]
        fetches = [signature.outputs[alias] for alias in outputs]
        with self._lock:
            if hasattr(self._session, "_make_callable_from_options"):
                call = self._private_callable(feeds, fetches)
            else:
                graph = self._session.graph
                call = self._session.make_callable(
                    [graph.get_tensor_by_name(name) for name in fetches],
                    feed_list=[graph.get_tensor_by_name(name) for name in feeds],
                )
            while len(self._callables) >= _MOST_CALLABLES:
                self._callables.pop(next(iter(self._callables)))
            self._callables[signature.name, outputs] = call
        return call

    def _private_callable(self, feeds: list[str], fetches: list[str]) -> Callable[..., Sequence[Any]]:
        from tensorflow.core.protobuf import config_pb2

        options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
        # In the caller's thread: a small graph costs less than the hand-over to a pool and back.
        options.run_options.inter_op_thread_pool = -1
        call: Callable[..., Sequence[Any]] = self._session._make_callable_from_options(options)
        return call

    def close(self) -> None:
        """Frees the session. No call may be running."""
        self._callables.clear()
        self.plans.clear()
        self._session.close()


def _load(path: Path, tags: Sequence[str], session_config: Any, executor: str) -> tuple[Any, Any]:
    """Returns a session with the model in it, and the model's MetaGraphDef."""
    import tensorflow as tf

    config = tf.compat.v1.ConfigProto()
    if session_config is not None:
        config.CopyFrom(session_config)
    config.experimental.executor_type = executor
    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    try:
        with session.graph.as_default(), _WithoutDeprecationNotes():
            return session, tf.compat.v1.saved_model.loader.load(session, list(tags), str(path))
    except BaseException:
        session.close()
        raise


def _load_error(path: Path, error: Exception) -> Exception:
    """Gives what Python's loader raises the code that the real server's loader has for it."""
    if isinstance(error, OSError):  # not there, or not to be parsed
        code = grpc.StatusCode.DATA_LOSS if (path / "saved_model.pb").exists() else grpc.StatusCode.NOT_FOUND
        return ServingError(str(error), code)
    if isinstance(error, RuntimeError):
        return ServingError(f"Could not find meta graph def matching supplied tags: {error}", grpc.StatusCode.NOT_FOUND)
    if isinstance(error, ValueError):  # the graph cannot be imported
        return ServingError(str(error), grpc.StatusCode.INVALID_ARGUMENT)
    return error


def _signature(name: str, definition: Any) -> Signature:
    inputs = {alias: definition.inputs[alias] for alias in sorted(definition.inputs)}
    return Signature(
        name,
        {alias: (info.name, info.dtype) for alias, info in inputs.items()},
        tuple(numpy_type(info.dtype) for info in inputs.values()),
        {alias: definition.outputs[alias].name for alias in sorted(definition.outputs)},
        definition,
    )


def _as_array(value: Any) -> Array:
    """Returns what a callable gave back as an array; a scalar string comes as `bytes`."""
    if isinstance(value, bytes | str):
        scalar = np.empty((), np.object_)
        scalar[()] = value
        return scalar
    return np.asarray(value)


class _WithoutDeprecationNotes:
    """Keeps TensorFlow from telling the user that the loader, the real server's own, belongs to version 1."""

    def __enter__(self) -> None:
        import tensorflow as tf

        self._logger = tf.get_logger()
        self._logger.addFilter(self._keep)

    def __exit__(self, *_: object) -> None:
        self._logger.removeFilter(self._keep)

    @staticmethod
    def _keep(record: Any) -> bool:
        return "deprecated" not in str(record.msg)
