"""Holds requests that run together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import grpc

from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.session import GraphSignature
from crossnet.serving.status import ServingError


class Task:
    """A request, or a part of one, that waits in a batch.

    Args:
      queue: Of which model and signature.
      inputs: Its inputs, in the graph's order, each with the same number of rows.
      deadline: When nobody waits for it any more, in seconds of `time.monotonic`; None for never.

    Attributes:
      inputs, deadline: As given.
      rows: Its number of rows.
      key: What requests must share to run together: signature, shape of a row, and types.
      queued: When it came, in seconds of `time.monotonic`.
      outputs, error: One of them is there when it has run.
    """

    __slots__ = ("_done", "deadline", "error", "inputs", "key", "outputs", "queued", "rows")

    def __init__(self, queue: Any, inputs: Sequence[Array], deadline: float | None) -> None:
        self.inputs, self.rows, self.deadline = inputs, len(inputs[0]), deadline
        self.key = (queue, *((array.shape[1:], array.dtype) for array in inputs))
        self.queued = time.monotonic()
        self.outputs: dict[str, Array] | None = None
        self.error: Exception | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def finish(self, outputs: dict[str, Array] | None, error: Exception | None = None) -> None:
        """Wakes the thread that waits."""
        self.outputs, self.error = outputs, error
        self._done.release()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until it has run, and returns whether it has."""
        return self._done.acquire(timeout=-1 if seconds is None else max(0.0, seconds))


class Batch:
    """Requests that will run together.

    Args:
      queue: Of which model and signature.
      key: Of its tasks.
      ready_at: When it runs though it is not full, in seconds of `time.monotonic`.

    Attributes:
      queue, key, ready_at: As given.
      tasks: The requests.
      rows: How many rows these have.
    """

    __slots__ = ("key", "queue", "ready_at", "rows", "tasks")

    def __init__(self, queue: Any, key: Any, ready_at: float) -> None:
        self.queue, self.key, self.ready_at = queue, key, ready_at
        self.tasks: list[Task] = []
        self.rows = 0


def check_rows(outputs: dict[str, Array], rows: int) -> None:
    """Raises FAILED_PRECONDITION if an output does not have a value for each row, with the real server's words."""
    for values in outputs.values():
        if not values.ndim:
            raise ServingError("Batched output tensor has 0 dimensions", grpc.StatusCode.FAILED_PRECONDITION)
        if len(values) != rows:
            raise ServingError(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors",
                grpc.StatusCode.FAILED_PRECONDITION,
            )


def takes_batches(signature: GraphSignature) -> bool:
    """Returns whether each input and output of a signature says that its first dimension may be of any size."""
    tensors = (*signature.definition.inputs.values(), *signature.definition.outputs.values())
    shapes = [tensor.tensor_shape for tensor in tensors]
    return bool(signature.inputs) and all(
        shape.unknown_rank or (shape.dim and shape.dim[0].size == -1) for shape in shapes
    )
