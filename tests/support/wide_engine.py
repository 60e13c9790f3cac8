"""Runs jobs in this process, as an engine of any width."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any


class Wide:
    """Runs in this process, and is as wide as it is told; `lists` holds how many jobs each call was given."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lists: list[int] = []

    def for_bytes(self, size: int) -> Wide:
        """Returns itself."""
        return self

    def map(self, function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """Calls `function` with the arguments of each job."""
        self.lists.append(len(jobs))
        return (function(*job) for job in jobs)
