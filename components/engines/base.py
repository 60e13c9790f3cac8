"""Declares what runs a step's jobs: one call, and results in order.

A step cuts its work into jobs that do not know of each other, and merges their results in the order of the jobs. So
the result is the same wherever the jobs run. An engine may pickle functions and jobs and run them elsewhere, and run a
job again after a failure: functions are top-level, jobs hold settings and absolute paths, no open files, and each job
writes to a file or a folder of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, Self, TypeVar

T = TypeVar("T")


class Engine(Protocol):
    """Where jobs run. It is not a setting of a step: no byte that a step writes depends on it."""

    @property
    def width(self) -> int:
        """How many jobs run at the same time: into how many a step cuts what it may cut as it likes."""

    def for_bytes(self, size: int) -> Engine:
        """Returns the engine for a step that reads `size` bytes: this one, or `IN_PROCESS` where this one costs more.

        The rule is that of the engine, from a measurement.
        """

    def map(self, function: Callable[..., T], jobs: Sequence[tuple[Any, ...]]) -> Iterator[T]:
        """Calls `function` with the arguments of each job and yields the results in the order of the jobs.

        A job may run only when its result is asked for.

        Raises:
          Exception: What the first job in this order that fails raises.
        """


class InProcess:
    """Runs one job after the other in this process."""

    width = 1

    def for_bytes(self, size: int) -> Self:
        """Returns itself."""
        return self

    def map(self, function: Callable[..., T], jobs: Sequence[tuple[Any, ...]]) -> Iterator[T]:
        """Calls `function` with the arguments of each job when its result is asked for."""
        return (function(*job) for job in jobs)


IN_PROCESS = InProcess()
