"""Tells a screen how much of a step's data is read.

Readers say how far they are in a file, whoever reads it and why. That goes nowhere unless a step has begun to count and
somebody listens: the processes of a pool read for nobody, and the step says of each file when it is done.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LEAST_SECONDS = 0.25  # between two words to the listener

# Takes what is done, the share that is done (0 to 1), and since how many seconds.
Listener = Callable[[str, float, float], None]


@dataclass
class _Work:
    """What a step goes through now: files, by path, each with its weight, such as its bytes."""

    what: str
    weights: Mapping[Path, float]
    since: float
    told: float  # when the listener was told last
    shares: dict[Path, float] = field(default_factory=dict)


_listeners: list[Listener] = []
_works: list[_Work] = []  # the present one, if any


@contextlib.contextmanager
def told_to(listener: Listener) -> Iterator[None]:
    """Inside, `listener` is told of what steps of this process do."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.pop()
        _works.clear()


def by_size(files: Iterable[Path]) -> dict[Path, int]:
    """Returns the bytes of each file; nothing where nobody listens."""
    return {file: file.stat().st_size for file in files if file.is_file()} if _listeners else {}


def begin(what: str, weights: Mapping[Path, float]) -> None:
    """Begins to count, instead of what was counted before.

    Args:
      what: What is gone through, such as "rows of train".
      weights: The work for each file, such as its bytes, by path.
    """
    now = time.monotonic()
    _works[:] = [_Work(what, weights, since=now, told=now)] if _listeners else []


def reached(file: Path, done: float = 1, of: float = 1) -> None:
    """Says how much of a file is done: `done` of `of` bytes, rows or batches; nothing where nobody counts it."""
    if not _works or file not in _works[0].weights or not of:
        return
    work, now = _works[0], time.monotonic()
    work.shares[file] = min(max(done / of, 0.0), 1.0)
    if now - work.told < LEAST_SECONDS:
        return
    work.told, total = now, sum(work.weights.values())
    if total > 0:
        part = sum(work.weights[key] * share for key, share in work.shares.items())
        _listeners[-1](work.what, part / total, now - work.since)
