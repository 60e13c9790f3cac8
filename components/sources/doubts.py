"""Declares what a source decided about a column, perhaps wrongly.

A doubt stops nothing. ExampleGen writes all of them to its artifact; the screen and the report show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from crossnet.serving.protocol.printable import shown

MAX_SHOWN = 10  # lines on the screen


class Doubt(NamedTuple):
    """What was decided about one column, and may be wrong.

    Attributes:
      column: As the source names it; "" for the whole table.
      text: One clause: what was decided and why, with the share of the cells and an example, or a question. No full
        stop.
      setting: The line of TOML in [example_gen] that decides otherwise, or "".
    """

    column: str
    text: str
    setting: str = ""

    @property
    def clause(self) -> str:
        """The clause with its mark at the end: a question keeps its own."""
        return self.text if self.text.endswith("?") else f"{self.text}."

    @property
    def sentence(self) -> str:
        """The doubt as the screen shows it."""
        remedy = f" To change that: `{self.setting}` in [example_gen]." if self.setting else ""
        return f"Column `{shown(self.column)}` {self.clause}{remedy}"


def merged(doubts: Iterable[Doubt]) -> tuple[Doubt, ...]:
    """Returns doubts in their order, of each column the first one with a setting: parts of a source find the same."""
    found: dict[tuple[str, str], Doubt] = {}
    for doubt in doubts:
        found.setdefault((doubt.column, doubt.setting or doubt.text), doubt)
    return tuple(found.values())


def doubt_lines(doubts: Sequence[Doubt]) -> list[str]:
    """Returns a line per doubt for the screen, and after `MAX_SHOWN` of them how many there are more."""
    lines = [doubt.sentence for doubt in doubts[:MAX_SHOWN]]
    if (more := len(doubts) - MAX_SHOWN) > 0:
        lines.append(f"{more:,} more in the run's report, in its table of doubts about columns.")
    return lines


def empty_column(column: str) -> Doubt:
    """Returns the doubt about a column without any value, which is left out."""
    return Doubt(column, "has no value in any row and is left out", f"exclude = [{toml_text(column)}]")


def toml_text(text: str) -> str:
    """Returns a text as TOML's basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in escaped) + '"'
