"""Puts the rows of requests that wait together into batches.

A model's call costs nearly the same for one row as for many. Batches of the real server: tensorflow/core
kernels/batching_util/shared_batch_scheduler.h and tensorflow/serving batching/batching_session.cc. Here a batch holds
rows of one shape only, and where it fails, each of its requests runs alone, so that none gets another's error.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np

from crossnet.serving.config.batching import BatchSettings
from crossnet.serving.embedded.batch_tasks import Batch, Task, check_rows, takes_batches
from crossnet.serving.embedded.current_call import CALL
from crossnet.serving.embedded.model import LoadedModel
from crossnet.serving.protocol.codes import invalid
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.session import GraphSignature
from crossnet.serving.status import ServingError

if TYPE_CHECKING:
    from crossnet.serving.embedded.metrics import Metrics

Run = Callable[[Sequence[Array]], dict[str, Array]]
_LATE = "The deadline passed while the request waited for a batch."


class BatchQueue:
    """The batches of one signature of one version.

    Args:
      batcher: Runs them.
      name: The signature's.
      run: Computes the outputs from the inputs.

    Attributes:
      num_waiting: Its batches that wait.
    """

    def __init__(self, batcher: Batcher, name: str, run: Run) -> None:
        self.name, self.run_alone = name, run
        self.num_waiting = 0
        self._batcher = batcher

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """Computes the outputs of one request, as a part of a batch; returns when they are there.

        Raises:
          ServingError: INVALID_ARGUMENT, the inputs do not have the same number of rows, or have too many; UNAVAILABLE,
            the queue is full; DEADLINE_EXCEEDED, the deadline passed in the queue.
          tf.errors.OpError: The graph does not take the inputs.
        """
        settings = self._batcher.settings
        if not all(array.ndim for array in inputs):
            raise invalid("Batching Run() input tensors must have at least one dimension")
        rows = len(inputs[0])
        if any(len(array) != rows for array in inputs):
            raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
        if not rows:
            return self.run_alone(inputs)
        if rows > settings.max_batch_size:
            raise invalid(f"Task size {rows} is larger than maximum input batch size {settings.max_batch_size}")
        step = settings.max_execution_batch_size
        if rows <= step:
            return self._batcher.run(self, [Task(self, inputs, CALL.deadline)])[0]
        parts = [[array[start : start + step] for array in inputs] for start in range(0, rows, step)]
        answers = self._batcher.run(self, [Task(self, part, CALL.deadline) for part in parts])
        return {alias: np.concatenate([answer[alias] for answer in answers]) for alias in answers[0]}


class Batcher:
    """Runs batches in threads of its own.

    Args:
      settings: How requests become batches.
      metrics: Counts batches and waits; None: they are not counted.

    Attributes:
      settings: As given.
    """

    def __init__(self, settings: BatchSettings, metrics: Metrics | None = None) -> None:
        self.settings = settings
        self._metrics = metrics
        self._waiting: deque[Batch] = deque()  # the oldest first
        self._open: dict[Any, Batch] = {}  # of these, those that take further requests
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, name="batches", daemon=True) for _ in range(settings.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Runs what still waits, and ends the threads."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def run(self, queue: BatchQueue, tasks: Sequence[Task]) -> list[dict[str, Array]]:
        """Lets the parts of one request run, and returns the outputs of each.

        Raises:
          ServingError: As `BatchQueue.run`.
        """
        with self._changed:
            if self._closing:
                raise ServingError("The server is shutting down.", grpc.StatusCode.UNAVAILABLE)
            self._check_room(queue, tasks)
            for task in tasks:
                self._put(queue, task)
        for task in tasks:
            self._await(task)
        if error := next((task.error for task in tasks if task.error), None):
            raise error
        return [task.outputs for task in tasks if task.outputs is not None]

    # ---- The queue; called with the lock held ----

    def _check_room(self, queue: BatchQueue, tasks: Sequence[Task]) -> None:
        """Raises an error if the batches of a queue do not have room for all the parts of a request."""
        batch = self._open.get(tasks[0].key)
        fits = batch is not None and batch.rows + tasks[0].rows <= self.settings.max_execution_batch_size
        if queue.num_waiting + len(tasks) - fits > self.settings.max_enqueued_batches:
            raise ServingError(
                "The batch scheduling queue to which this task was submitted is full", grpc.StatusCode.UNAVAILABLE
            )

    def _put(self, queue: BatchQueue, task: Task) -> None:
        most = self.settings.max_execution_batch_size
        batch = self._open.get(task.key)
        if batch is None or batch.rows + task.rows > most:
            if batch is not None:
                self._seal(batch)
            batch = Batch(queue, task.key, time.monotonic() + self.settings.batch_timeout_micros / 1e6)
            self._open[task.key] = batch
            self._waiting.append(batch)
            queue.num_waiting += 1
            self._changed.notify()
        batch.tasks.append(task)
        batch.rows += task.rows
        if batch.rows >= most:
            self._seal(batch)

    def _seal(self, batch: Batch) -> None:
        """Lets a batch run, with nothing more in it."""
        batch.ready_at = 0.0
        if self._open.get(batch.key) is batch:
            del self._open[batch.key]
        self._changed.notify()

    def _take(self) -> Batch | None:
        """Waits for a batch that may run, and takes it; None when the threads should end."""
        while True:
            now = time.monotonic()
            for batch in self._waiting:
                if batch.ready_at <= now or self._closing:
                    self._waiting.remove(batch)
                    self._seal(batch)
                    batch.queue.num_waiting -= 1
                    return batch
            if self._closing:
                return None
            self._changed.wait(min((batch.ready_at for batch in self._waiting), default=now + 3600) - now)

    # ---- The threads ----

    def _await(self, task: Task) -> None:
        """Waits until a task has run; where its deadline passes before that, takes it out of the queue."""
        if task.deadline is None:
            task.wait()
        elif not task.wait(task.deadline - time.monotonic()):
            with self._lock:
                batch = next((batch for batch in self._waiting if task in batch.tasks), None)
                if batch is not None:
                    batch.tasks.remove(task)
                    batch.rows -= task.rows
                    task.finish(None, ServingError(_LATE, grpc.StatusCode.DEADLINE_EXCEEDED))
            task.wait()  # a batch that runs cannot be interrupted, and needs its model

    def _work(self) -> None:
        while True:
            with self._changed:
                batch = self._take()
            if batch is None:
                return
            self._answer(batch)
            del batch

    def _answer(self, batch: Batch) -> None:
        """Runs a batch, and gives each of its requests its answer or its error."""
        now = time.monotonic()
        tasks = []
        for task in batch.tasks:
            if self._metrics:
                self._metrics.add_queued(self.settings.thread_pool_name, now - task.queued)
            if task.deadline is not None and task.deadline <= now:
                task.finish(None, ServingError(_LATE, grpc.StatusCode.DEADLINE_EXCEEDED))
            else:
                tasks.append(task)
        if not tasks:
            return
        try:
            answers = self._run(batch.queue, tasks)
        except Exception as error:
            if len(tasks) == 1:
                tasks[0].finish(None, error)
                return
            for task in tasks:
                self._answer_alone(batch.queue, task)
            return
        for task, answer in zip(tasks, answers, strict=True):
            task.finish(answer)

    def _answer_alone(self, queue: BatchQueue, task: Task) -> None:
        try:
            (answer,) = self._run(queue, [task])
        except Exception as error:
            task.finish(None, error)
        else:
            task.finish(answer)

    def _run(self, queue: BatchQueue, tasks: Sequence[Task]) -> list[dict[str, Array]]:
        """Returns the outputs of each task, from one run of the model."""
        rows = sum(task.rows for task in tasks)
        size = self.settings.padded(rows)
        if self._metrics:
            self._metrics.add_batch(queue.name, size)
        if len(tasks) == 1 and size == rows:
            outputs = queue.run_alone(tasks[0].inputs)
            check_rows(outputs, rows)
            return [outputs]
        # A row of a request is one that the model takes, so copies of it fill up the batch.
        filling = [np.repeat(array[:1], size - rows, axis=0) for array in tasks[-1].inputs]
        inputs = [np.concatenate(parts) for parts in zip(*(task.inputs for task in tasks), filling, strict=True)]
        outputs = queue.run_alone(inputs)
        check_rows(outputs, size)
        answers, start = [], 0
        for task in tasks:
            answers.append({alias: values[start : start + task.rows] for alias, values in outputs.items()})
            start += task.rows
        return answers


class BatchedModel(LoadedModel):
    """A model whose requests run in batches.

    Signatures that do not take any number of rows run one request at a time, as do requests for a part of the outputs
    only (the real server's batches have all of them, too).

    Args:
      path: The version's folder.
      batcher: Runs the batches.
      options: As `LoadedModel`.
    """

    def __init__(self, path: Path, batcher: Batcher, **options: Any) -> None:
        super().__init__(path, **options)
        self._batcher = batcher
        self._queues: dict[str, BatchQueue] = {}

    def prepare(self, signature: GraphSignature, outputs: tuple[str, ...]) -> Run:
        """Returns a function of the inputs that waits for a batch and returns the outputs."""
        alone = super().prepare(signature, outputs)
        if len(outputs) < len(signature.outputs) or not takes_batches(signature):
            return alone
        queue = self._queues.get(signature.name)
        if queue is None:
            queue = self._queues.setdefault(signature.name, BatchQueue(self._batcher, signature.name, alone))
        return queue.run
