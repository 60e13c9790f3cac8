"""Prints the columns of a table and what `init` proposes."""

from __future__ import annotations

from collections.abc import Mapping

from crossnet.components.formats import aligned, counted
from crossnet.pipeline.cli.options import say
from crossnet.pipeline.init.config_text import MAX_COLUMNS
from crossnet.pipeline.init.findings import Proposal
from crossnet.serving.protocol.printable import shown

_MAX_NAME, _MAX_DOUBT, _MAX_DOUBTS = 40, 200, 20


def print_names(types: Mapping[str, str]) -> None:
    """Prints the columns with their types."""
    rows = [[shown(name.strip(), _MAX_NAME), kind] for name, kind in list(types.items())[:MAX_COLUMNS]]
    for line in aligned([["column", "type"], *rows], left=(0, 1)):
        say(line)
    if len(types) > len(rows):
        say(f"  and {counted(len(types) - len(rows), 'more column')}")


def print_proposal(proposal: Proposal) -> None:
    """Prints a table of the columns, then each doubt with the line of the config that changes it."""
    columns = proposal.columns[:MAX_COLUMNS]
    rows = [
        [shown(c.name, _MAX_NAME), c.type, f"{c.holes:,}", f"{c.distinct:,}", shown(c.decided, 80)] for c in columns
    ]
    for line in aligned([["column", "type", "holes", "distinct", ""], *rows], left=(0, 1, 4)):
        say(line)
    if hidden := len(proposal.columns) - len(columns):
        say(f"  and {counted(hidden, 'more column')}")
    doubts = [(f"{shown(c.name, _MAX_NAME)}: ", doubt) for c in proposal.columns for doubt in c.doubts]
    doubts = [*(("", note) for note in proposal.notes), *doubts]
    for name, doubt in doubts[:_MAX_DOUBTS]:
        line = f" (to change that: {shown(doubt.setting, _MAX_DOUBT)})" if doubt.setting else ""
        say(f"? {name}{shown(doubt.text, _MAX_DOUBT)}{line}")
    if len(doubts) > _MAX_DOUBTS:
        say(f"? and {counted(len(doubts) - _MAX_DOUBTS, 'more doubt')}, in the config")
