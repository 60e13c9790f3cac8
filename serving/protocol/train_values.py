"""Records which values a model was trained on, beside the model.

The Trainer writes it, and `predict` compares rows with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TRAIN_VALUES_FILE = "assets.extra/train_values.json"  # in a SavedModel


@dataclass(frozen=True)
class TrainValues:
    """Which values of its features a model was trained on; features that it ignores are left out.

    Attributes:
      ranges: The least and the largest number of each numeric feature, in its own unit.
      categories: The texts, or the whole numbers, that the model tells from all others. What occurs too rarely in train
        is among the others.
      complete: The features that no row of train lacks.
    """

    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)
    categories: Mapping[str, frozenset[str | int]] = field(default_factory=dict, hash=False)
    complete: frozenset[str] = frozenset()

    @classmethod
    def from_json(cls, data: bytes) -> TrainValues:
        """Returns what `to_json` wrote; fields that a later version has added are left out.

        Raises:
          ValueError: It is not such a JSON object.
        """
        found: Any = json.loads(data)
        found = found if isinstance(found, dict) else {"ranges": None}
        ranges, categories, complete = found.get("ranges", {}), found.get("categories", {}), found.get("complete", [])
        if not isinstance(ranges, dict) or not isinstance(categories, dict) or not _is_category(complete):
            raise ValueError("expected an object with `ranges`, `categories` and `complete`")
        if not all(map(_is_range, ranges.values())):
            raise ValueError("expected two finite numbers for each of `ranges`, the smaller one first")
        if not all(map(_is_category, categories.values())):
            raise ValueError("expected a list of texts, or of whole numbers, for each of `categories`")
        return cls(
            {name: (low, high) for name, (low, high) in ranges.items()},
            {name: frozenset(values) for name, values in categories.items()},
            frozenset(map(str, complete)),
        )

    def to_json(self) -> str:
        """Returns the record as JSON, equal for equal values."""
        record = {
            "ranges": {name: list(bounds) for name, bounds in self.ranges.items()},
            "categories": {name: sorted(values, key=str) for name, values in self.categories.items()},
            "complete": sorted(self.complete),
        }
        return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


NOTHING = TrainValues()


def _is_range(value: object) -> bool:
    if not isinstance(value, list) or [type(bound) in (int, float) for bound in value] != [True, True]:
        return False
    low, high = value
    return math.isfinite(low) and math.isfinite(high) and bool(low <= high)


def _is_category(value: object) -> bool:
    return isinstance(value, list) and {type(item) for item in value} in ({str}, {int}, set())
