"""Runs a step in its own process and hands its log back.

Each process is a new Python, so steps at work at the same time share nothing of TensorFlow's. All of them have as many
threads as the only process of a serial run would have: the number of threads can change how floats are summed.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import pickle
import traceback
from collections.abc import Callable, Iterator, Sequence
from logging.handlers import QueueHandler
from multiprocessing import connection
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from crossnet.components.artifacts.base import Artifact
from crossnet.components.engines.spawn import without_main
from crossnet.components.signal_watch import work_for_parent
from crossnet.pipeline.console import LOGGER
from crossnet.pipeline.faults import FaultError
from crossnet.pipeline.threads import claim_process, may_limit

_PATIENCE_SECONDS = 2.0  # a process that is killed ends at once, unless a disk holds it


class StepProcess:
    """A process that calls one function for a step and ends; use it in a `with` block, which kills it.

    Args:
      step: The step's name.
      function: What makes the artifact. It is pickled, and so is what it returns or raises.
    """

    def __init__(self, step: str, function: Callable[[], Artifact]) -> None:
        self.step = step
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_work, args=(step, function, theirs, may_limit()), name=step, daemon=True
        )
        try:
            with without_main():
                self._process.start()
        finally:
            theirs.close()

    def result(self) -> Artifact | Exception | None:
        """Takes one message, and waits for it: what the function returned or raised; None: a line for the log.

        Lines go to the loggers of this process.
        """
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            self._process.join(_PATIENCE_SECONDS)
            return FaultError(
                f"`{self.step}` failed: the system ended its process, as it does when memory runs out. Set --jobs "
                "lower, or allow more memory."
            )
        if isinstance(message, logging.LogRecord):
            logging.getLogger(message.name).handle(message)
            return None
        found: Artifact | Exception = message
        return found

    def kill(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()
        connection.wait([self._process.sentinel], _PATIENCE_SECONDS)  # so that nothing writes any more
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.kill()


def results(processes: Sequence[StepProcess]) -> Iterator[tuple[StepProcess, Artifact | Exception]]:
    """Waits until any of the processes has said something, and yields those that are done."""
    ready = connection.wait([process.connection for process in processes])
    for process in processes:
        if process.connection in ready and (found := process.result()) is not None:
            yield process, found


class _Sender(QueueHandler):
    """Sends what the step logs to the parent, with the step's name."""

    def __init__(self, step: str, channel: Connection) -> None:
        super().__init__(channel)  # type: ignore[arg-type]  # a queue for `enqueue` alone, which is ours
        self._step = step

    def enqueue(self, record: logging.LogRecord) -> None:
        record.step, record.of = self._step, f"{self._step}: "
        with contextlib.suppress(OSError):  # the parent has ended; so does this process, at once
            self.queue.send(record)  # type: ignore[attr-defined]


def _work(step: str, function: Callable[[], Artifact], channel: Connection, ours: bool) -> None:
    work_for_parent()
    if ours:
        claim_process()
    LOGGER.addHandler(_Sender(step, channel))
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False  # TensorFlow adds a handler to the root logger
    message: Any
    try:
        message = function()
    except Exception as error:
        message = _portable(error)
    channel.send(message)


def _portable(error: Exception) -> Exception:
    """Returns an error that the parent can read, with this process's traceback as a note."""
    note = traceback.format_exc().rstrip()
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"In the step's process:\n{note}")
    return error
