"""Trains trials in processes, each of which starts TensorFlow once."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.engines.spawn import without_main
from crossnet.components.errors import DivergedError, PipelineError
from crossnet.components.params.networks import ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.signal_watch import work_for_parent
from crossnet.pipeline.faults import FaultError
from crossnet.pipeline.tune.study import STEPS

_PATIENCE_SECONDS = 2.0


class Rows(NamedTuple):
    """What trials are trained on."""

    examples: Examples
    schema: Schema
    statistics: Statistics


class Passed(NamedTuple):
    """A share of a trial's epochs is done; `loss` is the lowest so far. The worker waits for `go_on`."""

    share: float
    loss: float


class Whole(NamedTuple):
    """A trial was trained to its end."""

    rmse: float
    facts: dict[str, Any]


class Stopped(NamedTuple):
    """A trial was ended because it was not worth more epochs."""

    seconds: float


class Failed(NamedTuple):
    """A trial cannot be trained; `diverged`: its loss was not finite, which says nothing against other values."""

    error: str
    diverged: bool


Message = Passed | Whole | Stopped | Failed


class Worker:
    """A process that trains one trial after the other; use it in a `with` block, which kills it.

    Args:
      rows: What trials are trained on.
      scratch: A folder for rows that do not fit in memory.

    Attributes:
      trial: What it trains at present, for who asked for that; None: nothing.
    """

    def __init__(self, rows: Rows, scratch: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.trial: Any = None
        self._process = context.Process(target=_work, args=(rows, scratch, theirs), name="trials", daemon=True)
        try:
            with without_main():
                self._process.start()
        finally:
            theirs.close()

    def begin(self, trial: Any, params: TrainerParams, model: ModelParams) -> None:
        """Begins to train a trial."""
        self.trial = trial
        self.connection.send((params, model))

    def go_on(self, goes_on: bool) -> None:
        """Answers a `Passed`."""
        self.connection.send(goes_on)

    def message(self) -> Message:
        """Takes one message, and waits for it; but for `Passed`, it ends the trial.

        Raises:
          FaultError: The process has ended.
          Exception: A defect of ours, as it was raised there.
        """
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            self._process.join(_PATIENCE_SECONDS)
            raise FaultError(
                "A trial failed: the system ended its process, as it does when memory runs out. Set --jobs lower, or "
                "allow more memory. Trials that are done are kept."
            ) from None
        if isinstance(message, BaseException):
            raise message
        if not isinstance(message, Passed):
            self.trial = None
        found: Message = message
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._process.kill()
        connection.wait([self._process.sentinel], _PATIENCE_SECONDS)
        self.connection.close()


class _NotWorthIt(Exception):
    """The rest of a trial would be in vain."""


def _work(rows: Rows, scratch: Path, channel: Connection) -> None:
    work_for_parent()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from crossnet.components.training.trial import try_settings

    while True:
        params, model = channel.recv()
        start, step = time.perf_counter(), 0

        def report(share: float, loss: float) -> None:
            nonlocal step
            if int(share * STEPS + 1e-9) > step:
                step = int(share * STEPS + 1e-9)
                channel.send(Passed(share, loss))
                if not channel.recv():
                    raise _NotWorthIt

        message: Any
        try:
            with tempfile.TemporaryDirectory(prefix=".tmp-", dir=scratch) as folder:
                found = try_settings(*rows, params=params, model=model, scratch=Path(folder), on_epoch=report)
            facts = {"epochs": found.epochs, "parameters": found.parameters, "rows": found.rows}
            message = Whole(found.rmse, {**facts, "seconds": time.perf_counter() - start})
        except _NotWorthIt:
            message = Stopped(time.perf_counter() - start)
        except PipelineError as error:
            message = Failed(str(error), isinstance(error, DivergedError))
        except Exception as error:
            message = RuntimeError(f"{type(error).__name__}: {error}")
        channel.send(message)
