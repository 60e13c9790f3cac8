"""Measures ours and another way in turn, and reports medians.

A benchmark is a module of this folder with `rows()`, which yields `Row`s. The machines it runs on are shared and
noisy: CPU seconds of interleaved repeats are compared, and a ratio is what is claimed, never a time.
"""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
      benchmark: The module's name.
      case: What was done.
      ours: Median of ours, in `unit`.
      other: Median of the alternative, in `unit`; None where the goal is absolute.
      unit: Unit of `ours` and `other`.
      ratio: What the goal is about: `ours / other` for costs, `other / ours` or a rate where more is better.
      goal: The goal in words, such as "<= 0.25"; "" where there is none.
      met: Whether it was reached; None where there is none.
      alternative: What `other` is.
      better: Which `ratio` (or `ours`, where there is none) is better; "" where neither is, and only the goal counts.
      scatter: Of the repeats' ratios, half the distance of their quartiles, as a share of the median; None where
        there was one repeat.
    """

    benchmark: str
    case: str
    ours: float
    other: float | None
    unit: str
    ratio: float | None
    goal: str = ""
    met: bool | None = None
    alternative: str = ""
    better: Literal["less", "more", ""] = "less"
    scatter: float | None = None

    def __post_init__(self) -> None:
        """Makes NumPy's numbers and truth values Python's: JSON takes no others, and `met` is compared by `is`."""
        for name in ("ours", "other", "ratio", "met", "scatter"):
            if isinstance(value := getattr(self, name), np.generic):
                object.__setattr__(self, name, value.item())


class Medians(NamedTuple):
    """Medians of pairs that were measured in turn, of their ratios ours/other, and the scatter of these (see `Row`)."""

    ours: float
    other: float
    ratio: float
    scatter: float


def cpu_seconds() -> float:
    """Returns the CPU seconds (user + system) of this process and its finished children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def cost(work: Callable[[], object]) -> float:
    """Returns the CPU seconds that `work()` takes, children it has waited for included."""
    start = cpu_seconds()
    work()
    return cpu_seconds() - start


def interleave(ours: Callable[[], float], other: Callable[[], float], repeats: int = 5) -> Medians:
    """Calls both in turn and returns their medians."""
    return medians([(ours(), other()) for _ in range(repeats)])


def medians(pairs: Sequence[tuple[float, float]]) -> Medians:
    """Returns the medians of pairs (ours, other) that were measured in turn."""
    ratios = [a / b for a, b in pairs]
    return Medians(
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(ratios),
        scatter(ratios),
    )


def scatter(values: Sequence[float]) -> float:
    """Returns half the distance of the quartiles of at least two values, as a share of their median."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / abs(middle)


def machine() -> str:
    """Returns one line that names this machine: cores, memory, processor."""
    model = ""
    with open("/proc/cpuinfo", encoding="utf-8") as stream:
        for line in stream:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {model}"


Benchmark = Callable[[], Iterator[Row]]
