"""Loads a SavedModel into a TensorFlow session and calls its signatures.

The embedded server answers requests with it, and the Evaluator judges exported models with it. It loads and runs a
model as tensorflow_model_server does: `tf.compat.v1.saved_model.loader` reads models of TensorFlow 1 and 2
(`tf.saved_model.load` cannot read all models of TensorFlow 1), and `Session._make_callable_from_options` is the Python
face of the C++ `Session::MakeCallable`, which the real server calls. It takes a quarter of the CPU of a `tf.function`
call and never casts an input. It is a private name of TensorFlow; where it is missing, the public
`Session.make_callable` is used. TensorFlow's single-threaded executor runs the graph, because it schedules small graphs
at less cost, unless the graph contains control flow of TensorFlow 1, which that executor cannot run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossnet.serving.protocol.dtypes import Array, tensorflow_numpy_type

# Each subset of the outputs that callers ask for has a compiled callable; the oldest is dropped first.
_MAX_CALLABLES = 64
_MAX_QUOTED = 200  # bytes of a message that is not text
_SINGLE_THREADED = "SINGLE_THREADED_EXECUTOR"
# What the single-threaded executor does not run: TensorFlow 1's control flow (tensorflow/core/graph/graph.h).
_OLD_CONTROL_FLOW = frozenset({"Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "RefEnter", "Exit", "RefExit",
                               "NextIteration", "RefNextIteration", "LoopCond", "ControlTrigger"})  # fmt: skip


@dataclass(frozen=True)
class GraphSignature:
    """A signature, with the tensors of the graph that it names.

    Attributes:
      name: Its key in the SavedModel.
      inputs: Alias -> (tensor name, DataType), sorted by alias.
      dtypes: NumPy's type of each input, in the same order; None for a type that NumPy does not have.
      outputs: Alias -> tensor name, sorted by alias.
      definition: The SignatureDef.
    """

    name: str
    inputs: Mapping[str, tuple[str, int]]
    dtypes: tuple[Any, ...]
    outputs: Mapping[str, str]
    definition: Any


class SavedModelSession:
    """A SavedModel in a session, ready for calls from any number of threads.

    Args:
      path: The model's folder, with `saved_model.pb` in it.
      tags: Tags of the graph to load.
      session_config: A tf.compat.v1.ConfigProto; None for TensorFlow's defaults.

    Attributes:
      path: As given.
      signatures: Every signature by name.
      signature_defs: The SignatureDefs by name, as in `saved_model.pb`.

    Raises:
      OSError: The folder does not contain a SavedModel, or it cannot be parsed.
      RuntimeError: The SavedModel does not contain a graph with these tags.
      ValueError: The graph cannot be imported.
      tf.errors.OpError: TensorFlow cannot build the graph or read the variables.
    """

    def __init__(self, path: Path, *, tags: Sequence[str] = ("serve",), session_config: Any = None) -> None:
        import tensorflow as tf

        self.path = path
        try:
            self._session, graph = _load(path, tags, session_config, _SINGLE_THREADED)
            is_supported = not _has_old_control_flow(graph.graph_def)
            if not is_supported:
                self._session.close()
        except tf.errors.UnimplementedError:  # variables of TensorFlow 1, passed by reference
            is_supported = False
        if not is_supported:
            self._session, graph = _load(path, tags, session_config, "")
        self.signature_defs: Mapping[str, Any] = graph.signature_def
        self.signatures = {name: _signature(name, definition) for name, definition in graph.signature_def.items()}
        self._callables: dict[tuple[str, tuple[str, ...]], Callable[..., Sequence[Any]]] = {}
        self._lock = threading.Lock()

    def run(self, signature: GraphSignature, inputs: Sequence[Array], outputs: tuple[str, ...]) -> dict[str, Array]:
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

    def prepare(
        self, signature: GraphSignature, outputs: tuple[str, ...]
    ) -> Callable[[Sequence[Array]], dict[str, Array]]:
        """Returns what `run` does for these outputs, as a function of the inputs."""
        call = self._callables.get((signature.name, outputs))
        if call is None:
            call = self._compile(signature, outputs)

        def run(inputs: Sequence[Array]) -> dict[str, Array]:
            answers = {}
            try:
                for alias, value in zip(outputs, call(*inputs), strict=True):
                    answers[alias] = value if type(value) is np.ndarray else _as_array(value)
            except UnicodeDecodeError as error:
                raise _quoting_error(error) from None
            return answers

        return run

    def close(self) -> None:
        """Frees the session. No call may be running."""
        self._callables.clear()
        self._session.close()

    def _compile(self, signature: GraphSignature, outputs: tuple[str, ...]) -> Callable[..., Sequence[Any]]:
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
            while len(self._callables) >= _MAX_CALLABLES:
                self._callables.pop(next(iter(self._callables)))
            self._callables[signature.name, outputs] = call
        return call

    def _private_callable(self, feeds: list[str], fetches: list[str]) -> Callable[..., Sequence[Any]]:
        from tensorflow.core.protobuf import config_pb2

        options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
        # In the caller's thread: a small graph costs less than handing it over to a pool and back.
        options.run_options.inter_op_thread_pool = -1
        call: Callable[..., Sequence[Any]] = self._session._make_callable_from_options(options)
        return call


def _load(path: Path, tags: Sequence[str], session_config: Any, executor: str) -> tuple[Any, Any]:
    """Returns a session with the model in it, and the model's MetaGraphDef."""
    import tensorflow as tf

    config = tf.compat.v1.ConfigProto()
    if session_config is not None:
        config.CopyFrom(session_config)
    config.experimental.executor_type = executor
    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    try:
        with session.graph.as_default(), _WithoutDeprecationWarning():
            return session, tf.compat.v1.saved_model.loader.load(session, list(tags), str(path))
    except BaseException:
        session.close()
        raise


def _has_old_control_flow(graph: Any) -> bool:
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return any(node.op in _OLD_CONTROL_FLOW for node in nodes)


def _signature(name: str, definition: Any) -> GraphSignature:
    inputs = {alias: definition.inputs[alias] for alias in sorted(definition.inputs)}
    return GraphSignature(
        name,
        {alias: (info.name, info.dtype) for alias, info in inputs.items()},
        tuple(tensorflow_numpy_type(info.dtype) for info in inputs.values()),
        {alias: definition.outputs[alias].name for alias in sorted(definition.outputs)},
        definition,
    )


def _quoting_error(error: UnicodeDecodeError) -> Exception:
    """Returns the error of a graph whose message quotes an input that is not text, such as a damaged tf.Example.

    Python cannot decode that message, and its code is lost: what is quoted is an argument, and an invalid one.
    """
    import tensorflow as tf

    message = bytes(error.object[:_MAX_QUOTED]).decode(errors="replace")
    return tf.errors.InvalidArgumentError(None, None, message + ("..." if len(error.object) > _MAX_QUOTED else ""))


def _as_array(value: Any) -> Array:
    """Returns what a callable gave back as an array; a scalar string comes as `bytes`."""
    if isinstance(value, bytes | str):
        scalar = np.empty((), np.object_)
        scalar[()] = value
        return scalar
    return np.asarray(value)


class _WithoutDeprecationWarning:
    """Hides TensorFlow's warning that the loader, which the real server uses too, belongs to version 1."""

    def __enter__(self) -> None:
        import tensorflow as tf

        self._logger = tf.get_logger()
        self._logger.addFilter(self._is_shown)

    def __exit__(self, *_: object) -> None:
        self._logger.removeFilter(self._is_shown)

    @staticmethod
    def _is_shown(record: Any) -> bool:
        return "deprecated" not in str(record.msg)
