"""Holds what `init` found and proposes, for the config and the screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crossnet.components.sources.doubts import Doubt


@dataclass
class ColumnFinding:
    """A column, as it is shown.

    Attributes:
      name: The feature's name.
      type: How its cells are read, in words.
      rows, holes, distinct: Counts; `distinct` may be an estimate.
      decided: What the config does with it, where that is not plain.
      doubts: What may be wrong about that.
    """

    name: str
    type: str
    rows: int
    holes: int
    distinct: int
    decided: str = ""
    doubts: list[Doubt] = field(default_factory=list)

    def doubt(self, text: str, setting: str = "") -> None:
        """Adds what may be wrong, in one clause, and the line of the config that changes it."""
        self.doubts.append(Doubt(self.name, text, setting))


@dataclass
class Proposal:
    """The settings of `example_gen` that `init` proposes.

    Attributes:
      settings: Values by name, without `source`, `input` and `label`.
      reasons: Why, by name.
      excluded: Why each column in `exclude` is not a feature.
      columns: The columns in the order of the table; the label is among them.
      notes: What was found about the whole table, and the line that changes what the config does about it.
      weights: Columns that may weigh rows, by their names.
      label: The label's name.
      label_std: Its standard deviation, in its unit.
      rows: Rows of the table.
      few_groups: Why the gate has to judge by value, where eval has few groups; else empty.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    columns: list[ColumnFinding] = field(default_factory=list)
    notes: list[Doubt] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    label: str = ""
    label_std: float = 0.0
    rows: int = 0
    few_groups: str = ""

    def note(self, text: str, setting: str = "") -> None:
        """Adds what was found about the whole table, in one clause, and the line of the config that changes it."""
        self.notes.append(Doubt("", text, setting))

    def put(self, setting: str, value: Any, reason: str) -> None:
        """Sets a setting, or adds to a list or a table, and gives the reason."""
        old = self.settings.get(setting)
        if setting == "comment" and isinstance(old, str) and old != value:
            value = [old, value]
        elif setting == "comment" and isinstance(old, list) and isinstance(value, str):
            value = list(dict.fromkeys((*old, value)))
        elif isinstance(old, list):
            new = [item for item in value if item not in old]
            if not new:
                return
            value = [*old, *new]
        elif isinstance(old, Mapping):
            value = {**old, **value}
        self.settings[setting] = value
        known = self.reasons.get(setting, "")
        if reason and reason not in known:
            self.reasons[setting] = f"{known}; {reason}" if known else reason
