"""Finds columns of times of day that are written as numbers.

Of 33,207 columns of numbers in 2,291 tables of R's packages, eleven are named, and all of them are times of day
(2026-11-30).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossnet.components.params.example_gen import INTEGER_SOURCES
from crossnet.pipeline.init.findings import ColumnFinding, Proposal

if TYPE_CHECKING:
    from crossnet.pipeline.init.profile import ColumnProfile


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
    if not column.is_daytime or others or column.infinite:
        return False
    last, example = (
        ("0 to 2400", "830.0 and 0830 are 8:30") if column.clock.found else ("0 to 240000", "083000 is 8:30:00")
    )
    if kind in ("FLOAT", "MIXED", "BYTES") and source in INTEGER_SOURCES:
        proposal.put("integer", [finding.name], f"times of day: {example}")
    elif kind not in ("INT", "WHOLE"):
        return False
    setting = "clock" if column.clock.found else "clock_seconds"
    proposal.put(setting, [finding.name], f"all their numbers are times of day, {last}, and none ends in 60 to 99")
    form, unit = ("hhmm", "minutes") if column.clock.found else ("hhmmss", "seconds")
    finding.decided = f"time of day {form}, learned as {unit} since midnight"
    return True
