"""Runs jobs in processes of this machine.

The processes are started when a step has work enough, and shared by all steps of a run.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any, Self, TypeVar

from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.engines.spawn import without_main
from crossnet.components.signal_watch import work_for_parent

T = TypeVar("T")

# To start a pool of two took 0.45 s and 0.7 CPU s (2026-11-29, 2 shared cores), for each process imports NumPy and
# pyarrow; one process reads at some 100 MB/s, so two gain that where they read 90 MB or more.
LEAST_BYTES = 128 << 20
_PATIENCE_SECONDS = 2.0  # a process that is killed ends at once, unless a disk holds it


class LocalEngine:
    """A pool of processes; use it in a `with` block.

    Each process is a new Python: it inherits nothing that a library holds. It leaves Ctrl-C to this process, and ends
    when this one does. After an error nothing of the pool is kept: what still runs is killed, so that nothing writes
    into a folder that is being removed.

    Args:
      num_workers: How many processes; 1: none, jobs run in this process.
      least_bytes: A step that reads less runs in this process.

    Attributes:
      width: `num_workers`.
    """

    def __init__(self, num_workers: int, *, least_bytes: int = LEAST_BYTES) -> None:
        self.width = num_workers
        self._least_bytes = least_bytes
        self._pool: ProcessPoolExecutor | None = None
        self._workers: set[BaseProcess] = set()

    def for_bytes(self, size: int) -> Engine:
        """Returns itself where several processes are faster."""
        return self if self.width > 1 and size >= self._least_bytes else IN_PROCESS

    def map(self, function: Callable[..., T], jobs: Sequence[tuple[Any, ...]]) -> Iterator[T]:
        """Calls `function` with the arguments of each job; a single job is done in this process.

        Raises:
          BrokenProcessPool: The system has killed a process.
          Exception: What the first job in this order that fails raises, whatever came after it.
        """
        if self.width == 1 or len(jobs) < 2:
            yield from IN_PROCESS.map(function, jobs)
            return
        try:
            futures = deque(self._submit(function, job) for job in jobs)
            while futures:
                yield futures.popleft().result()
        except GeneratorExit:  # the caller has what it wants
            if futures:
                self.kill()
            raise
        except BaseException:
            self.kill()
            raise

    def _submit(self, function: Callable[..., T], job: tuple[Any, ...]) -> Future[T]:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.width, mp_context=context, initializer=work_for_parent)
        if len(self._workers) == self.width:
            return self._pool.submit(function, *job)
        others = set(multiprocessing.active_children())
        with without_main():
            future = self._pool.submit(function, *job)  # starts a process, where none of them is idle
        self._workers |= set(multiprocessing.active_children()) - others
        return future

    def kill(self) -> None:
        """Ends the processes, whatever they do; the next `map` starts others."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:  # so that nothing writes any more
            connection.wait([worker.sentinel], _PATIENCE_SECONDS)
        self._pool, self._workers = None, set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.kill()
        elif self._pool is not None:
            self._pool.shutdown()
            self._pool, self._workers = None, set()
