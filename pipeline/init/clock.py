"""Finds columns of times of day that are written as numbers.

Of 33,207 columns of numbers in 2,291 tables of R's packages, eleven are named, and all of them are times of day
(2026-11-30).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crossnet.components import clock
from crossnet.components.params.example_gen import INTEGER_SOURCES
from crossnet.pipeline.init.findings import ColumnFinding, Proposal

if TYPE_CHECKING:
    from crossnet.pipeline.init.profile import ColumnProfile

# Hours of the day with a time in each quarter, from which numbers are times and not so by chance. Of numbers that have
# nothing to do with a clock, two in five end in 60 to 99: that 32 of them, spread so, all do not has a chance of 1e-7.
# Ages, scores and numbers of rooms do not fill hundreds up to 59, and multiples of 20, 25 or 50 not all four quarters.
_HOURS = 8
_QUARTERS = 4


@dataclass
class ClockTimes:
    """The times of day among the numbers of a column; constant memory.

    Attributes:
      possible: Whether all numbers so far are such times.
    """

    possible: bool = True
    _seen: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def add(self, values: NDArray[Any]) -> None:
        """Adds finite numbers, (values,)."""
        if not self.possible:
            return
        self.possible = bool(clock.is_time(values).all())
        if not self.possible:
            self._seen = np.zeros(0, np.bool_)
            return
        if not len(self._seen):
            self._seen = np.zeros(clock.LAST, np.bool_)
        self._seen[values.astype(np.int64) % clock.LAST] = True

    @property
    def found(self) -> bool:
        """Whether all numbers are times of day, and so many that they are not so by chance."""
        if not self.possible or not len(self._seen):
            return False
        quarters = self._seen.reshape(24, 100)[:, :60].reshape(24, _QUARTERS, -1).any(axis=2)
        return int(np.count_nonzero(quarters.sum(axis=1) == _QUARTERS)) >= _HOURS


def propose_clock(finding: ColumnFinding, column: ColumnProfile, kind: str, source: str, proposal: Proposal) -> bool:
    """Proposes that a column is one of times of day where all of its numbers are; returns whether it does.

    Args:
      finding: The column, to be filled.
      column: What its rows show.
      kind: How its cells are read with the settings that are proposed.
      source: The table's format, as `example_gen.source` has it.
      proposal: What is proposed so far, to be filled.
    """
    cells = column.cells
    others = cells.looked - sum(cells.forms[form] for form in ("number", "null", "nan"))
    if not column.clock.found or others or column.infinite:
        return False
    if kind in ("FLOAT", "MIXED", "BYTES") and source in INTEGER_SOURCES:
        proposal.put("integer", [finding.name], "times of day: 830.0 and 0830 are 8:30")
    elif kind not in ("INT", "WHOLE"):
        return False
    proposal.put("clock", [finding.name], "all their numbers are times of day, 0 to 2400, and none ends in 60 to 99")
    finding.decided = "time of day hhmm, learned as minutes since midnight"
    return True
