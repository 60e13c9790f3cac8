"""Declares one setting: its default, meaning, unit and range."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any

AUTO = "auto"  # a setting's word for a value that follows from the data or the machine


class PathKind(Enum):
    """What a setting that holds a path names.

    A relative path is relative to the config file. What is read from outside enters a fingerprint by its content.
    """

    INPUT = "what the step reads"
    MODEL = "a model that the step reads, unless the setting is a version's number or none"
    OUTPUT = "where the step writes"
    QUERY = "what a query reads: SQL or an address, whose rows are what enters a fingerprint"


def setting(
    default: Any,
    doc: str,
    *,
    choices: tuple[str, ...] = (),
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    path: PathKind | None = None,
    any_order: bool = False,
    without_effect: bool = False,
    only_with: tuple[str, tuple[Any, ...]] | None = None,
) -> Any:
    """Returns a dataclass field with its documentation and range.

    Args:
      default: The default value.
      doc: Meaning and unit, one line.
      choices: All legal values of a text setting.
      least, above, most, below: Bounds of a number (and of each number in a tuple); a number must also be finite.
      path: What the path names, for a setting that holds one; None: it holds none.
      any_order: Whether a list's order and repetitions have no meaning, so that a fingerprint leaves them out.
      without_effect: Whether the setting changes how a step works and not one byte of what it makes: it enters no
        fingerprint.
      only_with: Another setting and its values with which this one has an effect; None: it always has.
    """
    bounds = {"least": least, "above": above, "most": most, "below": below}
    kinds = {"path": path, "any_order": any_order, "without_effect": without_effect, "only_with": only_with}
    metadata = {"doc": doc, "choices": choices, **kinds, **bounds}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def with_effect(settings: Any) -> dict[str, Any]:
    """Returns the values, by name, of those settings of a dataclass that may change what is made."""

    def has_effect(item: dataclasses.Field[Any]) -> bool:
        name, values = item.metadata.get("only_with") or ("", ())
        return not item.metadata.get("without_effect") and (not name or getattr(settings, name) in values)

    return {item.name: getattr(settings, item.name) for item in dataclasses.fields(settings) if has_effect(item)}
