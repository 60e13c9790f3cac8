"""Declares one setting: its default, meaning, unit and range."""

from __future__ import annotations

import dataclasses
from typing import Any


def setting(
    default: Any,
    doc: str,
    *,
    choices: tuple[str, ...] = (),
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> Any:
    """Returns a dataclass field with its documentation and range.

    Args:
      default: The default value.
      doc: Meaning and unit, one line.
      choices: All legal values of a text setting.
      least, above, most, below: Bounds of a number (and of each number in a tuple); a number must also be finite.
    """
    metadata = {"doc": doc, "choices": choices, "least": least, "above": above, "most": most, "below": below}
    return dataclasses.field(default=default, metadata=metadata)
